#include "client/import_row.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/import_escape.h"
#include "client/import_map_internal.h"
#include "client/import_order.h"

#define NS_PER_S    INT64_C(1000000000)
/* The first and last nanosecond that InfluxDB and Busbar store. */
#define TIME_MIN_NS (INT64_MIN + 2)
#define TIME_MAX_NS (INT64_MAX - 1)

/** A column as a line needs it. */
struct part {
    unsigned column;
    enum column_type type;
    char *text; /* ",KEY=" of a tag, "NAME=" of a field, ",TAG=HEADER NAME=" of a wide one */
    size_t len;
};

struct row_maker {
    const struct map *map;
    struct zone *zone;
    const struct row_options *options;
    struct time_reader reader;
    int measurement_column;
    struct part *tags, *fields, *wide;
    unsigned tag_count, field_count, wide_count;
    struct import_buf fixed; /* ",KEY=VALUE" of the fixed tags */
    /* The line's key and the cells that it was made of: rows of one meter follow one another. */
    struct import_buf key, key_cells;
    bool key_known;
    struct import_buf joined; /* date and clock */
    struct order order;
    struct row_counts counts;
    char reason[256];
};

/* ---- making ---- */

static bool add_part(struct part *part, unsigned column, enum column_type type,
                     struct import_buf *text)
{
    if (text->failed)
        return false;
    *part = (struct part){column, type, text->data, text->len};
    *text = (struct import_buf){0};
    return true;
}

static bool plan_column(struct row_maker *m, unsigned i)
{
    const struct map_column *c = &m->map->columns[i];
    struct import_buf text = {0};
    switch (c->role) {
    case COLUMN_MEASUREMENT:
        m->measurement_column = (int)i;
        return true;
    case COLUMN_TAG:
        import_buf_add_char(&text, ',');
        escape_add(&text, ESCAPE_TAG, c->name, strlen(c->name));
        import_buf_add_char(&text, '=');
        return add_part(&m->tags[m->tag_count++], i, c->type, &text);
    case COLUMN_FIELD:
        escape_add(&text, ESCAPE_FIELD, c->name, strlen(c->name));
        import_buf_add_char(&text, '=');
        return add_part(&m->fields[m->field_count++], i, c->type, &text);
    case COLUMN_WIDE:
        import_buf_add_char(&text, ',');
        escape_add(&text, ESCAPE_TAG, m->map->wide_tag, strlen(m->map->wide_tag));
        import_buf_add_char(&text, '=');
        escape_add(&text, ESCAPE_TAG, c->header, strlen(c->header));
        import_buf_add_char(&text, ' ');
        escape_add(&text, ESCAPE_FIELD, c->name, strlen(c->name));
        import_buf_add_char(&text, '=');
        return add_part(&m->wide[m->wide_count++], i, c->type, &text);
    default:
        return true;
    }
}

/** Names of tags and fields are checked once; values of tags with each row. */
static bool check_names(const struct row_maker *m, char *error)
{
    for (unsigned i = 0; i < m->map->count; i++) {
        const struct map_column *c = &m->map->columns[i];
        const char *refusal = NULL;
        if (c->role == COLUMN_TAG || c->role == COLUMN_FIELD)
            refusal = escape_refusal(c->role == COLUMN_TAG ? ESCAPE_TAG : ESCAPE_FIELD, c->name,
                                     strlen(c->name));
        else if (c->role == COLUMN_WIDE)
            refusal = escape_refusal(ESCAPE_TAG, c->header, strlen(c->header));
        if (refusal != NULL)
            return map_fail(error, "column %u: the name '%s' %s", i + 1,
                            c->role == COLUMN_WIDE ? c->header : c->name, refusal);
    }
    for (unsigned i = 0; i < m->wide_count; i++) {
        const char *name = m->map->columns[m->wide[i].column].name, *tag = m->map->wide_tag;
        const char *field_refusal = escape_refusal(ESCAPE_FIELD, name, strlen(name));
        const char *tag_refusal = escape_refusal(ESCAPE_TAG, tag, strlen(tag));
        if (field_refusal != NULL || tag_refusal != NULL)
            return map_fail(error, "--map: the name '%s' %s", tag_refusal == NULL ? name : tag,
                            tag_refusal == NULL ? field_refusal : tag_refusal);
    }
    const char *measurement = m->options->measurement;
    const char *refusal = escape_refusal(ESCAPE_MEASUREMENT, measurement, strlen(measurement));
    if (refusal != NULL)
        return map_fail(error, "the measurement '%s' %s", measurement, refusal);
    return true;
}

static bool plan_fixed(struct row_maker *m, char *error)
{
    for (unsigned i = 0; i < m->options->tag_count; i++) {
        const char *tag = m->options->tags[i], *equals = strchr(tag, '=');
        if (equals == NULL || equals == tag ||
            escape_refusal(ESCAPE_TAG, tag, (size_t)(equals - tag)) != NULL ||
            escape_refusal(ESCAPE_TAG, equals + 1, strlen(equals + 1)) != NULL)
            return map_fail(error, "--tag %s: write KEY=VALUE", tag);
        for (unsigned k = 0; k < m->map->count; k++) {
            const struct map_column *c = &m->map->columns[k];
            if (c->role == COLUMN_TAG && strlen(c->name) == (size_t)(equals - tag) &&
                strncmp(c->name, tag, (size_t)(equals - tag)) == 0)
                return map_fail(error, "--tag %s: a column gives this tag too", tag);
        }
        import_buf_add_char(&m->fixed, ',');
        escape_add(&m->fixed, ESCAPE_TAG, tag, (size_t)(equals - tag));
        import_buf_add_char(&m->fixed, '=');
        escape_add(&m->fixed, ESCAPE_TAG, equals + 1, strlen(equals + 1));
    }
    return true;
}

struct row_maker *row_maker_create(const struct map *map, struct zone *zone,
                                   const struct row_options *options, char *error)
{
    struct row_maker *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        map_fail(error, "out of memory");
        return NULL;
    }
    m->map = map;
    m->zone = zone;
    m->options = options;
    m->measurement_column = -1;
    time_reader_init(&m->reader, &map->time);
    m->tags = calloc(map->count, sizeof(*m->tags));
    m->fields = calloc(map->count, sizeof(*m->fields));
    m->wide = calloc(map->count, sizeof(*m->wide));
    bool ok = m->tags != NULL && m->fields != NULL && m->wide != NULL;
    for (unsigned i = 0; ok && i < map->count; i++)
        ok = plan_column(m, i);
    if (!ok)
        map_fail(error, "out of memory");
    if (!ok || !check_names(m, error) || !plan_fixed(m, error))
        row_maker_destroy(&m);
    return m;
}

static void free_parts(struct part *parts, unsigned n)
{
    for (unsigned i = 0; i < n && parts != NULL; i++)
        free(parts[i].text);
    free(parts);
}

void row_maker_destroy(struct row_maker **maker)
{
    struct row_maker *m = *maker;
    if (m == NULL)
        return;
    free_parts(m->tags, m->tag_count);
    free_parts(m->fields, m->field_count);
    free_parts(m->wide, m->wide_count);
    import_buf_fini(&m->fixed);
    import_buf_fini(&m->key);
    import_buf_fini(&m->key_cells);
    import_buf_fini(&m->joined);
    order_fini(&m->order);
    free(m);
    *maker = NULL;
}

const struct row_counts *row_counts_get(const struct row_maker *m)
{
    return &m->counts;
}

/* ---- reasons ---- */

static const char *refuse(struct row_maker *m, unsigned column, const struct csv_field *cell,
                          const char *why)
{
    snprintf(m->reason, sizeof(m->reason), "column %u (%.40s): '%.*s%s' %s", column + 1,
             m->map->columns[column].header, cell->len > 60 ? 60 : (int)cell->len, cell->text,
             cell->len > 60 ? "..." : "", why);
    return m->reason;
}

/* ---- the key ---- */

static bool cell_is_cached(const struct row_maker *m, const struct csv_field *cell, size_t *at)
{
    const struct import_buf *cached = &m->key_cells;
    size_t len;
    if (cached->len - *at < sizeof(len) + cell->len)
        return false;
    memcpy(&len, cached->data + *at, sizeof(len));
    if (len != cell->len || memcmp(cached->data + *at + sizeof(len), cell->text, len) != 0)
        return false;
    *at += sizeof(len) + len;
    return true;
}

static bool key_is_cached(const struct row_maker *m, const struct csv_row *row)
{
    size_t at = 0;
    if (!m->key_known || (m->measurement_column >= 0 &&
                          !cell_is_cached(m, &row->fields[m->measurement_column], &at)))
        return false;
    for (unsigned i = 0; i < m->tag_count; i++) {
        if (!cell_is_cached(m, &row->fields[m->tags[i].column], &at))
            return false;
    }
    return true;
}

static void remember_cell(struct row_maker *m, const struct csv_field *cell)
{
    import_buf_add(&m->key_cells, &cell->len, sizeof(cell->len));
    import_buf_add(&m->key_cells, cell->text, cell->len);
}

static const char *make_key(struct row_maker *m, const struct csv_row *row)
{
    m->key_known = false;
    m->key.len = m->key_cells.len = 0;
    if (m->measurement_column >= 0) {
        const struct csv_field *cell = &row->fields[m->measurement_column];
        const char *refusal = escape_refusal(ESCAPE_MEASUREMENT, cell->text, cell->len);
        if (refusal != NULL)
            return refuse(m, (unsigned)m->measurement_column, cell, refusal);
        escape_add(&m->key, ESCAPE_MEASUREMENT, cell->text, cell->len);
        remember_cell(m, cell);
    } else {
        escape_add(&m->key, ESCAPE_MEASUREMENT, m->options->measurement,
                   strlen(m->options->measurement));
    }
    for (unsigned i = 0; i < m->tag_count; i++) {
        const struct csv_field *cell = &row->fields[m->tags[i].column];
        remember_cell(m, cell);
        if (cell->len == 0)
            continue; /* a series without this tag */
        const char *refusal = escape_refusal(ESCAPE_TAG, cell->text, cell->len);
        if (refusal != NULL)
            return refuse(m, m->tags[i].column, cell, refusal);
        import_buf_add(&m->key, m->tags[i].text, m->tags[i].len);
        escape_add(&m->key, ESCAPE_TAG, cell->text, cell->len);
    }
    import_buf_add(&m->key, m->fixed.data, m->fixed.len);
    m->key_known = !m->key.failed && !m->key_cells.failed;
    return m->key_known ? NULL : "out of memory";
}

/* ---- the time ---- */

static uint64_t hash_key(const struct import_buf *key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < key->len; i++)
        hash = (hash ^ (unsigned char)key->data[i]) * UINT64_C(1099511628211);
    return hash;
}

/** The moment of a local time, or a reason. */
static const char *resolve(struct row_maker *m, int64_t local_s, int64_t *utc_s)
{
    int64_t candidates[2];
    int n = zone_resolve(m->zone, local_s, candidates);
    order_step(&m->order, local_s);
    if (n == 0 && m->options->end_stamped && m->options->interval_s > 0) {
        /* The last interval before the clock goes forward ends where the gap begins. */
        n = zone_resolve(m->zone, local_s - 1, candidates);
        candidates[0]++;
        n = n == 1 ? 1 : 0;
    }
    if (n == 0)
        return "is skipped by the local clock (daylight saving begins)";
    *utc_s = candidates[0];
    if (n == 1)
        return NULL;
    m->counts.ambiguous++;
    return order_choose(&m->order, hash_key(&m->key), candidates, utc_s)
               ? NULL
               : "is shown twice by the local clock, and there is no memory to tell which is meant";
}

static const char *make_time(struct row_maker *m, const struct csv_field *cell, int64_t *time_ns)
{
    const struct row_options *o = m->options;
    struct moment moment;
    const char *reason = time_read(&m->reader, cell->text, cell->len, &moment);
    if (reason != NULL)
        return reason;
    int64_t second_s = moment.second_s;
    bool by_clock = o->end_stamped && (o->interval_is_days || o->interval_months > 0);
    if (by_clock && !moment.is_utc)
        second_s = time_minus_months(second_s, o->interval_months) - o->interval_s;
    if (!moment.is_utc)
        reason = resolve(m, second_s, &second_s);
    if (reason != NULL)
        return reason;
    if (o->end_stamped && (!by_clock || moment.is_utc))
        second_s = time_minus_months(second_s, o->interval_months) - o->interval_s;
    __int128 ns = (__int128)second_s * NS_PER_S + moment.nanos;
    if (ns < TIME_MIN_NS || ns > TIME_MAX_NS)
        return "is outside of the years 1677 to 2262";
    *time_ns = (int64_t)ns;
    return NULL;
}

static const char *row_time(struct row_maker *m, const struct csv_row *row, int64_t *time_ns)
{
    int first = m->map->time_columns[0], second = m->map->time_columns[1];
    struct csv_field cell = row->fields[first];
    if (second >= 0) {
        m->joined.len = 0;
        import_buf_add(&m->joined, cell.text, cell.len);
        import_buf_add_char(&m->joined, ' ');
        import_buf_add(&m->joined, row->fields[second].text, row->fields[second].len);
        cell.text = m->joined.data;
        cell.len = m->joined.len;
    }
    const char *reason = make_time(m, &cell, time_ns);
    return reason == NULL ? NULL : refuse(m, (unsigned)first, &cell, reason);
}

/* ---- values ---- */

static void trim(const char **text, size_t *len)
{
    for (; *len > 0 && (**text == ' ' || **text == '\t'); (*text)++)
        (*len)--;
    while (*len > 0 && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
        (*len)--;
}

/** The digits pass as they stand; only a decimal comma becomes a point. */
static const char *put_float(struct import_buf *out, char decimal, const char *text, size_t len)
{
    trim(&text, &len);
    if (!map_is_number(text, len, decimal))
        return "is not a number";
    if (*text == '+') {
        text++;
        len--;
    }
    import_buf_add(out, text, len);
    if (decimal != '.') {
        char *comma = memchr(out->data + out->len - len, decimal, len);
        if (comma != NULL)
            *comma = '.';
    }
    return NULL;
}

static const char *put_integer(struct import_buf *out, bool is_signed, const char *text, size_t len)
{
    trim(&text, &len);
    if (len > 0 && *text == '+') {
        text++;
        len--;
    }
    size_t at = is_signed && len > 0 && *text == '-';
    if (at == len)
        return "is not an integer";
    for (; at < len; at++) {
        if (text[at] < '0' || text[at] > '9')
            return is_signed ? "is not an integer" : "is not an unsigned integer";
    }
    import_buf_add(out, text, len);
    import_buf_add_char(out, is_signed ? 'i' : 'u');
    return NULL;
}

static const char *put_bool(struct import_buf *out, const char *text, size_t len)
{
    static const char *const words[2][6] = {{"false", "f", "0", "no", "n", "off"},
                                            {"true", "t", "1", "yes", "y", "on"}};
    trim(&text, &len);
    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 6; i++) {
            if (strlen(words[value][i]) == len && strncasecmp(words[value][i], text, len) == 0) {
                import_buf_add_text(out, words[value][0]);
                return NULL;
            }
        }
    }
    return "is neither true nor false";
}

static const char *put_value(struct row_maker *m, enum column_type type,
                             const struct csv_field *cell, struct import_buf *out)
{
    switch (type) {
    case TYPE_INT:
    case TYPE_UINT:
        return put_integer(out, type == TYPE_INT, cell->text, cell->len);
    case TYPE_BOOL:
        return put_bool(out, cell->text, cell->len);
    case TYPE_STRING:
        import_buf_add_char(out, '"');
        escape_add(out, ESCAPE_STRING, cell->text, cell->len);
        import_buf_add_char(out, '"');
        return NULL;
    default:
        return put_float(out, m->options->decimal, cell->text, cell->len);
    }
}

/** A text is missing where nothing stands; other values also where a word says so. */
static bool is_missing(enum column_type type, const struct csv_field *cell)
{
    return type == TYPE_STRING ? cell->len == 0 && !cell->quoted : map_is_null(cell);
}

static void put_time(struct import_buf *out, int64_t time_ns)
{
    import_buf_add_char(out, ' ');
    import_buf_add_int(out, time_ns);
    import_buf_add_char(out, '\n');
}

/** The line of the row's fields; none if all of them are missing. */
static const char *put_fields(struct row_maker *m, const struct csv_row *row, int64_t time_ns,
                              struct import_buf *out, unsigned *lines)
{
    size_t start = out->len;
    unsigned values = 0;
    import_buf_add(out, m->key.data, m->key.len);
    for (unsigned i = 0; i < m->field_count; i++) {
        const struct part *part = &m->fields[i];
        const struct csv_field *cell = &row->fields[part->column];
        if (is_missing(part->type, cell)) {
            m->counts.missing++;
            continue;
        }
        import_buf_add_char(out, values++ == 0 ? ' ' : ',');
        import_buf_add(out, part->text, part->len);
        const char *reason = put_value(m, part->type, cell, out);
        if (reason != NULL)
            return refuse(m, part->column, cell, reason);
    }
    if (values == 0)
        out->len = start;
    else
        put_time(out, time_ns);
    *lines += values > 0;
    return NULL;
}

static const char *put_wide(struct row_maker *m, const struct csv_row *row, int64_t time_ns,
                            struct import_buf *out, unsigned *lines)
{
    for (unsigned i = 0; i < m->wide_count; i++) {
        const struct part *part = &m->wide[i];
        const struct csv_field *cell = &row->fields[part->column];
        if (is_missing(part->type, cell)) {
            m->counts.missing++;
            continue;
        }
        import_buf_add(out, m->key.data, m->key.len);
        import_buf_add(out, part->text, part->len);
        const char *reason = put_value(m, part->type, cell, out);
        if (reason != NULL)
            return refuse(m, part->column, cell, reason);
        put_time(out, time_ns);
        (*lines)++;
    }
    return NULL;
}

const char *row_make(struct row_maker *m, const struct csv_row *row, struct import_buf *out)
{
    size_t start = out->len;
    unsigned lines = 0;
    int64_t time_ns;
    if (row->count != m->map->count) {
        snprintf(m->reason, sizeof(m->reason), "%u columns instead of %u", row->count,
                 m->map->count);
        return m->reason;
    }
    const char *reason = key_is_cached(m, row) ? NULL : make_key(m, row);
    if (reason == NULL)
        reason = row_time(m, row, &time_ns);
    if (reason == NULL && m->field_count > 0)
        reason = put_fields(m, row, time_ns, out, &lines);
    if (reason == NULL && m->wide_count > 0)
        reason = put_wide(m, row, time_ns, out, &lines);
    if (reason == NULL && out->failed)
        reason = "out of memory";
    if (reason != NULL) {
        out->len = start;
        return reason;
    }
    m->counts.lines += lines;
    m->counts.empty += lines == 0;
    return NULL;
}
