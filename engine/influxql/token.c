#include "engine/influxql/token.h"

#include <string.h>

#define KEYWORD_TEXT(name)    #name,
#define MARK_TEXT(name, text) text,
static const char *const names[] = {BBI_QL_KEYWORDS(KEYWORD_TEXT) "", BBI_QL_MARKS(MARK_TEXT)};
#undef KEYWORD_TEXT
#undef MARK_TEXT

static int upper(char c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : (unsigned char)c;
}

static int compare(const char *text, size_t length, const char *keyword)
{
    for (size_t i = 0; i < length; i++) {
        /* A keyword that is shorter differs at its NUL. */
        int order = upper(text[i]) - (unsigned char)keyword[i];
        if (order != 0) {
            return order;
        }
    }
    return keyword[length] == '\0' ? 0 : -1;
}

enum bbi_ql_token_kind bbi_ql_keyword(const char *text, size_t length)
{
    size_t low = 0;
    size_t high = BBI_QL_TOK_KEYWORD_COUNT;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(text, length, names[middle]);
        if (order == 0) {
            return (enum bbi_ql_token_kind)middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return BBI_QL_TOK_IDENT;
}

const char *bbi_ql_token_name(enum bbi_ql_token_kind kind)
{
    return names[kind];
}

bool bbi_ql_is_bare(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return length > 0 && bbi_ql_keyword(name, length) == BBI_QL_TOK_IDENT;
}
