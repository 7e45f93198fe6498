#include "server/line_directive.h"

#include <string.h>

enum line_directive line_directive_parse(const char *line, size_t n, const char **value,
                                         size_t *value_len)
{
    static const struct {
        const char *prefix;
        enum line_directive directive;
    } directives[] = {{"# sync ", LINE_SYNC}, {"# db ", LINE_DB}, {"# precision ", LINE_PRECISION}};
    for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
        size_t skip = strlen(directives[i].prefix);
        if (n <= skip || memcmp(line, directives[i].prefix, skip) != 0)
            continue;
        while (n > skip && (line[n - 1] == '\r' || line[n - 1] == ' '))
            n--;
        *value = line + skip;
        *value_len = n - skip;
        return n > skip ? directives[i].directive : LINE_NONE;
    }
    return LINE_NONE;
}
