#include "client/import_map.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/import_map_internal.h"

static const struct {
    const char *word;
    enum column_role role;
} roles[] = {{"time", COLUMN_TIME}, {"measurement", COLUMN_MEASUREMENT},
             {"tag", COLUMN_TAG},   {"field", COLUMN_FIELD},
             {"skip", COLUMN_SKIP}, {"wide", COLUMN_WIDE}};

static const char *const type_names[] = {"?", "float", "int", "uint", "bool", "string"};

bool map_fail(char *error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error, MAP_ERROR_MAX, fmt, args);
    va_end(args);
    return false;
}

bool map_set_name(char **name, const char *text, size_t len)
{
    free(*name);
    *name = strndup(text, len);
    return *name != NULL;
}

bool map_init(struct map *map, const struct csv_field *names, unsigned count)
{
    *map = (struct map){.count = count, .time_columns = {-1, -1}};
    map->columns = calloc(count == 0 ? 1 : count, sizeof(*map->columns));
    if (map->columns == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        const char *text = names[i].text;
        size_t len = names[i].len;
        for (; len > 0 && (*text == ' ' || *text == '\t'); text++)
            len--;
        while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
            len--;
        char number[32];
        if (len == 0) {
            len = (size_t)snprintf(number, sizeof(number), "column%u", i + 1);
            text = number;
        }
        if (!map_set_name(&map->columns[i].header, text, len))
            return false;
    }
    return true;
}

void map_fini(struct map *map)
{
    for (unsigned i = 0; i < map->count && map->columns != NULL; i++) {
        free(map->columns[i].header);
        free(map->columns[i].name);
    }
    free(map->columns);
    free(map->wide_tag);
    *map = (struct map){0};
}

/* ---- items ---- */

struct item {
    const char *column, *role_text, *end;
    size_t column_len;
    enum column_role role;
    const char *argument[2]; /* behind the role's colons; NULL: not there */
    size_t argument_len[2];
};

/** The role that stands at `text`, with a colon, a comma or the end behind it. */
static enum column_role role_at(const char *text, size_t *len)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        *len = strlen(roles[i].word);
        if (strncmp(text, roles[i].word, *len) == 0 &&
            (text[*len] == '\0' || text[*len] == ':' || text[*len] == ','))
            return roles[i].role;
    }
    return COLUMN_UNKNOWN;
}

/** The '=' in front of a role, before `end`; NULL if there is none. */
static const char *find_role(const char *from, const char *end)
{
    size_t len;
    for (const char *at = from; at < end; at++) {
        if (*at == '=' && role_at(at + 1, &len) != COLUMN_UNKNOWN)
            return at;
    }
    return NULL;
}

/** The comma behind which a next item stands, or the end: a time's pattern may hold commas. */
static const char *item_end(const char *from)
{
    const char *end = from + strlen(from);
    for (const char *comma = strchr(from, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        const char *next = strchr(comma + 1, ',');
        if (find_role(comma + 1, next == NULL ? end : next) != NULL)
            return comma;
    }
    return end;
}

static bool parse_item(const char *spec, struct item *item, char *error)
{
    *item = (struct item){.column = spec, .end = spec + strlen(spec)};
    const char *equals = find_role(spec, item->end);
    if (equals == NULL || equals == spec)
        return map_fail(error,
                        "--map %s: write COLUMN=ROLE, where ROLE is time, measurement, tag, "
                        "field, wide or skip",
                        spec);
    item->column_len = (size_t)(equals - spec);
    size_t len;
    item->role = role_at(equals + 1, &len);
    item->role_text = equals + 1;
    item->end = item_end(equals + 1 + len);
    const char *at = equals + 1 + len;
    bool one = item->role == COLUMN_TIME; /* a pattern holds colons */
    for (int i = 0; i < 2 && at < item->end && *at == ':'; i++) {
        const char *colon = i == 1 || one ? NULL
                                          : memchr(at + 1, ':', (size_t)(item->end - at - 1));
        const char *stop = colon == NULL ? item->end : colon;
        item->argument[i] = at + 1;
        item->argument_len[i] = (size_t)(stop - at - 1);
        at = stop;
    }
    return true;
}

static bool same_name(const char *header, const char *text, size_t len)
{
    return strlen(header) == len && strncasecmp(header, text, len) == 0;
}

/** The column of this name or #N; -1 if there is none. */
static int find_column(const struct map *map, const char *text, size_t len)
{
    for (unsigned i = 0; i < map->count; i++) {
        if (strlen(map->columns[i].header) == len && memcmp(map->columns[i].header, text, len) == 0)
            return (int)i;
    }
    for (unsigned i = 0; i < map->count; i++) {
        if (same_name(map->columns[i].header, text, len))
            return (int)i;
    }
    if (len < 2 || *text != '#')
        return -1;
    long n = 0;
    for (size_t i = 1; i < len && n <= CSV_COLUMNS_MAX; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = n * 10 + (text[i] - '0');
    }
    return n >= 1 && n <= (long)map->count ? (int)n - 1 : -1;
}

static bool unknown_column(const struct map *map, const char *text, size_t len, char *error)
{
    char names[300];
    size_t at = 0;
    names[0] = '\0';
    for (unsigned i = 0; i < map->count && at + 64 < sizeof(names); i++)
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%.40s", i == 0 ? "" : ", ",
                               map->columns[i].header);
    return map_fail(error, "--map: there is no column '%.*s'; the columns are: %s", (int)len, text,
                    names);
}

static bool parse_type(const char *text, size_t len, enum column_type *type, char *error)
{
    for (int i = TYPE_FLOAT; i <= TYPE_STRING; i++) {
        if (strlen(type_names[i]) == len && memcmp(type_names[i], text, len) == 0) {
            *type = (enum column_type)i;
            return true;
        }
    }
    return map_fail(error, "--map: '%.*s' is no type: float, int, uint, bool or string", (int)len,
                    text);
}

static bool apply_time(struct map *map, const struct item *item, char *error)
{
    const char *text = item->column;
    size_t len = item->column_len;
    int first = find_column(map, text, len), second = -1;
    for (size_t i = 1; first < 0 && i + 1 < len; i++) {
        if (text[i] == '+') {
            second = find_column(map, text + i + 1, len - i - 1);
            first = second < 0 ? -1 : find_column(map, text, i);
        }
    }
    if (first < 0)
        return unknown_column(map, text, len, error);
    if (map->time_columns[0] >= 0)
        return map_fail(error, "--map: there are two times; join them: DATE+CLOCK=time");
    map->time_columns[0] = first;
    map->time_columns[1] = second;
    map->columns[first].role = COLUMN_TIME;
    if (second >= 0)
        map->columns[second].role = COLUMN_TIME;
    if (item->argument[0] == NULL)
        return true;
    char spec[TIME_PATTERN_MAX];
    snprintf(spec, sizeof(spec), "%.*s", (int)item->argument_len[0], item->argument[0]);
    map->time_given = strcmp(spec, "auto") != 0;
    return time_format_parse(spec, &map->time, error, MAP_ERROR_MAX);
}

static bool set_column(struct map_column *column, const struct item *item, bool named, char *error)
{
    column->role = item->role;
    if (item->role == COLUMN_SKIP || item->role == COLUMN_MEASUREMENT)
        return true;
    const char *name = column->header;
    size_t len = strlen(name);
    if (item->argument[0] != NULL && item->argument_len[0] > 0 && named) {
        name = item->argument[0];
        len = item->argument_len[0];
    }
    if (!map_set_name(&column->name, name, len))
        return map_fail(error, "out of memory");
    column->type = item->role == COLUMN_FIELD ? TYPE_GUESS : TYPE_STRING;
    if (item->role == COLUMN_FIELD && item->argument[1] != NULL)
        return parse_type(item->argument[1], item->argument_len[1], &column->type, error);
    return true;
}

/** *=wide:TAG:FIELD[:TYPE]; the type stands behind the field's colon. */
static bool apply_wide(struct map *map, const struct item *item, char *error)
{
    enum column_type type = TYPE_FLOAT;
    const char *field = item->argument[1];
    size_t len = item->argument_len[1];
    if (field == NULL || item->argument_len[0] == 0 || len == 0)
        return map_fail(error, "--map: write *=wide:TAG:FIELD, as *=wide:device_id:value");
    const char *colon = memchr(field, ':', len);
    if (colon != NULL) {
        if (!parse_type(colon + 1, len - (size_t)(colon + 1 - field), &type, error))
            return false;
        len = (size_t)(colon - field);
    }
    if (!map_set_name(&map->wide_tag, item->argument[0], item->argument_len[0]))
        return map_fail(error, "out of memory");
    for (unsigned i = 0; i < map->count; i++) {
        struct map_column *column = &map->columns[i];
        if (column->role != COLUMN_UNKNOWN)
            continue;
        column->role = COLUMN_WIDE;
        column->type = type;
        if (!map_set_name(&column->name, field, len))
            return map_fail(error, "out of memory");
    }
    return true;
}

static bool apply_item(struct map *map, const struct item *item, char *error)
{
    bool all = item->column_len == 1 && *item->column == '*';
    if (all && map->star != NULL && map->star != item->column)
        return map_fail(error, "--map: there are two items for *");
    if (item->role == COLUMN_TIME && !all)
        return apply_time(map, item, error);
    if (item->role == COLUMN_TIME || (item->role == COLUMN_WIDE && !all) ||
        (item->role == COLUMN_MEASUREMENT && all))
        return map_fail(error,
                        "--map %.*s=%.*s cannot be: time and measurement are one column, "
                        "wide is *",
                        (int)item->column_len, item->column, (int)(item->end - item->role_text),
                        item->role_text);
    if (all) {
        map->star = item->column;
        return true;
    }
    int column = find_column(map, item->column, item->column_len);
    if (column < 0)
        return unknown_column(map, item->column, item->column_len, error);
    return set_column(&map->columns[column], item, true, error);
}

bool map_apply_star(struct map *map, char *error)
{
    struct item item;
    if (map->star == NULL)
        return true;
    if (!parse_item(map->star, &item, error))
        return false;
    if (item.role == COLUMN_WIDE)
        return apply_wide(map, &item, error);
    for (unsigned i = 0; i < map->count; i++) {
        if (map->columns[i].role == COLUMN_UNKNOWN &&
            !set_column(&map->columns[i], &item, false, error))
            return false;
    }
    return true;
}

bool map_apply(struct map *map, const char *spec, char *error)
{
    struct item item;
    for (const char *at = spec; at != NULL; at = *item.end == ',' ? item.end + 1 : NULL) {
        if (!parse_item(at, &item, error) || !apply_item(map, &item, error))
            return false;
    }
    return true;
}

/* ---- showing ---- */

static void print_column(const struct map *map, unsigned i, FILE *out)
{
    const struct map_column *c = &map->columns[i];
    fprintf(out, "  %-24s ", c->header);
    switch (c->role) {
    case COLUMN_TIME:
        fprintf(out, "time (%s)", time_format_name(&map->time));
        break;
    case COLUMN_MEASUREMENT:
        fputs("measurement", out);
        break;
    case COLUMN_TAG:
        fprintf(out, "tag %s", c->name);
        break;
    case COLUMN_FIELD:
        fprintf(out, "field %s (%s)", c->name, type_names[c->type]);
        break;
    case COLUMN_WIDE:
        fprintf(out, "tag %s=%s, field %s (%s)", map->wide_tag, c->header, c->name,
                type_names[c->type]);
        break;
    default:
        fputs("left out", out);
        break;
    }
    fputs(c->guessed ? "  guessed\n" : "\n", out);
}

void map_print(const struct map *map, FILE *out)
{
    for (unsigned i = 0; i < map->count; i++)
        print_column(map, i, out);
}
