#include "server/units.h"

#include <stddef.h>
#include <string.h>

int64_t units_precision_ns(const char *text)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"", 1},           {"n", 1},           {"ns", 1},
                 {"u", 1000},       {"us", 1000},       {"ms", 1000000},
                 {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(text, units[i].name) == 0)
            return units[i].ns;
    return 0;
}

int64_t units_epoch_ns(const char *text)
{
    if (text[0] == '\0')
        return 0;
    int64_t ns = units_precision_ns(strcmp(text, "\302\265") == 0 ? "u" : text);
    return ns == 0 ? 1 : ns;
}
