/*
 * What columns mean that nobody named. A guess is shown by --dry-run; a wrong one
 * costs a --map. Names come first, then what the first rows hold:
 *
 *   time         a column of a usual name whose cells are times; `date` and `time` are joined
 *   tag          names of devices, units and places; text that repeats
 *   field        numbers (float), true and false (bool), other text (string)
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/import_map_internal.h"

#define DISTINCT_MAX 64

static const char *const time_names[] = {
    "time",      "timestamp",      "datetime",      "date_time",  "date time",       "ts",
    "utc",       "time_utc",       "timestamp_utc", "dateutc",    "date_utc",        "reading_time",
    "read_time", "interval_start", "start",         "start_time", "settlement_time", "date",
    "period",    "interval_end",   "end_time",      "end"};

static const char *const tag_names[] = {
    "device",   "meter",    "id",        "mpan",     "mprn",     "nmi",    "serial",    "unit",
    "units",    "uom",      "site",      "name",     "location", "region", "zone",      "area",
    "channel",  "phase",    "sensor",    "source",   "type",     "fuel",   "fuel_type", "direction",
    "register", "customer", "household", "building", "host",     "market", "station",   "inverter"};

static const char *const measurement_names[] = {"measurement", "_measurement"};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

static bool is_one_of(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(text, names[i]) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcasecmp(text + n - m, end) == 0;
}

static bool is_id_name(const char *header)
{
    return is_one_of(header, tag_names, COUNT(tag_names)) || ends_with(header, "_id") ||
           ends_with(header, " id") || ends_with(header, "_name") || ends_with(header, "_no") ||
           ends_with(header, " no") || ends_with(header, "_unit") || ends_with(header, " number");
}

bool map_is_null(const struct csv_field *cell)
{
    static const char *const words[] = {"NA", "N/A", "NaN", "null", "None", "-"};
    const char *text = cell->text;
    size_t len = cell->len;
    if (len == 0 || len > 4 || (*text >= '0' && *text <= '9'))
        return len == 0;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strlen(words[i]) == len && strncasecmp(text, words[i], len) == 0)
            return true;
    }
    return false;
}

bool map_is_number(const char *text, size_t len, char decimal)
{
    const char *at = text, *end = text + len;
    while (at < end && *at == ' ')
        at++;
    while (end > at && end[-1] == ' ')
        end--;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    int digits = 0;
    for (; at < end && isdigit((unsigned char)*at); at++)
        digits++;
    if (at < end && *at == decimal) {
        for (at++; at < end && isdigit((unsigned char)*at); at++)
            digits++;
    }
    if (digits > 0 && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        const char *exponent = at;
        while (at < end && isdigit((unsigned char)*at))
            at++;
        if (at == exponent)
            return false;
    }
    return digits > 0 && at == end;
}

static bool is_bool(const struct csv_field *cell)
{
    return (cell->len == 4 && strncasecmp(cell->text, "true", 4) == 0) ||
           (cell->len == 5 && strncasecmp(cell->text, "false", 5) == 0);
}

static const struct csv_field *cell_of(const struct map *map, const struct map_samples *samples,
                                       unsigned row, unsigned column)
{
    return &samples->cells[(size_t)row * map->count + column];
}

/** What one column's cells have in common. */
struct profile {
    unsigned values;     /* that are not missing */
    bool numbers, bools; /* nine tenths of them or more: the others are mistakes to be refused */
    unsigned distinct;   /* counted up to DISTINCT_MAX */
};

static struct profile profile_column(const struct map *map, const struct map_samples *samples,
                                     unsigned column)
{
    struct profile p = {0};
    unsigned numbers = 0, bools = 0;
    const struct csv_field *seen[DISTINCT_MAX];
    for (unsigned row = 0; row < samples->rows; row++) {
        const struct csv_field *cell = cell_of(map, samples, row, column);
        if (map_is_null(cell))
            continue;
        p.values++;
        numbers += map_is_number(cell->text, cell->len, samples->decimal);
        bools += is_bool(cell);
        unsigned i = 0;
        while (i < p.distinct &&
               (seen[i]->len != cell->len || memcmp(seen[i]->text, cell->text, cell->len) != 0))
            i++;
        if (i == p.distinct && p.distinct < DISTINCT_MAX)
            seen[p.distinct++] = cell;
    }
    p.numbers = numbers >= p.values - p.values / 10;
    p.bools = bools >= p.values - p.values / 10;
    return p;
}

/** Whether the cells of a column, with those of `second` behind them if it is one, are times. */
static bool are_times(const struct map *map, const struct map_samples *samples, int first,
                      int second, struct time_format *format, bool *needs_order)
{
    struct time_sample *texts = calloc(samples->rows + 1, sizeof(*texts));
    char *joined = malloc((size_t)samples->rows * TIME_PATTERN_MAX + 1);
    unsigned n = 0;
    bool ok = texts != NULL && joined != NULL;
    for (unsigned row = 0; ok && row < samples->rows; row++) {
        const struct csv_field *a = cell_of(map, samples, row, (unsigned)first);
        const struct csv_field *b = second < 0 ? a : cell_of(map, samples, row, (unsigned)second);
        if (a->len == 0 || b->len == 0)
            continue;
        char *to = joined + (size_t)row * TIME_PATTERN_MAX;
        int len = snprintf(to, TIME_PATTERN_MAX, "%.*s%s%.*s", (int)a->len, a->text,
                           second < 0 ? "" : " ", second < 0 ? 0 : (int)b->len, b->text);
        texts[n++] = (struct time_sample){to, len < TIME_PATTERN_MAX ? (size_t)len : 0};
    }
    ok = ok && time_guess(texts, n, format, needs_order);
    free(texts);
    free(joined);
    return ok;
}

static void take_times(struct map *map, int first, int second, bool guessed)
{
    map->time_columns[0] = first;
    map->time_columns[1] = second;
    map->columns[first].role = COLUMN_TIME;
    map->columns[first].guessed = guessed;
    if (second >= 0) {
        map->columns[second].role = COLUMN_TIME;
        map->columns[second].guessed = guessed;
    }
}

static int free_column(const struct map *map, const char *name)
{
    for (unsigned i = 0; i < map->count; i++) {
        if (map->columns[i].role == COLUMN_UNKNOWN && strcasecmp(map->columns[i].header, name) == 0)
            return (int)i;
    }
    return -1;
}

/** `date` holds the day and `time` or `hour` the time of day. */
static bool guess_joined_time(struct map *map, const struct map_samples *samples)
{
    int date = free_column(map, "date"), clock = free_column(map, "time");
    if (date < 0 || clock < 0 ||
        !are_times(map, samples, date, clock, &map->time, &map->needs_date_order))
        return false;
    take_times(map, date, clock, true);
    return true;
}

static bool guess_time(struct map *map, const struct map_samples *samples)
{
    if (guess_joined_time(map, samples))
        return true;
    for (size_t i = 0; i < COUNT(time_names) + map->count; i++) {
        int column = i < COUNT(time_names) ? free_column(map, time_names[i])
                                           : (int)(i - COUNT(time_names));
        if (column < 0 || map->columns[column].role != COLUMN_UNKNOWN)
            continue;
        /* A number is a time only under a time's name: any column may hold ten digits. */
        bool named = i < COUNT(time_names);
        if (are_times(map, samples, column, -1, &map->time, &map->needs_date_order) &&
            (named || map->time.kind == TIME_AUTO)) {
            take_times(map, column, -1, true);
            return true;
        }
    }
    return false;
}

static enum column_type guess_type(const struct profile *p)
{
    if (p->values == 0 || p->numbers)
        return TYPE_FLOAT;
    return p->bools ? TYPE_BOOL : TYPE_STRING;
}

static bool guess_column(struct map *map, const struct map_samples *samples, unsigned i,
                         char *error)
{
    struct map_column *c = &map->columns[i];
    if (c->role == COLUMN_FIELD && c->type == TYPE_GUESS) {
        struct profile p = profile_column(map, samples, i);
        c->type = guess_type(&p);
    }
    if (c->role != COLUMN_UNKNOWN)
        return true;
    struct profile p = profile_column(map, samples, i);
    bool text = p.values > 0 && !p.numbers && !p.bools;
    bool repeats = p.distinct < DISTINCT_MAX && p.distinct <= p.values / 4 + 1;
    c->guessed = true;
    if (text && is_one_of(c->header, measurement_names, COUNT(measurement_names))) {
        c->role = COLUMN_MEASUREMENT;
        return true;
    }
    c->role = is_id_name(c->header) || (text && repeats) ? COLUMN_TAG : COLUMN_FIELD;
    c->type = c->role == COLUMN_TAG ? TYPE_STRING : guess_type(&p);
    return map_set_name(&c->name, c->header, strlen(c->header)) || map_fail(error, "out of memory");
}

static bool names_are_unique(const struct map *map, char *error)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct map_column *a = &map->columns[i];
        if (a->role == COLUMN_TAG && map->wide_tag != NULL && strcmp(a->name, map->wide_tag) == 0)
            return map_fail(error, "the tag %s is both a column and the names of columns", a->name);
        for (unsigned k = i + 1; k < map->count; k++) {
            const struct map_column *b = &map->columns[k];
            if (a->role == b->role && (a->role == COLUMN_TAG || a->role == COLUMN_FIELD) &&
                strcmp(a->name, b->name) == 0)
                return map_fail(error,
                                "two columns (%u and %u) give the %s %s: rename one by --map",
                                i + 1, k + 1, a->role == COLUMN_TAG ? "tag" : "field", a->name);
        }
    }
    return true;
}

/** A time that was named without a format is guessed from its cells. */
static bool check_time(struct map *map, const struct map_samples *samples, char *error)
{
    if (map->time_columns[0] < 0 && !guess_time(map, samples))
        return map_fail(error,
                        "no column looks like a time: name it with --map COLUMN=time:FORMAT");
    const struct map_column *column = &map->columns[map->time_columns[0]];
    if (!column->guessed && !map->time_given &&
        !are_times(map, samples, map->time_columns[0], map->time_columns[1], &map->time,
                   &map->needs_date_order) &&
        samples->rows > 0) {
        const struct csv_field *cell = cell_of(map, samples, 0, (unsigned)map->time_columns[0]);
        return map_fail(error,
                        "column %s: '%.*s' is no time that is understood: give its format, "
                        "--map %s=time:FORMAT",
                        column->header, cell->len > 40 ? 40 : (int)cell->len, cell->text,
                        column->header);
    }
    if (map->needs_date_order)
        return map_fail(error,
                        "column %s: is the day or the month first? say --map %s=time:dmy or "
                        "--map %s=time:mdy",
                        column->header, column->header, column->header);
    return true;
}

bool map_complete(struct map *map, const struct map_samples *samples, char *error)
{
    unsigned fields = 0, measurements = 0;
    if (!check_time(map, samples, error) || !map_apply_star(map, error))
        return false;
    for (unsigned i = 0; i < map->count; i++) {
        if (!guess_column(map, samples, i, error))
            return false;
        fields += map->columns[i].role == COLUMN_FIELD || map->columns[i].role == COLUMN_WIDE;
        measurements += map->columns[i].role == COLUMN_MEASUREMENT;
    }
    if (fields == 0)
        return map_fail(error, "no column is a field: name one with --map COLUMN=field");
    if (measurements > 1)
        return map_fail(error, "two columns are the measurement");
    return names_are_unique(map, error);
}
