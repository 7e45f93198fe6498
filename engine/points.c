#include "engine/points.h"

#include <string.h>

#define MEMO_SLOTS  4096 /* fields remembered by a builder; a power of two */
#define POINTS_MIN  1024
#define AHEAD_BYTES 256 /* longest key that is looked for ahead */
#define RECORD_MAX  (64u << 20)

_Static_assert(BB_LINE_MAX == BBI_LP_LINE_MAX, "the API tells the limit of the parser");

struct memo_slot {
    uint32_t db_id; /* 0: free */
    uint32_t measurement_id;
    uint32_t field_id;
    uint32_t name_length;
    const uint8_t *name;
    uint8_t type;
};

/* Field names resolved before, and which ones the previous line had: lines of one kind follow each
 * other. */
struct bbi_field_memo {
    struct memo_slot slots[MEMO_SLOTS];
    size_t used;
    struct bbi_arena names;
    const struct memo_slot *previous[BBI_LP_FIELDS_MAX];
    size_t previous_count;
};

int bbi_points_create(struct bbi_account *acct, struct bbi_points **out, struct bb_error *err)
{
    *out = NULL;
    struct bbi_points *p = bbi_mem_zalloc(acct, 1, sizeof(*p));
    if (p == NULL) {
        return bbi_error_nomem(err, "batch builder");
    }
    p->acct = acct;
    bbi_arena_init(&p->arena, acct);
    bbi_arena_init(&p->key_arena, acct);
    bbi_buf_init(&p->records, acct, RECORD_MAX);
    bbi_buf_init(&p->encoded, acct, RECORD_MAX);
    p->memo = bbi_mem_zalloc(acct, 1, sizeof(*p->memo));
    p->fields = bbi_mem_zalloc(acct, BBI_LP_FIELDS_MAX, sizeof(p->fields[0]));
    if (p->memo == NULL || p->fields == NULL) {
        bbi_points_destroy(&p);
        return bbi_error_nomem(err, "batch builder");
    }
    bbi_arena_init(&p->memo->names, acct);
    *out = p;
    return BB_OK;
}

void bbi_points_destroy(struct bbi_points **points)
{
    struct bbi_points *p = *points;
    *points = NULL;
    if (p == NULL) {
        return;
    }
    if (p->memo != NULL) {
        bbi_arena_fini(&p->memo->names);
    }
    bbi_mem_free(p->memo);
    bbi_mem_free(p->fields);
    bbi_mem_free(p->batch.points);
    bbi_mem_free(p->batch.cells);
    bbi_mem_free(p->lines);
    bbi_arena_fini(&p->arena);
    bbi_arena_fini(&p->key_arena);
    bbi_buf_fini(&p->records);
    bbi_buf_fini(&p->encoded);
    bbi_mem_free(p);
}

static void tell(struct bbi_points *p, const uint8_t *line, size_t length, uint64_t number,
                 int code, const char *reason)
{
    p->rejected++;
    if (p->reject != NULL) {
        p->reject(p->reject_arg, number, (const char *)line, length, code, reason);
    }
}

void bbi_points_reject(struct bbi_points *points, size_t point, int code, const char *reason)
{
    const struct bbi_line_ref *line = &points->lines[point];
    tell(points, line->text, line->length, line->number, code, reason);
}

/* Errors of the machine fail the write; those of a line only the line. */
static bool is_fatal(int code)
{
    return code == BB_ENOMEM || code == BB_EIO || code == BB_ENOSPC || code == BB_EREADONLY ||
           code == BB_ECORRUPT || code == BB_EINTERNAL || code == BB_EBUSY ||
           code == BB_ENOTFOUND || code == BB_EVERSION;
}

static int grow_points(struct bbi_points *p, struct bb_error *err)
{
    size_t cap = p->point_cap == 0 ? POINTS_MIN : p->point_cap * 2;
    struct bbi_point *points = bbi_mem_realloc(p->acct, p->batch.points,
                                               cap * sizeof(p->batch.points[0]));
    if (points != NULL) {
        p->batch.points = points;
    }
    struct bbi_line_ref *lines = bbi_mem_realloc(p->acct, p->lines, cap * sizeof(p->lines[0]));
    if (lines != NULL) {
        p->lines = lines;
    }
    if (points == NULL || lines == NULL) {
        return bbi_error_nomem(err, "points of a batch");
    }
    p->point_cap = cap;
    return BB_OK;
}

static int grow_cells(struct bbi_points *p, size_t need, struct bb_error *err)
{
    size_t cap = p->cell_cap == 0 ? POINTS_MIN : p->cell_cap * 2;
    cap = cap < need ? need : cap;
    struct bbi_cell *cells = bbi_mem_realloc(p->acct, p->batch.cells,
                                             cap * sizeof(p->batch.cells[0]));
    if (cells == NULL) {
        return bbi_error_nomem(err, "values of a batch");
    }
    p->batch.cells = cells;
    p->cell_cap = cap;
    return BB_OK;
}

/* As InfluxDB: `time` is the time's own name; a tag must not have it, a field of that name is left
 * out. */
static bool is_time(const uint8_t *name, size_t length)
{
    return length == 4 && memcmp(name, "time", 4) == 0;
}

/* A line of which no field is left. */
static int refuse_time(struct bbi_points *p, const struct bbi_lp_line *line, struct bb_error *err)
{
    struct bbi_lp_key key;
    int rc = bbi_lp_key_parse(line->key, line->key_length, &p->key_arena, &key, err);
    return rc != BB_OK
               ? rc
               : bbi_error_set(err, BB_EINVAL,
                               "invalid field name: input field \"time\" on measurement \"%.*s\" "
                               "is invalid",
                               (int)key.measurement_length, (const char *)key.measurement);
}

/* The slow way to a series: take the key apart and ask the catalog; remember the answer. */
static int resolve_key(struct bbi_points *p, struct bbi_catalog *catalog,
                       struct bbi_series_cache *cache, struct bbi_hash128 hash,
                       const struct bbi_lp_line *line, struct bbi_point *point,
                       struct bb_error *err)
{
    struct bbi_lp_key key;
    bool created;
    int rc = bbi_lp_key_parse(line->key, line->key_length, &p->key_arena, &key, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bbi_tag *tags = bbi_arena_zalloc(&p->key_arena, key.tag_count, sizeof(tags[0]));
    if (tags == NULL) {
        return bbi_error_nomem(err, "tags of a series");
    }
    for (uint32_t i = 0; i < key.tag_count; i++) {
        if (is_time(key.tags[i].key, key.tags[i].key_length)) {
            return bbi_error_set(err, BB_EINVAL,
                                 "invalid tag key: input tag \"time\" on measurement \"%.*s\" is "
                                 "invalid",
                                 (int)key.measurement_length, (const char *)key.measurement);
        }
        tags[i].key = key.tags[i].key;
        tags[i].key_len = key.tags[i].key_length;
        tags[i].value = key.tags[i].value;
        tags[i].value_len = key.tags[i].value_length;
    }
    rc = bbi_catalog_series_resolve(catalog, p->batch.db_id, key.measurement,
                                    key.measurement_length, tags, key.tag_count,
                                    &point->measurement_id, &point->series_id, &created, err);
    if (rc == BB_OK) {
        bbi_series_cache_unlock(cache);
        bbi_series_cache_write_lock(cache);
        bbi_series_cache_put(cache, p->epoch, hash, point->series_id, point->measurement_id);
        bbi_series_cache_unlock(cache);
        bbi_series_cache_read_lock(cache);
    }
    return rc;
}

static int resolve_series(struct bbi_points *p, struct bbi_catalog *catalog,
                          struct bbi_series_cache *cache, const struct bbi_lp_line *line,
                          const struct bbi_key_ahead *ahead, struct bbi_point *point,
                          struct bb_error *err)
{
    struct bbi_hash128 hash = ahead->hash;
    if (ahead->key != line->key || ahead->length != line->key_length) {
        hash = bbi_series_cache_hash(cache, p->batch.db_id, line->key, line->key_length);
    }
    bool known = bbi_series_cache_get(cache, hash, &point->series_id, &point->measurement_id);
    return known ? BB_OK : resolve_key(p, catalog, cache, hash, line, point, err);
}

static bool slot_is(const struct memo_slot *slot, uint32_t db_id, uint32_t mid,
                    const struct bbi_lp_field *field)
{
    return slot->db_id == db_id && slot->measurement_id == mid &&
           slot->name_length == field->name_length &&
           memcmp(slot->name, field->name, field->name_length) == 0;
}

static void memo_clear(struct bbi_field_memo *memo)
{
    memset(memo->slots, 0, sizeof(memo->slots));
    memo->used = 0;
    memo->previous_count = 0;
    bbi_arena_reset(&memo->names);
}

/* The raw name's slot, or the free one where it belongs. */
static struct memo_slot *memo_find(struct bbi_field_memo *memo, uint32_t db_id, uint32_t mid,
                                   const struct bbi_lp_field *field)
{
    size_t at = (size_t)bbi_hash64_seed(field->name, field->name_length, mid) % MEMO_SLOTS;
    while (memo->slots[at].db_id != 0 && !slot_is(&memo->slots[at], db_id, mid, field)) {
        at = (at + 1) % MEMO_SLOTS;
    }
    return &memo->slots[at];
}

static int memo_fill(struct bbi_points *p, struct bbi_catalog *catalog, uint32_t mid,
                     const struct bbi_lp_field *field, struct memo_slot *slot, struct bb_error *err)
{
    struct bbi_field_memo *memo = p->memo;
    uint8_t *plain = bbi_arena_alloc(&p->key_arena, field->name_length);
    if (plain == NULL) {
        return bbi_error_nomem(err, "field name");
    }
    size_t length = field->name_length;
    memcpy(plain, field->name, length);
    if (field->name_escaped) {
        length = bbi_lp_unescape_name(plain, length, plain);
    }
    uint32_t field_id;
    int rc = bbi_catalog_field_resolve(catalog, p->batch.db_id, mid, plain, length, field->type,
                                       &field_id, err);
    if (rc == BB_ENOTFOUND && bbi_catalog_was_measurement(catalog, p->batch.db_id, mid)) {
        p->is_stale = true; /* not before the rest of the batch has been looked at */
    }
    if (rc != BB_OK) {
        return rc;
    }
    uint8_t *name = bbi_arena_dup(&memo->names, field->name, field->name_length);
    if (name == NULL) {
        return bbi_error_nomem(err, "field name");
    }
    *slot = (struct memo_slot){.db_id = p->batch.db_id,
                               .measurement_id = mid,
                               .field_id = field_id,
                               .name_length = field->name_length,
                               .name = name,
                               .type = field->type};
    memo->used++;
    return BB_OK;
}

static int resolve_field(struct bbi_points *p, struct bbi_catalog *catalog, uint32_t mid,
                         const struct bbi_lp_field *field, size_t k, struct bbi_cell *cell,
                         struct bb_error *err)
{
    struct bbi_field_memo *memo = p->memo;
    const struct memo_slot *slot = k < memo->previous_count ? memo->previous[k] : NULL;
    if (slot == NULL || !slot_is(slot, p->batch.db_id, mid, field)) {
        if (memo->used >= MEMO_SLOTS / 2) {
            memo_clear(memo);
        }
        struct memo_slot *found = memo_find(memo, p->batch.db_id, mid, field);
        int rc = found->db_id != 0 ? BB_OK : memo_fill(p, catalog, mid, field, found, err);
        if (rc != BB_OK) {
            return rc;
        }
        slot = found;
        memo->previous[k] = slot;
        memo->previous_count = k < memo->previous_count ? memo->previous_count : k + 1;
    }
    cell->field_id = slot->field_id;
    if (slot->type != field->type) {
        uint32_t unused;
        uint8_t *plain = bbi_arena_dup(&p->key_arena, field->name, field->name_length);
        if (plain == NULL) {
            return bbi_error_nomem(err, "field name");
        }
        size_t length = field->name_escaped ? bbi_lp_unescape_name(plain, field->name_length, plain)
                                            : field->name_length;
        return bbi_catalog_field_resolve(catalog, p->batch.db_id, mid, plain, length, field->type,
                                         &unused, err);
    }
    return BB_OK;
}

static int take_value(struct bbi_points *p, const struct bbi_lp_field *field, struct bbi_cell *cell,
                      struct bb_error *err)
{
    cell->type = field->type;
    cell->length = field->length;
    if (field->type != BBI_STRING) {
        cell->v.bits = field->v.bits;
        return BB_OK;
    }
    cell->v.str = field->v.str;
    if (field->string_escaped) {
        uint8_t *plain = bbi_arena_alloc(&p->arena, field->length);
        if (plain == NULL) {
            return bbi_error_nomem(err, "string value");
        }
        cell->length = (uint32_t)bbi_lp_unescape_string(field->v.str, field->length, plain);
        cell->v.str = plain;
    }
    return BB_OK;
}

static struct bbi_line_ref ref_of(const struct bbi_lp_line *line)
{
    return (struct bbi_line_ref){.text = line->text,
                                 .length = (uint32_t)line->length,
                                 .key_length = (uint16_t)line->key_length,
                                 .has_time = line->has_time,
                                 .number = line->line_number};
}

static int add_line(struct bbi_points *p, struct bbi_catalog *catalog,
                    struct bbi_series_cache *cache, const struct bbi_lp_line *line,
                    const struct bbi_key_ahead *ahead, struct bb_error *err)
{
    struct bbi_batch *batch = &p->batch;
    bbi_arena_reset(&p->key_arena);
    if (batch->point_count == p->point_cap && grow_points(p, err) != BB_OK) {
        return err->code;
    }
    if (line->field_count > p->cell_cap - batch->cell_count &&
        grow_cells(p, batch->cell_count + line->field_count, err) != BB_OK) {
        return err->code;
    }
    struct bbi_point *point = &batch->points[batch->point_count];
    point->time_ns = line->time_ns;
    point->cell_first = (uint32_t)batch->cell_count;
    int rc = resolve_series(p, catalog, cache, line, ahead, point, err);
    struct bbi_cell *cells = batch->cells + batch->cell_count;
    point->cell_count = 0;
    for (uint32_t k = 0; rc == BB_OK && k < line->field_count; k++) {
        const struct bbi_lp_field *field = &line->fields[k];
        if (is_time(field->name, field->name_length)) {
            continue;
        }
        struct bbi_cell *cell = &cells[point->cell_count++];
        rc = resolve_field(p, catalog, point->measurement_id, field, k, cell, err);
        rc = rc == BB_OK ? take_value(p, field, cell, err) : rc;
    }
    if (rc == BB_OK && point->cell_count == 0) {
        rc = refuse_time(p, line, err);
    }
    if (rc == BB_OK) {
        p->lines[batch->point_count++] = ref_of(line);
        batch->cell_count += point->cell_count;
    }
    return rc;
}

/* Hash the key of the line that comes after the parsed one, so that its place in the cache is on
 * its way from memory while this line is worked on. A key with an escaped blank is hashed again in
 * its turn. */
static void look_ahead(struct bbi_points *p, const struct bbi_series_cache *cache,
                       const struct bbi_lp_parser *parser)
{
    size_t left = (size_t)(parser->end - parser->at);
    const uint8_t *blank = memchr(parser->at, ' ', left < AHEAD_BYTES ? left : AHEAD_BYTES);
    p->ahead.key = NULL;
    if (blank != NULL) {
        p->ahead.key = parser->at;
        p->ahead.length = (size_t)(blank - parser->at);
        p->ahead.hash = bbi_series_cache_hash(cache, p->batch.db_id, p->ahead.key, p->ahead.length);
        bbi_series_cache_prefetch(cache, p->ahead.hash);
    }
}

/* Under the cache's read lock, which a new series gives up for a moment. */
static int build_lines(struct bbi_points *points, struct bbi_catalog *catalog,
                       struct bbi_series_cache *cache, struct bbi_lp_parser *parser,
                       struct bb_error *err)
{
    struct bbi_lp_line line;
    int rc;
    while ((rc = bbi_lp_next(parser, &line, err)) != BBI_LP_END) {
        if (rc == BB_OK) {
            struct bbi_key_ahead ahead = points->ahead;
            look_ahead(points, cache, parser);
            rc = add_line(points, catalog, cache, &line, &ahead, err);
        }
        if (rc == BB_ENOTFOUND && points->is_stale) {
            continue;
        }
        if (rc != BB_OK && is_fatal(rc)) {
            return rc;
        }
        if (rc != BB_OK) {
            tell(points, line.text, line.length, line.line_number, rc, err->text);
        }
    }
    return BB_OK;
}

static void begin(struct bbi_points *points, const struct bb_write *write,
                  const struct bbi_piece *piece, struct bbi_lp_parser *parser)
{
    points->batch.point_count = 0;
    points->batch.cell_count = 0;
    points->rejected = 0;
    points->is_stale = false;
    points->reject = write->reject;
    points->reject_arg = write->reject_arg;
    bbi_arena_reset(&points->arena);
    bbi_buf_reset(&points->records);
    bbi_lp_init(parser, points->fields, write->precision_ns, write->now_ns);
    parser->newline_ends = write->newline_ends_line;
    parser->line_number = piece->lines + 1;
    parser->skipping = piece->cutting;
    bbi_lp_feed(parser, write->lines, write->lines_length, piece->last);
}

static void end(const struct bbi_lp_parser *parser, struct bbi_piece *piece)
{
    piece->lines = parser->line_number - 1;
    piece->cutting = parser->skipping;
    piece->left_over = bbi_lp_rest(parser);
}

int bbi_points_scan(struct bbi_points *points, const struct bb_write *write,
                    struct bbi_piece *piece, uint64_t *good, struct bb_error *err)
{
    struct bbi_lp_parser parser;
    struct bbi_lp_line line;
    int rc;
    *good = 0;
    begin(points, write, piece, &parser);
    while ((rc = bbi_lp_next(&parser, &line, err)) != BBI_LP_END) {
        if (rc == BB_OK) {
            (*good)++;
        } else if (is_fatal(rc)) {
            return rc;
        } else {
            tell(points, line.text, line.length, line.line_number, rc, err->text);
        }
    }
    end(&parser, piece);
    return BB_OK;
}

int bbi_points_build(struct bbi_points *points, struct bbi_catalog *catalog,
                     struct bbi_series_cache *cache, const struct bbi_rp *rp,
                     const struct bb_write *write, struct bbi_piece *piece, struct bb_error *err)
{
    struct bbi_lp_parser parser;
    points->batch.db_id = rp->db_id;
    points->batch.rp_id = rp->id;
    begin(points, write, piece, &parser);
    points->ahead.key = NULL;
    bbi_series_cache_read_lock(cache);
    if (points->epoch != bbi_series_cache_epoch(cache)) {
        points->epoch = bbi_series_cache_epoch(cache);
        memo_clear(points->memo);
    }
    int rc = build_lines(points, catalog, cache, &parser, err);
    bbi_series_cache_unlock(cache);
    end(&parser, piece);
    return rc;
}

void bbi_points_close_gaps(struct bbi_points *points)
{
    struct bbi_batch *batch = &points->batch;
    size_t at = 0;
    for (size_t i = 0; i < batch->point_count; i++) {
        struct bbi_point *point = &batch->points[i];
        if (point->cell_first != at) {
            memmove(&batch->cells[at], &batch->cells[point->cell_first],
                    point->cell_count * sizeof(batch->cells[0]));
            point->cell_first = (uint32_t)at;
        }
        at += point->cell_count;
    }
    batch->cell_count = at;
}

size_t bbi_points_bytes(const struct bbi_points *points)
{
    return points->point_cap * (sizeof(struct bbi_point) + sizeof(struct bbi_line_ref)) +
           points->cell_cap * sizeof(struct bbi_cell) + points->encoded.cap + points->records.cap;
}
