/**
 * Text to tokens.
 *
 * Characters are UTF-8 sequences (a byte that is none counts as one), CR and CR LF are newlines, a
 * NUL ends the text. Positions are those that InfluxDB reports, including where it is odd: a string
 * literal stands one character too far left, and the end of the text one too far right once it has
 * been looked at by something that does not put it back.
 */
#ifndef BBI_INFLUXQL_LEXER_H
#define BBI_INFLUXQL_LEXER_H

#include "engine/base/arena.h"
#include "engine/influxql/token.h"

struct bbi_ql_lexer {
    const uint8_t *at;
    const uint8_t *end;
    struct bbi_ql_pos pos;   /* of the character at `at` */
    struct bbi_ql_pos last;  /* of the character before it */
    bool end_taken;          /* the end of the text has been read and not put back */
    bool no_memory;          /* sticky; tokens are EOF from then on */
    struct bbi_arena *arena; /* texts of tokens */
};

void bbi_ql_lexer_init(struct bbi_ql_lexer *lexer, const char *text, size_t length,
                       struct bbi_arena *arena);

/** The next token; white space and comments are tokens. After the end: EOF for ever. */
struct bbi_ql_token bbi_ql_lexer_next(struct bbi_ql_lexer *lexer);

/** The next token where a regex may stand: from one / to the next that is not escaped. */
struct bbi_ql_token bbi_ql_lexer_regex(struct bbi_ql_lexer *lexer);

/** The next character if it is ASCII, '\n' for any newline, 0 at the end (which then counts as
 * read), 0x80 for any other. */
uint8_t bbi_ql_lexer_peek(struct bbi_ql_lexer *lexer);

#endif
