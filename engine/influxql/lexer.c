#include "engine/influxql/lexer.h"

#include <string.h>

/* MICRO SIGN, a unit of durations, in UTF-8. */
static const uint8_t micro[2] = {0xc2, 0xb5};

void bbi_ql_lexer_init(struct bbi_ql_lexer *lexer, const char *text, size_t length,
                       struct bbi_arena *arena)
{
    const uint8_t *start = (const uint8_t *)text;
    const uint8_t *nul = length == 0 ? NULL : memchr(text, '\0', length);

    memset(lexer, 0, sizeof(*lexer));
    lexer->at = start;
    lexer->end = nul != NULL ? nul : length == 0 ? start : start + length;
    lexer->arena = arena;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident(uint8_t c)
{
    return is_letter(c) || is_digit(c) || c == '_';
}

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the character at `at`, which is not the end. Overlong forms and surrogates are not told
 * apart from good ones: only positions depend on it. */
static size_t character_length(const struct bbi_ql_lexer *lexer)
{
    const uint8_t *p = lexer->at;
    size_t left = (size_t)(lexer->end - p);
    size_t length = 1;

    if (*p == '\r') {
        return left > 1 && p[1] == '\n' ? 2 : 1;
    }
    if (*p >= 0xc2 && *p <= 0xf4) {
        length = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    }
    if (length > left) {
        return 1;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(p[i])) {
            return 1;
        }
    }
    return length;
}

/* The character at `at` as bbi_ql_lexer_peek has it, without taking the end. */
static uint8_t look(const struct bbi_ql_lexer *lexer)
{
    if (lexer->at == lexer->end) {
        return 0;
    }
    if (*lexer->at == '\r') {
        return '\n';
    }
    return *lexer->at < 0x80 ? *lexer->at : 0x80;
}

/* Take one character, or the end. */
static void take(struct bbi_ql_lexer *lexer)
{
    lexer->last = lexer->pos;
    if (lexer->at == lexer->end) {
        if (!lexer->end_taken) {
            lexer->pos.column++;
            lexer->end_taken = true;
        }
        return;
    }
    bool newline = look(lexer) == '\n';
    lexer->at += character_length(lexer);
    lexer->pos.line += newline;
    lexer->pos.column = newline ? 0 : lexer->pos.column + 1;
}

static bool take_if(struct bbi_ql_lexer *lexer, uint8_t c)
{
    if (look(lexer) != c) {
        return false;
    }
    take(lexer);
    return true;
}

uint8_t bbi_ql_lexer_peek(struct bbi_ql_lexer *lexer)
{
    if (lexer->at == lexer->end) {
        take(lexer);
    }
    return look(lexer);
}

static struct bbi_ql_token mark(enum bbi_ql_token_kind kind, struct bbi_ql_pos pos)
{
    return (struct bbi_ql_token){.kind = kind, .pos = pos, .text = ""};
}

/* A token with a copy of the bytes [from, to). */
static struct bbi_ql_token with_text(struct bbi_ql_lexer *lexer, enum bbi_ql_token_kind kind,
                                     struct bbi_ql_pos pos, const uint8_t *from, const uint8_t *to)
{
    struct bbi_ql_token token = mark(kind, pos);
    const char *text = bbi_arena_dup(lexer->arena, from, (size_t)(to - from));

    if (text == NULL) {
        lexer->no_memory = true;
        token.kind = BBI_QL_TOK_EOF;
    } else {
        token.text = text;
    }
    return token;
}

static struct bbi_ql_token scan_white(struct bbi_ql_lexer *lexer)
{
    struct bbi_ql_pos pos = lexer->pos;
    const uint8_t *start = lexer->at;
    uint8_t c = look(lexer);

    while (c == ' ' || c == '\t' || c == '\n') {
        take(lexer);
        c = look(lexer);
    }
    const uint8_t *end = lexer->at;
    if (c == 0) {
        take(lexer);
    }
    if (end - start == 1 && *start == ' ') {
        return (struct bbi_ql_token){BBI_QL_TOK_WS, pos, " "};
    }
    return with_text(lexer, BBI_QL_TOK_WS, pos, start, end);
}

/* Room for the text of the literal whose quote is at `at`: no more than it takes in the query, up
 * to its closing quote, its line's end or the text's. */
static uint8_t *literal_room(struct bbi_ql_lexer *lexer, uint8_t quote)
{
    const uint8_t *p = lexer->at + 1;

    while (p < lexer->end && *p != quote && *p != '\n' && *p != '\r') {
        /* In a pattern only the slash is escaped; "\\/" goes on. */
        bool escape = *p == '\\' && lexer->end - p > 1 && (quote != '/' || p[1] == '/');
        p += escape ? 2 : 1;
    }
    uint8_t *room = bbi_arena_alloc(lexer->arena, (size_t)(p - lexer->at) + 8);
    lexer->no_memory = lexer->no_memory || room == NULL;
    return room;
}

/* Append the character at `at` and take it. */
static uint8_t *take_to(struct bbi_ql_lexer *lexer, uint8_t *out)
{
    size_t length = character_length(lexer);

    memcpy(out, lexer->at, length);
    take(lexer);
    return out + length;
}

/* What stands behind a backslash in a string or a quoted identifier; 0: not allowed. */
static uint8_t escape_value(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case '\\':
    case '"':
    case '\'':
        return c;
    default:
        return 0;
    }
}

/* "\x": an escape that is none, as the text of the token. */
static struct bbi_ql_token bad_escape(struct bbi_ql_lexer *lexer, uint8_t *room)
{
    uint8_t *out = room;
    struct bbi_ql_pos pos = lexer->pos;

    *out++ = '\\';
    if (look(lexer) != 0) {
        out = take_to(lexer, out);
    } else {
        take(lexer);
    }
    *out = '\0';
    return (struct bbi_ql_token){BBI_QL_TOK_BADESCAPE, pos, (const char *)room};
}

/* A string or quoted identifier, at its quote. */
static struct bbi_ql_token scan_quoted(struct bbi_ql_lexer *lexer, enum bbi_ql_token_kind kind)
{
    struct bbi_ql_pos pos = lexer->last;
    uint8_t quote = look(lexer);
    uint8_t *room = literal_room(lexer, quote);
    uint8_t *out = room;

    if (room == NULL) {
        return mark(BBI_QL_TOK_EOF, pos);
    }
    take(lexer);
    for (;;) {
        uint8_t c = look(lexer);
        if (c == quote) {
            take(lexer);
            break;
        }
        if (c == 0 || c == '\n') {
            take(lexer);
            kind = BBI_QL_TOK_BADSTRING;
            break;
        }
        if (c == '\\') {
            take(lexer);
            uint8_t value = escape_value(look(lexer));
            if (value == 0) {
                return bad_escape(lexer, room);
            }
            *out++ = value;
            take(lexer);
        } else {
            out = take_to(lexer, out);
        }
    }
    *out = '\0';
    return (struct bbi_ql_token){kind, pos, (const char *)room};
}

/* An identifier or keyword. Letters followed by a quoted identifier are dropped, as in InfluxDB. */
static struct bbi_ql_token scan_ident(struct bbi_ql_lexer *lexer, bool keywords)
{
    struct bbi_ql_pos pos = lexer->pos;
    const uint8_t *start = lexer->at;

    while (is_ident(look(lexer))) {
        take(lexer);
    }
    if (look(lexer) == '"') {
        struct bbi_ql_token token = scan_quoted(lexer, BBI_QL_TOK_IDENT);
        if (token.kind == BBI_QL_TOK_IDENT) {
            token.pos = pos;
        }
        return token;
    }
    const uint8_t *end = lexer->at;
    if (look(lexer) == 0) {
        take(lexer);
    }
    if (keywords) {
        enum bbi_ql_token_kind kind = bbi_ql_keyword((const char *)start, (size_t)(end - start));
        if (kind != BBI_QL_TOK_IDENT) {
            return mark(kind, pos);
        }
    }
    return with_text(lexer, BBI_QL_TOK_IDENT, pos, start, end);
}

/* $name, $"name" */
static struct bbi_ql_token scan_param(struct bbi_ql_lexer *lexer)
{
    struct bbi_ql_pos pos = lexer->pos;

    take(lexer);
    struct bbi_ql_token token = scan_ident(lexer, false);
    size_t length = strlen(token.text);
    char *text = bbi_arena_alloc(lexer->arena, length + 2);
    if (text == NULL) {
        lexer->no_memory = true;
        return mark(BBI_QL_TOK_EOF, pos);
    }
    text[0] = '$';
    memcpy(text + 1, token.text, length + 1);
    token.kind = token.kind == BBI_QL_TOK_IDENT ? BBI_QL_TOK_BOUNDPARAM : token.kind;
    token.pos = pos;
    token.text = text;
    return token;
}

static bool at_micro(const struct bbi_ql_lexer *lexer)
{
    return lexer->end - lexer->at >= 2 && memcmp(lexer->at, micro, sizeof(micro)) == 0;
}

static void take_digits(struct bbi_ql_lexer *lexer)
{
    while (is_digit(look(lexer))) {
        take(lexer);
    }
}

/* A number, an integer or a duration, at a digit or at the point before one. */
static struct bbi_ql_token scan_number(struct bbi_ql_lexer *lexer)
{
    struct bbi_ql_pos pos = lexer->pos;
    const uint8_t *start = lexer->at;

    take_digits(lexer);
    const uint8_t *end = lexer->at;
    if (take_if(lexer, '.')) {
        /* A point without digits behind it is taken and forgotten. */
        if (is_digit(look(lexer))) {
            take_digits(lexer);
            end = lexer->at;
        }
        return with_text(lexer, BBI_QL_TOK_NUMBER, pos, start, end);
    }
    if (!is_letter(look(lexer)) && !at_micro(lexer)) {
        return with_text(lexer, BBI_QL_TOK_INTEGER, pos, start, end);
    }
    while (is_letter(look(lexer)) || is_digit(look(lexer)) || at_micro(lexer)) {
        take(lexer);
    }
    return with_text(lexer, BBI_QL_TOK_DURATIONVAL, pos, start, lexer->at);
}

/* The rest of a comment, behind its opening. An end of text inside makes the token illegal. */
static struct bbi_ql_token skip_comment(struct bbi_ql_lexer *lexer, bool to_newline,
                                        struct bbi_ql_pos pos)
{
    bool star = false;

    for (;;) {
        uint8_t c = look(lexer);
        take(lexer);
        if (c == 0) {
            return mark(to_newline ? BBI_QL_TOK_COMMENT : BBI_QL_TOK_ILLEGAL, pos);
        }
        if (to_newline ? c == '\n' : star && c == '/') {
            return mark(BBI_QL_TOK_COMMENT, pos);
        }
        star = c == '*';
    }
}

struct single {
    char c;
    enum bbi_ql_token_kind kind;
};

static enum bbi_ql_token_kind single_kind(uint8_t c)
{
    static const struct single singles[] = {
        {'+', BBI_QL_TOK_ADD},       {'*', BBI_QL_TOK_MUL},    {'%', BBI_QL_TOK_MOD},
        {'&', BBI_QL_TOK_BITAND},    {'|', BBI_QL_TOK_BITOR},  {'^', BBI_QL_TOK_BITXOR},
        {'(', BBI_QL_TOK_LPAREN},    {')', BBI_QL_TOK_RPAREN}, {',', BBI_QL_TOK_COMMA},
        {';', BBI_QL_TOK_SEMICOLON},
    };

    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
        if (singles[i].c == c) {
            return singles[i].kind;
        }
    }
    return BBI_QL_TOK_ILLEGAL;
}

/* Operators of one or two characters, and comments; `first` has been taken. */
static struct bbi_ql_token scan_operator(struct bbi_ql_lexer *lexer, uint8_t first,
                                         struct bbi_ql_pos pos)
{
    switch (first) {
    case '-':
        return take_if(lexer, '-') ? skip_comment(lexer, true, pos) : mark(BBI_QL_TOK_SUB, pos);
    case '/':
        return take_if(lexer, '*') ? skip_comment(lexer, false, pos) : mark(BBI_QL_TOK_DIV, pos);
    case '=':
        return mark(take_if(lexer, '~') ? BBI_QL_TOK_EQREGEX : BBI_QL_TOK_EQ, pos);
    case '>':
        return mark(take_if(lexer, '=') ? BBI_QL_TOK_GTE : BBI_QL_TOK_GT, pos);
    case '<':
        if (take_if(lexer, '>')) {
            return mark(BBI_QL_TOK_NEQ, pos);
        }
        return mark(take_if(lexer, '=') ? BBI_QL_TOK_LTE : BBI_QL_TOK_LT, pos);
    case ':':
        return mark(take_if(lexer, ':') ? BBI_QL_TOK_DOUBLECOLON : BBI_QL_TOK_COLON, pos);
    case '!':
        if (take_if(lexer, '=')) {
            return mark(BBI_QL_TOK_NEQ, pos);
        }
        return mark(take_if(lexer, '~') ? BBI_QL_TOK_NEQREGEX : BBI_QL_TOK_ILLEGAL, pos);
    default:
        return mark(single_kind(first), pos);
    }
}

static struct bbi_ql_token scan_other(struct bbi_ql_lexer *lexer, uint8_t c)
{
    struct bbi_ql_pos pos = lexer->pos;
    const uint8_t *start = lexer->at;

    take(lexer);
    const uint8_t *end = lexer->at;
    struct bbi_ql_token token = scan_operator(lexer, c, pos);
    if (token.kind == BBI_QL_TOK_ILLEGAL && c != '/') {
        return with_text(lexer, BBI_QL_TOK_ILLEGAL, pos, start, end);
    }
    return token;
}

struct bbi_ql_token bbi_ql_lexer_next(struct bbi_ql_lexer *lexer)
{
    uint8_t c = look(lexer);

    if (lexer->no_memory) {
        return mark(BBI_QL_TOK_EOF, lexer->pos);
    }
    if (c == 0) {
        struct bbi_ql_pos pos = lexer->pos;
        take(lexer);
        return mark(BBI_QL_TOK_EOF, pos);
    }
    if (c == ' ' || c == '\t' || c == '\n') {
        return scan_white(lexer);
    }
    if (is_letter(c) || c == '_' || c == '"') {
        return scan_ident(lexer, true);
    }
    if (is_digit(c)) {
        return scan_number(lexer);
    }
    if (c == '\'') {
        return scan_quoted(lexer, BBI_QL_TOK_STRING);
    }
    if (c == '$') {
        return scan_param(lexer);
    }
    if (c == '.') {
        if (lexer->end - lexer->at > 1 && is_digit(lexer->at[1])) {
            return scan_number(lexer);
        }
        struct bbi_ql_pos pos = lexer->pos;
        take(lexer);
        return mark(BBI_QL_TOK_DOT, pos);
    }
    return scan_other(lexer, c);
}

struct bbi_ql_token bbi_ql_lexer_regex(struct bbi_ql_lexer *lexer)
{
    struct bbi_ql_pos pos = lexer->last;
    uint8_t *room = look(lexer) == '/' ? literal_room(lexer, '/') : NULL;
    uint8_t *out = room;

    if (room == NULL) {
        return mark(lexer->no_memory ? BBI_QL_TOK_EOF : BBI_QL_TOK_BADREGEX, pos);
    }
    take(lexer);
    for (;;) {
        uint8_t c = look(lexer);
        if (c == '/') {
            take(lexer);
            *out = '\0';
            return (struct bbi_ql_token){BBI_QL_TOK_REGEX, pos, (const char *)room};
        }
        if (c == 0 || c == '\n') {
            take(lexer);
            return mark(BBI_QL_TOK_BADREGEX, pos);
        }
        if (c == '\\') {
            take(lexer);
            /* \/ is /; any other backslash is the pattern's own. */
            if (look(lexer) == '/') {
                out = take_to(lexer, out);
            } else {
                *out++ = '\\';
            }
        } else {
            out = take_to(lexer, out);
        }
    }
}
