#include "bench/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum kind {
    KIND_TEXT,
    KIND_COUNT,
    KIND_SECONDS,
    KIND_FLAG
};

#define AT(member) offsetof(struct options, member)

static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *preset;
    const char *help;
} table[] = {
    {"workload", KIND_TEXT, AT(workload), "M",
     "M: meters x interval x days. series: a million meters, 10 readings each"},
    {"meters", KIND_COUNT, AT(meters), "0", "devices; 0: 10000, for series 1000000"},
    {"interval", KIND_SECONDS, AT(interval_s), "15m", "between two readings of a device (s, m, h)"},
    {"days", KIND_COUNT, AT(days), "30", "length of workload M"},
    {"start", KIND_TEXT, AT(start), "2024-03-01", "first day, UTC"},
    {"seed", KIND_COUNT, AT(seed), "1", "another seed gives other values"},
    {"precision", KIND_TEXT, AT(precision), "ns", "of the timestamps: ns, us, ms or s"},
    {"file", KIND_TEXT, AT(file), "", "write: lines from a file instead of a workload"},
    {"out", KIND_TEXT, AT(out), "", "generate: to this file instead of standard output"},
    {"url", KIND_TEXT, AT(url), "http://127.0.0.1:8086", "write: the server's HTTP address"},
    {"tcp", KIND_TEXT, AT(tcp), "", "write: lines go to HOST:PORT of the line-protocol listener"},
    {"db", KIND_TEXT, AT(db), "bench", "write: database, made if missing"},
    {"connections", KIND_COUNT, AT(connections), "2",
     "write: each request is acknowledged before the next on its connection"},
    {"lines", KIND_COUNT, AT(lines), "5000", "write: lines of a request, or between two '# sync'"},
    {"window", KIND_COUNT, AT(window), "4", "write: with --tcp, syncs that may be unanswered"},
    {"prepare", KIND_COUNT, AT(prepare_mib), "6144",
     "write: MiB of requests made before the clock starts; beyond, each is made before it is sent"},
    {"pid", KIND_COUNT, AT(pid), "0", "write: the server's process, for its CPU time and memory"},
    {"data", KIND_TEXT, AT(data), "", "write: the server's data directory, for its bytes on disk"},
    {"no-flush", KIND_FLAG, AT(no_flush), "", "write: do not ask for a flush at the end"},
};

#define OPTION_COUNT (sizeof(table) / sizeof(table[0]))

static int complain(const char *name, const char *text, const char *why)
{
    fprintf(stderr, "busbar-bench: --%s %s: %s\n", name, text, why);
    return -1;
}

static int set(struct options *o, const struct option *option, const char *text)
{
    char *place = (char *)o + option->offset;
    if (option->kind == KIND_FLAG) {
        *(bool *)place = text[0] != '\0';
        return 0;
    }
    if (option->kind == KIND_TEXT) {
        memcpy(place, &text, sizeof(text));
        return 0;
    }
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || errno != 0 || text[0] == '-')
        return complain(option->name, text, "not a number");
    if (option->kind == KIND_SECONDS && end[0] != '\0' && end[1] == '\0') {
        value *= *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 0;
        end++;
    }
    if (*end != '\0' || (option->kind == KIND_SECONDS && value == 0))
        return complain(option->name, text, "not understood");
    memcpy(place, &value, sizeof(value));
    return 0;
}

static int parse_flag(struct options *o, int argc, char **argv, int *at)
{
    for (size_t i = 0; i < OPTION_COUNT && strncmp(argv[*at], "--", 2) == 0; i++) {
        if (strcmp(argv[*at] + 2, table[i].name) != 0)
            continue;
        if (table[i].kind == KIND_FLAG)
            return set(o, &table[i], "yes");
        if (*at + 1 == argc)
            return complain(table[i].name, "", "needs a value");
        return set(o, &table[i], argv[++*at]);
    }
    fprintf(stderr, "busbar-bench: %s: no such option (see --help)\n", argv[*at]);
    return -1;
}

static int resolve(struct options *o)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"u", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    struct tm tm = {0};
    const char *end = strptime(o->start, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0')
        return complain("start", o->start, "want YYYY-MM-DD");
    o->start_s = timegm(&tm);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(o->precision, units[i].name) == 0)
            o->unit_ns = units[i].ns;
    if (o->unit_ns == 0)
        return complain("precision", o->precision, "want ns, us, ms or s");
    bool series = strcmp(o->workload, "series") == 0;
    if (!series && strcmp(o->workload, "M") != 0)
        return complain("workload", o->workload, "want M or series");
    if (o->meters == 0)
        o->meters = series ? 1000000 : 10000;
    o->intervals = series ? 10 : o->days * 86400 / o->interval_s;
    if (o->lines == 0 || o->connections == 0 || o->window == 0)
        return complain("lines, --connections, --window", "0", "at least 1");
    return 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof(*o));
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (set(o, &table[i], table[i].preset) != 0)
            return -1;
    for (int at = 1; at < argc; at++)
        if (parse_flag(o, argc, argv, &at) != 0)
            return -1;
    return resolve(o);
}

void options_help(void)
{
    printf("usage: busbar-bench generate [OPTION]...   lines of a workload\n"
           "       busbar-bench write [OPTION]...      send them and measure the server\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        printf("  --%-12s %s%s%s%s\n", table[i].name, table[i].help,
               table[i].preset[0] == '\0' ? "" : " [", table[i].preset,
               table[i].preset[0] == '\0' ? "" : "]");
}
