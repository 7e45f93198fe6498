#include <stdio.h>
#include <string.h>

#include "engine/influxql/influxql.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define S  (1000 * MS)
#define M  (60 * S)
#define H  (60 * M)
#define D  (24 * H)
#define W  (7 * D)

struct unit {
    const char *name;
    int64_t ns;
};

/* A unit before any that it is the start of: "ms" before "m". */
static const struct unit units[] = {
    {"ns", 1}, {"u", US}, {"\xc2\xb5", US}, {"ms", MS}, {"m", M},
    {"s", S},  {"h", H},  {"d", D},         {"w", W},
};

static const struct unit *find_unit(const char *text)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strncmp(text, units[i].name, strlen(units[i].name)) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

/* Digits at *text, at least one; false also beyond int64. */
static bool read_digits(const char **text, int64_t *value)
{
    const char *c = *text;
    int64_t v = 0;

    for (; *c >= '0' && *c <= '9'; c++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *c - '0', &v)) {
            return false;
        }
    }
    bool any = c != *text;
    *text = c;
    *value = v;
    return any;
}

bool bbi_ql_duration_read(const char *text, int64_t *ns, char fault[BBI_QL_DURATION_FAULT_MAX])
{
    bool negative = text[0] == '-';
    const char *c = text + negative;
    const struct unit *unit = NULL;
    int64_t count = 0;
    int64_t sum = 0;
    bool fits = true;

    *ns = 0;
    (void)snprintf(fault, BBI_QL_DURATION_FAULT_MAX, "invalid duration");
    if (*c == '\0') {
        return false;
    }
    while (*c != '\0') {
        int64_t part;
        if (!read_digits(&c, &count)) {
            return false;
        }
        unit = find_unit(c);
        if (unit == NULL) {
            return false;
        }
        c += strlen(unit->name);
        fits = fits && !__builtin_mul_overflow(count, unit->ns, &part) &&
               !__builtin_add_overflow(sum, part, &sum);
    }
    if (!fits) {
        (void)snprintf(fault, BBI_QL_DURATION_FAULT_MAX,
                       "overflowed duration %lld%s: choose a smaller duration or INF",
                       (long long)count, unit->name);
        return false;
    }
    *ns = negative ? -sum : sum;
    return true;
}

bool bbi_ql_months_read(const char *text, int64_t *months)
{
    const char *c = text;
    int64_t sum = 0;

    *months = 0;
    while (*c != '\0') {
        int64_t count;
        int64_t size = 12;
        if (!read_digits(&c, &count)) {
            return false;
        }
        if (strncmp(c, "mo", 2) == 0) {
            size = 1;
        } else if (*c != 'y') {
            return false;
        }
        c += size == 1 ? 2 : 1;
        if (__builtin_mul_overflow(count, size, &count) ||
            __builtin_add_overflow(sum, count, &sum)) {
            return false;
        }
    }
    *months = sum;
    return c != text;
}

void bbi_ql_duration_format_go(int64_t ns, struct bbi_buf *buf)
{
    int64_t seconds = ns / 1000000000;
    int64_t fraction = ns % 1000000000;
    if (seconds >= 3600) {
        bbi_buf_printf(buf, "%lldh", (long long)(seconds / 3600));
    }
    if (seconds >= 60) {
        bbi_buf_printf(buf, "%lldm", (long long)(seconds / 60 % 60));
    }
    bbi_buf_printf(buf, "%lld", (long long)(seconds % 60));
    if (fraction != 0) {
        int digits = 9;
        for (; fraction % 10 == 0; digits--) {
            fraction /= 10;
        }
        bbi_buf_printf(buf, ".%0*lld", digits, (long long)fraction);
    }
    bbi_buf_str(buf, "s");
}

void bbi_ql_duration_format(int64_t ns, struct bbi_buf *buf)
{
    static const struct unit widest_first[] = {{"w", W}, {"d", D},   {"h", H},  {"m", M},
                                               {"s", S}, {"ms", MS}, {"u", US}, {"ns", 1}};

    if (ns == 0) {
        bbi_buf_str(buf, "0s");
        return;
    }
    const struct unit *unit = widest_first;
    while (ns % unit->ns != 0) {
        unit++;
    }
    bbi_buf_printf(buf, "%lld%s", (long long)(ns / unit->ns), unit->name);
}
