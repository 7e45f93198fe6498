#include "engine/influxql/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/decimal.h"

/* ---- errors ---- */

bool bbi_qlp_fail(struct bbi_ql_parser *p, const char *fmt, ...)
{
    char text[BB_ERROR_TEXT_MAX];
    va_list args;

    if (!p->failed) {
        va_start(args, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        (void)bbi_error_set(p->err, BB_EPARSE, "error parsing query: %s", text);
        p->failed = true;
    }
    return false;
}

/* Room for " at line 4294967296, char 4294967296", so that a long text does not push it out. */
#define PLACE_TEXT_MAX 64

bool bbi_qlp_fail_at(struct bbi_ql_parser *p, struct bbi_ql_pos pos, const char *fmt, ...)
{
    char text[BB_ERROR_TEXT_MAX - PLACE_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return bbi_qlp_fail(p, "%s at line %u, char %u", text, pos.line + 1, pos.column + 1);
}

#define FOUND_TEXT_MAX 230

/* Bytes of the text that an error quotes: no half of a character. */
static int quoted_length(const char *text)
{
    size_t length = strnlen(text, FOUND_TEXT_MAX + 1);

    if (length <= FOUND_TEXT_MAX) {
        return (int)length;
    }
    for (length = FOUND_TEXT_MAX; length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80;) {
        length--;
    }
    return (int)length;
}

bool bbi_qlp_unexpected(struct bbi_ql_parser *p, struct bbi_ql_token token, const char *expected)
{
    const char *found = token.text[0] != '\0' ? token.text : bbi_ql_token_name(token.kind);
    return bbi_qlp_fail_at(p, token.pos, "found %.*s, expected %s", quoted_length(found), found,
                           expected);
}

/* ---- memory ---- */

static bool no_memory(struct bbi_ql_parser *p)
{
    if (!p->failed) {
        (void)bbi_error_nomem(p->err, "query text");
        p->failed = true;
    }
    return false;
}

void *bbi_qlp_alloc(struct bbi_ql_parser *p, size_t size)
{
    void *block = bbi_arena_zalloc(p->arena, 1, size);
    if (block == NULL) {
        (void)no_memory(p);
    }
    return block;
}

bool bbi_qlp_push(struct bbi_ql_parser *p, void *items, size_t *count, const void *item,
                  size_t size)
{
    size_t n = *count;
    void *array;

    memcpy(&array, items, sizeof(array));
    /* Full at 0, 1, 2, 4, 8 ...: twice as many. */
    if ((n & (n - 1)) == 0) {
        void *wider = bbi_arena_zalloc(p->arena, n == 0 ? 1 : 2 * n, size);
        if (wider == NULL) {
            return no_memory(p);
        }
        if (n > 0) {
            memcpy(wider, array, n * size);
        }
        array = wider;
        memcpy(items, &array, sizeof(array));
    }
    memcpy((char *)array + n * size, item, size);
    *count = n + 1;
    return true;
}

bool bbi_qlp_enter(struct bbi_ql_parser *p)
{
    if (p->depth == BBI_QL_DEPTH_MAX) {
        return bbi_qlp_fail(p, "query nests deeper than %d levels", BBI_QL_DEPTH_MAX);
    }
    p->depth++;
    return true;
}

void bbi_qlp_leave(struct bbi_ql_parser *p)
{
    p->depth--;
}

/* ---- tokens ---- */

static const struct bbi_ql_param *find_param(const struct bbi_ql_parser *p, const char *name)
{
    size_t low = 0;
    size_t high = p->options == NULL ? 0 : p->options->param_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, p->options->params[middle].name);
        if (order == 0) {
            return &p->options->params[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static void param_text(const struct bbi_ql_param *param, struct bbi_buf *text)
{
    char number[BBI_DECIMAL_TEXT_MAX];

    switch (param->kind) {
    case BBI_QL_NUMBER:
        (void)bbi_decimal_format(param->value.number, number);
        bbi_buf_str(text, number);
        break;
    case BBI_QL_INTEGER:
        bbi_buf_printf(text, "%lld", (long long)param->value.integer);
        break;
    case BBI_QL_UNSIGNED:
        bbi_buf_printf(text, "%llu", (unsigned long long)param->value.unsigned_integer);
        break;
    case BBI_QL_DURATION:
        if (param->text != NULL) {
            bbi_buf_str(text, param->text);
        } else {
            bbi_ql_duration_format(param->value.integer, text);
        }
        break;
    case BBI_QL_PARAM:
    case BBI_QL_STRING:
    case BBI_QL_REGEX:
    case BBI_QL_VAR:
        bbi_buf_str(text, param->value.string);
        break;
    default:
        break;
    }
}

static enum bbi_ql_token_kind param_kind(const struct bbi_ql_param *param)
{
    switch (param->kind) {
    case BBI_QL_NUMBER:
        return BBI_QL_TOK_NUMBER;
    case BBI_QL_INTEGER:
    case BBI_QL_UNSIGNED:
        return BBI_QL_TOK_INTEGER;
    case BBI_QL_DURATION:
        return BBI_QL_TOK_DURATIONVAL;
    case BBI_QL_STRING:
        return BBI_QL_TOK_STRING;
    case BBI_QL_REGEX:
        return BBI_QL_TOK_REGEX;
    case BBI_QL_VAR:
        return BBI_QL_TOK_IDENT;
    case BBI_QL_BOOLEAN:
        return param->value.boolean ? BBI_QL_TOK_TRUE : BBI_QL_TOK_FALSE;
    default:
        return BBI_QL_TOK_BOUNDPARAM;
    }
}

/* A $name with a value becomes a token of that value; one that is wrong keeps its kind and gets the
 * reason for its text, which is told as InfluxDB does. */
static void bind(struct bbi_ql_parser *p, struct bbi_ql_token *token)
{
    const struct bbi_ql_param *param = find_param(p, token->text + 1);
    struct bbi_buf text;

    if (param == NULL) {
        return;
    }
    bbi_buf_init(&text, p->arena->acct, SIZE_MAX);
    param_text(param, &text);
    const char *copy = bbi_arena_dup(p->arena, text.data == NULL ? (const uint8_t *)"" : text.data,
                                     text.len);
    if (text.err != BB_OK || copy == NULL) {
        (void)no_memory(p);
    } else {
        token->kind = param_kind(param);
        token->text = copy;
    }
    bbi_buf_fini(&text);
}

static struct bbi_ql_token current(struct bbi_ql_parser *p)
{
    return p->ring[(p->at + BBI_QLP_RING - p->unread) % BBI_QLP_RING];
}

static struct bbi_ql_token fetch(struct bbi_ql_parser *p,
                                 struct bbi_ql_token (*lex)(struct bbi_ql_lexer *))
{
    if (p->unread > 0) {
        p->unread--;
        return current(p);
    }
    struct bbi_ql_token token = lex(&p->lexer);
    if (token.kind == BBI_QL_TOK_BOUNDPARAM) {
        bind(p, &token);
    }
    if (p->lexer.no_memory) {
        (void)no_memory(p);
    }
    p->at = (p->at + 1) % BBI_QLP_RING;
    p->ring[p->at] = token;
    return token;
}

struct bbi_ql_token bbi_qlp_next(struct bbi_ql_parser *p)
{
    return fetch(p, bbi_ql_lexer_next);
}

struct bbi_ql_token bbi_qlp_scan(struct bbi_ql_parser *p)
{
    struct bbi_ql_token token;

    do {
        token = bbi_qlp_next(p);
    } while (token.kind == BBI_QL_TOK_WS || token.kind == BBI_QL_TOK_COMMENT);
    return token;
}

void bbi_qlp_unscan(struct bbi_ql_parser *p)
{
    BB_ASSERT(p->unread < BBI_QLP_RING);
    p->unread++;
}

bool bbi_qlp_accept(struct bbi_ql_parser *p, enum bbi_ql_token_kind kind)
{
    if (bbi_qlp_scan(p).kind == kind) {
        return true;
    }
    bbi_qlp_unscan(p);
    return false;
}

bool bbi_qlp_expect(struct bbi_ql_parser *p, enum bbi_ql_token_kind kind)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    return token.kind == kind || bbi_qlp_unexpected(p, token, bbi_ql_token_name(kind));
}

uint8_t bbi_qlp_peek(struct bbi_ql_parser *p)
{
    return bbi_ql_lexer_peek(&p->lexer);
}

void bbi_qlp_skip_white(struct bbi_ql_parser *p)
{
    if (bbi_qlp_next(p).kind != BBI_QL_TOK_WS) {
        bbi_qlp_unscan(p);
    }
}

/* ---- small phrases ---- */

bool bbi_qlp_ident(struct bbi_ql_parser *p, const char **name)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    *name = token.text;
    return token.kind == BBI_QL_TOK_IDENT || bbi_qlp_unexpected(p, token, "identifier");
}

bool bbi_qlp_string(struct bbi_ql_parser *p, const char **text)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    *text = token.text;
    return token.kind == BBI_QL_TOK_STRING || bbi_qlp_unexpected(p, token, "string");
}

static bool list(struct bbi_ql_parser *p, bool (*one)(struct bbi_ql_parser *, const char **),
                 const char ***items, size_t *count)
{
    const char *item;

    do {
        if (!one(p, &item) || !bbi_qlp_push(p, items, count, &item, sizeof(item))) {
            return false;
        }
    } while (bbi_qlp_accept(p, BBI_QL_TOK_COMMA));
    return true;
}

bool bbi_qlp_ident_list(struct bbi_ql_parser *p, const char ***names, size_t *count)
{
    return list(p, bbi_qlp_ident, names, count);
}

bool bbi_qlp_string_list(struct bbi_ql_parser *p, const char ***texts, size_t *count)
{
    return list(p, bbi_qlp_string, texts, count);
}

/* Decimal digits; false beyond 64 bits or at anything else. */
static bool read_uint64(const char *text, uint64_t *value)
{
    uint64_t v = 0;

    for (const char *c = text; *c != '\0'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (digit > 9 || v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *value = v;
    return text[0] != '\0';
}

static const char *number_fault(const char *text)
{
    return text[0] == '-' ? "invalid syntax" : "value out of range";
}

bool bbi_qlp_count(struct bbi_ql_parser *p, int64_t max, int64_t *value)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);
    uint64_t n;

    if (token.kind != BBI_QL_TOK_INTEGER) {
        return bbi_qlp_unexpected(p, token, "integer");
    }
    if (!read_uint64(token.text, &n) || n > INT64_MAX) {
        return bbi_qlp_fail_at(p, token.pos, "strconv.Atoi: parsing \"%.100s\": %s", token.text,
                               number_fault(token.text));
    }
    if (n < 1 || n > (uint64_t)max) {
        return bbi_qlp_fail_at(p, token.pos, "invalid value %llu: must be 1 <= n <= %lld",
                               (unsigned long long)n, (long long)max);
    }
    *value = (int64_t)n;
    return true;
}

bool bbi_qlp_uint64(struct bbi_ql_parser *p, uint64_t *value)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);

    if (token.kind != BBI_QL_TOK_INTEGER) {
        return bbi_qlp_unexpected(p, token, "integer");
    }
    if (!read_uint64(token.text, value)) {
        return bbi_qlp_fail_at(p, token.pos, "strconv.ParseUint: parsing \"%.100s\": %s",
                               token.text, number_fault(token.text));
    }
    return true;
}

bool bbi_qlp_duration_value(struct bbi_ql_parser *p, struct bbi_ql_token token, bool in_expr,
                            int64_t *ns)
{
    char fault[BBI_QL_DURATION_FAULT_MAX];
    bool good = bbi_ql_duration_read(token.text, ns, fault);

    if (in_expr) {
        return good || bbi_qlp_fail(p, "%s", fault);
    }
    /* A sign can come of a bound parameter only. */
    if (good && *ns < 0) {
        return bbi_qlp_fail_at(p, token.pos, "invalid duration");
    }
    return good || bbi_qlp_fail_at(p, token.pos, "%s", fault);
}

bool bbi_qlp_duration(struct bbi_ql_parser *p, int64_t *ns)
{
    struct bbi_ql_token token = bbi_qlp_scan(p);

    *ns = 0;
    if (token.kind == BBI_QL_TOK_INF) {
        return true;
    }
    if (token.kind != BBI_QL_TOK_DURATIONVAL) {
        return bbi_qlp_unexpected(p, token, "duration");
    }
    return bbi_qlp_duration_value(p, token, false, ns);
}

static bool too_many_segments(struct bbi_ql_parser *p, const char *const *segments, size_t count)
{
    struct bbi_ql_pos start = {0, 0};
    struct bbi_buf text;

    bbi_buf_init(&text, p->arena->acct, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        bool last = i == count - 1;
        bool empty = segments[i][0] == '\0';
        bool quoted = empty ? i == 0 || last : !last || !bbi_ql_is_bare(segments[i]);
        if (quoted) {
            bbi_ql_format_quoted(segments[i], '"', &text);
        } else {
            bbi_buf_str(&text, segments[i]);
        }
        bbi_buf_str(&text, last ? "" : ".");
    }
    (void)bbi_qlp_fail_at(p, start, "too many segments in %.*s", (int)text.len,
                          text.data == NULL ? "" : (const char *)text.data);
    bbi_buf_fini(&text);
    return false;
}

bool bbi_qlp_segments(struct bbi_ql_parser *p, const char *segments[3], size_t *count)
{
    const char **all = NULL;
    const char *name;

    *count = 0;
    if (!bbi_qlp_ident(p, &name)) {
        return false;
    }
    for (;;) {
        if (!bbi_qlp_push(p, &all, count, &name, sizeof(name))) {
            return false;
        }
        if (bbi_qlp_next(p).kind != BBI_QL_TOK_DOT) {
            bbi_qlp_unscan(p);
            break;
        }
        uint8_t c = bbi_qlp_peek(p);
        if (c == '/' || c == ':') {
            break;
        }
        if (c == '.') {
            name = "";
        } else if (!bbi_qlp_ident(p, &name)) {
            return false;
        }
    }
    if (*count > 3) {
        return too_many_segments(p, all, *count);
    }
    memcpy(segments, all, *count * sizeof(*segments));
    return true;
}

bool bbi_qlp_regex(struct bbi_ql_parser *p, const char **pattern)
{
    *pattern = NULL;
    uint8_t c = bbi_qlp_peek(p);
    if (c == ' ' || c == '\t' || c == '\n') {
        bbi_qlp_skip_white(p);
    }
    c = bbi_qlp_peek(p);
    if (c == '$') {
        enum bbi_ql_token_kind kind = bbi_qlp_next(p).kind;
        bbi_qlp_unscan(p);
        if (kind != BBI_QL_TOK_REGEX) {
            return true;
        }
    } else if (c != '/') {
        return true;
    }
    struct bbi_ql_token token = fetch(p, bbi_ql_lexer_regex);
    if (token.kind == BBI_QL_TOK_BADREGEX) {
        return bbi_qlp_fail_at(p, token.pos, "bad regex: ");
    }
    if (token.kind != BBI_QL_TOK_REGEX) {
        return bbi_qlp_unexpected(p, token, "regex");
    }
    *pattern = token.text;
    if (p->options != NULL && p->options->regex_good != NULL) {
        char fault[BB_ERROR_TEXT_MAX / 2];
        if (!p->options->regex_good(p->options->regex_arg, token.text, fault, sizeof(fault))) {
            return bbi_qlp_fail_at(p, token.pos, "%s", fault);
        }
    }
    return true;
}
