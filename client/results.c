/*
 * Where a value stands decides what it is:
 *
 *   {"results": [{"statement_id": 0,
 *                 "series": [{"name": "m", "tags": {"k": "v"}, "columns": ["time", "x"],
 *                             "values": [[1, 2.5], ...], "partial": true}],
 *                 "messages": [{"level": "warning", "text": "..."}],
 *                 "error": "...", "partial": true}],
 *    "error": "..."}
 *
 * and in a chunked reply one such document follows the other. The places are a stack; what stands
 * at an unknown key is skipped whole, so that a newer server may say more.
 */
#include "client/results.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "client/impl.h"

#define DEPTH_MAX 9
#define NAMES_MAX ((size_t)16 << 20) /* of a series: name, tags, columns */
#define ROW_MAX   ((size_t)64 << 20) /* and of what yajl gathers for one token */
#define SKIP_MAX  1000
#define LIST_MAX  ((size_t)1 << 20)

enum place {
    PLACE_TOP,
    PLACE_DOC,
    PLACE_RESULTS,
    PLACE_RESULT,
    PLACE_SERIES_LIST,
    PLACE_SERIES,
    PLACE_TAGS,
    PLACE_COLUMNS,
    PLACE_VALUES,
    PLACE_ROW,
    PLACE_LIST,
    PLACE_MESSAGES,
    PLACE_MESSAGE,
    PLACE_NONE,
};

enum key {
    KEY_OTHER,
    KEY_RESULTS,
    KEY_ERROR,
    KEY_STATEMENT_ID,
    KEY_SERIES,
    KEY_MESSAGES,
    KEY_NAME,
    KEY_TAGS,
    KEY_COLUMNS,
    KEY_VALUES,
    KEY_PARTIAL,
    KEY_LEVEL,
    KEY_TEXT,
};

static const struct {
    const char *name;
    int place;
    int key;
} key_table[] = {
    {"results", PLACE_DOC, KEY_RESULTS},
    {"error", PLACE_DOC, KEY_ERROR},
    {"statement_id", PLACE_RESULT, KEY_STATEMENT_ID},
    {"series", PLACE_RESULT, KEY_SERIES},
    {"messages", PLACE_RESULT, KEY_MESSAGES},
    {"error", PLACE_RESULT, KEY_ERROR},
    {"name", PLACE_SERIES, KEY_NAME},
    {"tags", PLACE_SERIES, KEY_TAGS},
    {"columns", PLACE_SERIES, KEY_COLUMNS},
    {"values", PLACE_SERIES, KEY_VALUES},
    {"partial", PLACE_SERIES, KEY_PARTIAL},
    {"level", PLACE_MESSAGE, KEY_LEVEL},
    {"text", PLACE_MESSAGE, KEY_TEXT},
};

/* Where a map or an array leads, by the place and key at which it stands. */
static const struct {
    bool map;
    int place;
    int key;
    int to;
} step_table[] = {
    {true, PLACE_TOP, KEY_OTHER, PLACE_DOC},
    {false, PLACE_DOC, KEY_RESULTS, PLACE_RESULTS},
    {true, PLACE_RESULTS, KEY_OTHER, PLACE_RESULT},
    {false, PLACE_RESULT, KEY_SERIES, PLACE_SERIES_LIST},
    {true, PLACE_SERIES_LIST, KEY_OTHER, PLACE_SERIES},
    {true, PLACE_SERIES, KEY_TAGS, PLACE_TAGS},
    {false, PLACE_SERIES, KEY_COLUMNS, PLACE_COLUMNS},
    {false, PLACE_SERIES, KEY_VALUES, PLACE_VALUES},
    {false, PLACE_VALUES, KEY_OTHER, PLACE_ROW},
    {false, PLACE_ROW, KEY_OTHER, PLACE_LIST},
    {false, PLACE_RESULT, KEY_MESSAGES, PLACE_MESSAGES},
    {true, PLACE_MESSAGES, KEY_OTHER, PLACE_MESSAGE},
};

/* Strings behind each other in one text, with their offsets: pointers are made when all stand. */
struct strings {
    struct text bytes;
    struct text offsets; /* of size_t */
    size_t count;
};

struct bbc_results {
    const struct bb_client_handler *handler;
    yajl_handle yajl;
    int kind; /* why feeding ended */
    const char *what;
    bool document;  /* at least one began */
    size_t pending; /* bytes since the last event: what yajl may hold of a token */

    int places[DEPTH_MAX];
    int depth;
    unsigned skip; /* levels inside something unknown */
    int key;

    unsigned statement;
    bool any_told;
    unsigned told; /* the last statement that was; its chunks come in several documents */
    bool series_told;
    bool series_partial, last_partial;
    unsigned last_statement;
    bool time_first;
    struct text name;
    struct strings tag_keys, tag_values, columns;
    struct text pointers; /* of const char *, for a callback */
    struct text row;      /* the cells' bytes */
    struct text list;     /* of a cell, "[a b]" */
    struct text cells;    /* of struct bb_client_cell, text by offset until the row is whole */
    struct text level, message, error;
};

static int stop(struct bbc_results *r, int kind, const char *what)
{
    if (r->kind == BB_CLIENT_OK) {
        r->kind = kind;
        r->what = what;
    }
    return 0;
}

/* The result of a callback for yajl: 0 ends parsing. */
static int called(struct bbc_results *r, int result)
{
    return result == 0 ? 1 : stop(r, BB_CLIENT_CANCELED, "canceled");
}

static void strings_init(struct strings *s)
{
    text_init(&s->bytes, NAMES_MAX);
    text_init(&s->offsets, LIST_MAX * sizeof(size_t));
    s->count = 0;
}

static void strings_fini(struct strings *s)
{
    text_fini(&s->bytes);
    text_fini(&s->offsets);
}

static void strings_clear(struct strings *s)
{
    text_clear(&s->bytes);
    text_clear(&s->offsets);
    s->count = 0;
}

static bool strings_add(struct strings *s, const void *data, size_t n)
{
    size_t at = s->bytes.len;
    text_put(&s->offsets, &at, sizeof(at));
    text_put(&s->bytes, data, n);
    text_putc(&s->bytes, '\0');
    s->count++;
    return !s->bytes.failed && !s->offsets.failed;
}

static void strings_point(const struct strings *s, struct text *pointers)
{
    for (size_t i = 0; i < s->count; i++) {
        size_t at;
        memcpy(&at, s->offsets.data + i * sizeof(at), sizeof(at));
        const char *p = s->bytes.data + at;
        text_put(pointers, &p, sizeof(p));
    }
}

static int place_of(const struct bbc_results *r)
{
    return r->depth == 0 ? PLACE_TOP : r->places[r->depth - 1];
}

static int tell_statement(struct bbc_results *r)
{
    if (r->any_told && r->told == r->statement)
        return 1;
    r->any_told = true;
    r->told = r->statement;
    const struct bb_client_handler *h = r->handler;
    return h->statement == NULL ? 1 : called(r, h->statement(h->arg, r->statement));
}

static int tell_series(struct bbc_results *r)
{
    r->series_told = true;
    if (!tell_statement(r))
        return 0;
    text_clear(&r->pointers);
    strings_point(&r->tag_keys, &r->pointers);
    strings_point(&r->tag_values, &r->pointers);
    strings_point(&r->columns, &r->pointers);
    if (r->pointers.failed)
        return stop(r, BB_CLIENT_NOMEM, "out of memory");
    const char *const *p = (const char *const *)(void *)r->pointers.data;
    size_t tags = r->tag_values.count;
    struct bb_client_series series = {
        .statement = r->statement,
        .name = text_get(&r->name),
        .tag_keys = p,
        .tag_values = p + (p != NULL ? tags : 0),
        .tag_count = tags,
        .columns = p + (p != NULL ? 2 * tags : 0),
        .column_count = r->columns.count,
        .continued = r->last_partial && r->last_statement == r->statement,
    };
    r->time_first = series.column_count > 0 && strcmp(series.columns[0], "time") == 0;
    const struct bb_client_handler *h = r->handler;
    return h->series == NULL ? 1 : called(r, h->series(h->arg, &series));
}

static int tell_row(struct bbc_results *r)
{
    size_t n = r->cells.len / sizeof(struct bb_client_cell);
    if (n != r->columns.count)
        return stop(r, BB_CLIENT_PROTOCOL, "a row has another number of values than columns");
    struct bb_client_cell *cells = (struct bb_client_cell *)(void *)r->cells.data;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        cells[i].text = r->row.data + at;
        at += cells[i].len + 1;
    }
    const struct bb_client_handler *h = r->handler;
    return h->row == NULL ? 1 : called(r, h->row(h->arg, cells, n));
}

static int add_cell(struct bbc_results *r, int kind, const void *data, size_t n)
{
    if (r->time_first && r->cells.len == 0 && kind != BB_CLIENT_CELL_NULL)
        kind = BB_CLIENT_CELL_TIME;
    struct bb_client_cell cell = {.kind = kind, .len = n};
    text_put(&r->row, data, n);
    text_putc(&r->row, '\0');
    text_put(&r->cells, &cell, sizeof(cell));
    if (r->row.failed || r->cells.failed)
        return stop(r, BB_CLIENT_NOMEM, "out of memory for a row");
    return 1;
}

static int add_to_list(struct bbc_results *r, const void *data, size_t n)
{
    if (r->list.len > 1)
        text_putc(&r->list, ' ');
    text_put(&r->list, data, n);
    return r->list.failed ? stop(r, BB_CLIENT_NOMEM, "out of memory for a row") : 1;
}

static int add_list(struct bbc_results *r)
{
    text_putc(&r->list, ']');
    if (r->list.failed)
        return stop(r, BB_CLIENT_NOMEM, "out of memory for a row");
    return add_cell(r, BB_CLIENT_CELL_LIST, r->list.data, r->list.len);
}

static int keep(struct bbc_results *r, struct text *to, const void *data, size_t n)
{
    text_clear(to);
    text_put(to, data, n);
    return to->failed ? stop(r, BB_CLIENT_NOMEM, "a name is too long") : 1;
}

static int tell_error(struct bbc_results *r, const void *data, size_t n)
{
    if (!keep(r, &r->error, data, n) || !tell_statement(r))
        return 0;
    const struct bb_client_handler *h = r->handler;
    if (h->statement_error == NULL)
        return 1;
    return called(r, h->statement_error(h->arg, r->statement, text_get(&r->error)));
}

static int on_string(void *arg, const unsigned char *data, size_t n)
{
    struct bbc_results *r = arg;
    r->pending = 0;
    if (r->skip > 0)
        return 1;
    switch (place_of(r)) {
    case PLACE_ROW:
        return add_cell(r, BB_CLIENT_CELL_STRING, data, n);
    case PLACE_LIST:
        return add_to_list(r, data, n);
    case PLACE_COLUMNS:
        return strings_add(&r->columns, data, n) ? 1 : stop(r, BB_CLIENT_NOMEM, "too many columns");
    case PLACE_TAGS:
        return strings_add(&r->tag_values, data, n) ? 1 : stop(r, BB_CLIENT_NOMEM, "long tags");
    case PLACE_SERIES:
        return r->key == KEY_NAME ? keep(r, &r->name, data, n) : 1;
    case PLACE_RESULT:
        return r->key == KEY_ERROR ? tell_error(r, data, n) : 1;
    case PLACE_DOC:
        if (r->key != KEY_ERROR || !keep(r, &r->error, data, n))
            return r->kind == BB_CLIENT_OK;
        return stop(r, BB_CLIENT_SERVER, text_get(&r->error));
    case PLACE_MESSAGE:
        if (r->key == KEY_LEVEL)
            return keep(r, &r->level, data, n);
        return r->key == KEY_TEXT ? keep(r, &r->message, data, n) : 1;
    case PLACE_TOP:
        return stop(r, BB_CLIENT_PROTOCOL, "the reply is no result of a query");
    default:
        return stop(r, BB_CLIENT_PROTOCOL, "a text where none belongs");
    }
}

static int on_number(void *arg, const char *data, size_t n)
{
    struct bbc_results *r = arg;
    r->pending = 0;
    if (r->skip > 0)
        return 1;
    int place = place_of(r);
    if (place == PLACE_ROW)
        return add_cell(r, BB_CLIENT_CELL_NUMBER, data, n);
    if (place == PLACE_LIST)
        return add_to_list(r, data, n);
    if (place == PLACE_RESULT && r->key == KEY_STATEMENT_ID) {
        char digits[16] = "";
        if (n < sizeof(digits))
            memcpy(digits, data, n);
        r->statement = (unsigned)strtoul(digits, NULL, 10);
        return tell_statement(r);
    }
    if (place == PLACE_TOP || place == PLACE_COLUMNS || place == PLACE_TAGS)
        return stop(r, BB_CLIENT_PROTOCOL, "a number where none belongs");
    return 1;
}

static int on_boolean(void *arg, int value)
{
    struct bbc_results *r = arg;
    r->pending = 0;
    if (r->skip > 0)
        return 1;
    if (place_of(r) == PLACE_ROW)
        return add_cell(r, BB_CLIENT_CELL_BOOL, value ? "true" : "false", value ? 4 : 5);
    if (place_of(r) == PLACE_SERIES && r->key == KEY_PARTIAL)
        r->series_partial = value != 0;
    return 1;
}

static int on_null(void *arg)
{
    struct bbc_results *r = arg;
    r->pending = 0;
    if (r->skip == 0 && place_of(r) == PLACE_ROW)
        return add_cell(r, BB_CLIENT_CELL_NULL, "", 0);
    return 1;
}

static int on_key(void *arg, const unsigned char *data, size_t n)
{
    struct bbc_results *r = arg;
    r->pending = 0;
    if (r->skip > 0)
        return 1;
    int place = place_of(r);
    r->key = KEY_OTHER;
    if (place == PLACE_TAGS) {
        if (r->tag_keys.count != r->tag_values.count)
            return stop(r, BB_CLIENT_PROTOCOL, "a tag without a text");
        return strings_add(&r->tag_keys, data, n) ? 1 : stop(r, BB_CLIENT_NOMEM, "long tags");
    }
    for (size_t i = 0; i < sizeof(key_table) / sizeof(key_table[0]); i++)
        if (key_table[i].place == place && strlen(key_table[i].name) == n &&
            memcmp(key_table[i].name, data, n) == 0)
            r->key = key_table[i].key;
    return 1;
}

static int enter(struct bbc_results *r, int to)
{
    switch (to) {
    case PLACE_DOC:
        r->document = true;
        r->statement = 0;
        break;
    case PLACE_SERIES:
        r->series_told = false;
        r->series_partial = false;
        text_clear(&r->name);
        strings_clear(&r->tag_keys);
        strings_clear(&r->tag_values);
        strings_clear(&r->columns);
        break;
    case PLACE_VALUES:
        if (r->columns.count == 0)
            return stop(r, BB_CLIENT_PROTOCOL, "values come before their columns");
        return tell_series(r);
    case PLACE_ROW:
        text_clear(&r->row);
        text_clear(&r->cells);
        break;
    case PLACE_LIST:
        text_clear(&r->list);
        text_putc(&r->list, '[');
        break;
    case PLACE_MESSAGE:
        text_clear(&r->level);
        text_clear(&r->message);
        break;
    default:
        break;
    }
    return 1;
}

static int begin(struct bbc_results *r, bool map)
{
    r->pending = 0;
    if (r->skip >= SKIP_MAX)
        return stop(r, BB_CLIENT_PROTOCOL, "the reply nests too deep");
    if (r->skip > 0) {
        r->skip++;
        return 1;
    }
    int place = place_of(r), to = PLACE_NONE;
    bool by_key = place == PLACE_DOC || place == PLACE_RESULT || place == PLACE_SERIES;
    for (size_t i = 0; i < sizeof(step_table) / sizeof(step_table[0]); i++)
        if (step_table[i].map == map && step_table[i].place == place &&
            (!by_key || step_table[i].key == r->key))
            to = step_table[i].to;
    if (to == PLACE_NONE) {
        if (by_key && r->key == KEY_OTHER) {
            r->skip = 1;
            return 1;
        }
        return stop(r, BB_CLIENT_PROTOCOL, "the reply is no result of a query");
    }
    r->places[r->depth++] = to;
    r->key = KEY_OTHER;
    return enter(r, to);
}

static int on_start_map(void *arg)
{
    return begin(arg, true);
}

static int on_start_array(void *arg)
{
    return begin(arg, false);
}

static int on_end(void *arg)
{
    struct bbc_results *r = arg;
    r->pending = 0;
    if (r->skip > 0) {
        r->skip--;
        return 1;
    }
    int place = r->places[--r->depth];
    const struct bb_client_handler *h = r->handler;
    switch (place) {
    case PLACE_LIST:
        return add_list(r);
    case PLACE_ROW:
        return tell_row(r);
    case PLACE_TAGS:
        if (r->tag_keys.count != r->tag_values.count)
            return stop(r, BB_CLIENT_PROTOCOL, "a tag without a text");
        return 1;
    case PLACE_SERIES:
        if (!r->series_told && !tell_series(r))
            return 0;
        r->last_partial = r->series_partial;
        r->last_statement = r->statement;
        return 1;
    case PLACE_MESSAGE:
        if (h->message == NULL)
            return 1;
        return called(r, h->message(h->arg, text_get(&r->level), text_get(&r->message)));
    case PLACE_RESULT:
        if (!tell_statement(r))
            return 0;
        r->statement++;
        return 1;
    default:
        return 1;
    }
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

struct bbc_results *bbc_results_create(const struct bb_client_handler *handler)
{
    static const struct bb_client_handler nothing;
    struct bbc_results *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->handler = handler != NULL ? handler : &nothing;
    text_init(&r->name, NAMES_MAX);
    strings_init(&r->tag_keys);
    strings_init(&r->tag_values);
    strings_init(&r->columns);
    text_init(&r->pointers, 4 * LIST_MAX * sizeof(char *));
    text_init(&r->row, ROW_MAX);
    text_init(&r->list, ROW_MAX);
    text_init(&r->cells, LIST_MAX * sizeof(struct bb_client_cell));
    text_init(&r->level, NAMES_MAX);
    text_init(&r->message, NAMES_MAX);
    text_init(&r->error, NAMES_MAX);
    r->yajl = yajl_alloc(&callbacks, NULL, r);
    if (r->yajl == NULL) {
        bbc_results_destroy(&r);
        return NULL;
    }
    yajl_config(r->yajl, yajl_allow_multiple_values, 1);
    /* Tags and strings are what the writer sent, whether valid UTF-8 or not. */
    yajl_config(r->yajl, yajl_dont_validate_strings, 1);
    return r;
}

void bbc_results_destroy(struct bbc_results **results)
{
    struct bbc_results *r = *results;
    if (r == NULL)
        return;
    if (r->yajl != NULL)
        yajl_free(r->yajl);
    text_fini(&r->name);
    strings_fini(&r->tag_keys);
    strings_fini(&r->tag_values);
    strings_fini(&r->columns);
    text_fini(&r->pointers);
    text_fini(&r->row);
    text_fini(&r->list);
    text_fini(&r->cells);
    text_fini(&r->level);
    text_fini(&r->message);
    text_fini(&r->error);
    free(r);
    *results = NULL;
}

static int check(struct bbc_results *r, yajl_status status)
{
    if (status == yajl_status_ok)
        return 0;
    stop(r, BB_CLIENT_PROTOCOL, "the reply is no JSON");
    return -1;
}

int bbc_results_feed(struct bbc_results *results, const char *data, size_t n)
{
    if (n > ROW_MAX || results->pending > ROW_MAX - n) {
        stop(results, BB_CLIENT_NOMEM, "a value of the reply is too long");
        return -1;
    }
    results->pending += n;
    return check(results, yajl_parse(results->yajl, (const unsigned char *)data, n));
}

int bbc_results_end(struct bbc_results *r, bool complete, struct bb_client_error *error)
{
    if (complete && r->kind == BB_CLIENT_OK &&
        (yajl_complete_parse(r->yajl) != yajl_status_ok || !r->document || r->depth > 0))
        stop(r, BB_CLIENT_PROTOCOL, "the reply is empty or cut off");
    if (r->kind == BB_CLIENT_OK)
        return BB_CLIENT_OK;
    return bbc_fail(error, r->kind, "%s", r->what);
}

char *bbc_error_text(const char *data, size_t n)
{
    struct bbc_results *r = bbc_results_create(NULL);
    if (r == NULL)
        return NULL;
    char *said = NULL;
    if (bbc_results_feed(r, data, n) != 0 && r->kind == BB_CLIENT_SERVER)
        said = text_take(&r->error);
    bbc_results_destroy(&r);
    return said;
}
