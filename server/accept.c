#include "server/accept.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *type, *subtype, *name;
} formats[] = {[ACCEPT_JSON] = {"application", "json", "application/json"},
               [ACCEPT_APPLICATION_CSV] = {"application", "csv", "application/csv"},
               [ACCEPT_TEXT_CSV] = {"text", "csv", "text/csv"},
               [ACCEPT_MSGPACK] = {"application", "x-msgpack", "application/x-msgpack"}};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

/** text [n] is the word, or * for any. */
static bool matches(const char *text, size_t n, const char *word)
{
    return (n == 1 && text[0] == '*') || (n == strlen(word) && strncasecmp(text, word, n) == 0);
}

/** FORMAT_COUNT: none of ours. */
static size_t find(const char *range, size_t n)
{
    const char *slash = memchr(range, '/', n);
    size_t i = 0;
    if (slash == NULL)
        return n == 1 && range[0] == '*' ? 0 : FORMAT_COUNT;
    size_t type_n = (size_t)(slash - range);
    while (i < FORMAT_COUNT && !(matches(range, type_n, formats[i].type) &&
                                 matches(slash + 1, n - type_n - 1, formats[i].subtype)))
        i++;
    return i;
}

/** Of the parameters behind a media range, which end at `end`. */
static double quality(const char *p, const char *end)
{
    while (p < end) {
        p += strspn(p, "; \t");
        if (p + 1 < end && (*p == 'q' || *p == 'Q') && p[1] == '=')
            return strtod(p + 2, NULL);
        while (p < end && *p != ';')
            p++;
    }
    return 1;
}

enum accept_type accept_choose(const char *header)
{
    size_t best = ACCEPT_JSON;
    double best_quality = -1;
    for (const char *p = header; *p != '\0';) {
        p += strspn(p, ", \t");
        const char *end = p + strcspn(p, ",");
        size_t format = find(p, strcspn(p, "; \t,"));
        double q = quality(p + strcspn(p, ";,"), end);
        if (format < FORMAT_COUNT && q > best_quality) {
            best = format;
            best_quality = q;
        }
        p = end;
    }
    return (enum accept_type)best;
}

const char *accept_name(enum accept_type type)
{
    return formats[type].name;
}
