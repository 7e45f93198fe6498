#include "client/import_escape.h"

#include <string.h>

/** Bytes that always need a backslash. */
static const char *const always[] = {", ", ",= ", ",= ", "\"\\"};
/** Bytes that need one behind a backslash, which would be taken for theirs. */
static const char *const behind_backslash[] = {"=\"", "", "\"", ""};

void escape_add(struct import_buf *out, enum escape kind, const char *text, size_t len)
{
    if (!import_buf_room(out, 2 * len))
        return;
    char *to = out->data + out->len;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool special = c != '\0' && strchr(always[kind], c) != NULL;
        if (!special && i > 0 && text[i - 1] == '\\' && c != '\0')
            special = strchr(behind_backslash[kind], c) != NULL;
        if (special)
            *to++ = '\\';
        *to++ = c;
    }
    out->len = (size_t)(to - out->data);
}

/** Parsers take backslashes of a field's name in pairs: one that is left over would take the escape
 * of what follows. */
static bool has_odd_backslash(const char *text, size_t len)
{
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        if (run % 2 == 1 && (text[i] == ',' || text[i] == '=' || text[i] == ' '))
            return true;
        run = text[i] == '\\' ? run + 1 : 0;
    }
    return false;
}

const char *escape_refusal(enum escape kind, const char *text, size_t len)
{
    if (kind == ESCAPE_STRING)
        return NULL;
    if (len == 0)
        return "is empty";
    if (memchr(text, '\n', len) != NULL)
        return "holds a newline";
    if (text[len - 1] == '\\')
        return "ends with a backslash, which line protocol cannot carry";
    if (kind == ESCAPE_FIELD && has_odd_backslash(text, len))
        return "holds a backslash before a comma, blank or =, which line protocol cannot carry";
    if (kind == ESCAPE_MEASUREMENT && (*text == '#' || *text == '\t' || *text == '\r'))
        return "begins with a character that cannot begin a measurement";
    return NULL;
}
