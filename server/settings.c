#include "server/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)
#define DAY ((uint64_t)86400000)

enum kind {
    KIND_TEXT,
    KIND_BYTES,
    KIND_COUNT,
    KIND_TIME
};

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *preset;
    uint64_t min, max; /* of a number other than 0, which stands for "as described" */
    const char *help;
};

#define AT(member) offsetof(struct settings, member)

static const struct setting table[] = {
    {"data", KIND_TEXT, AT(data), "busbar-data", 0, 0, "directory of the data; made if missing"},
    {"http", KIND_TEXT, AT(http), "127.0.0.1:8086", 0, 0,
     "ADDRESS:PORT of the HTTP API; port 0 takes a free one; 'off' for none"},
    {"line", KIND_TEXT, AT(line), "127.0.0.1:8094", 0, 0,
     "ADDRESS:PORT of the line-protocol listener; 'off' for none"},
    {"line-database", KIND_TEXT, AT(line_database), "energy", 0, 0,
     "database that lines of the line-protocol listener go to; made if missing"},
    {"line-precision", KIND_TEXT, AT(line_precision), "ns", 0, 0,
     "unit of their timestamps: ns, u, ms, s, m or h"},
    {"log-level", KIND_TEXT, AT(log_level), "info", 0, 0, "debug, info, warning or error"},

    {"memory", KIND_BYTES, AT(memory), "0", 64 * MIB, 64 * TIB,
     "budget of the whole server; 0: half of the machine's memory, 1GiB at the least"},
    {"memtable-memory", KIND_BYTES, AT(memtable_memory), "0", MIB, TIB,
     "part of it for one generation of unflushed readings; 0: an eighth, 256MiB at the most"},
    {"query-memory", KIND_BYTES, AT(query_memory), "0", MIB, 64 * TIB,
     "part of it for one query; 0: a quarter"},
    {"request-memory", KIND_BYTES, AT(request_memory), "0", MIB, TIB,
     "part of it for requests being received; 0: an eighth, 256MiB at the most"},
    {"wal-buffer", KIND_BYTES, AT(wal_buffer), "0", MIB, 4 * GIB,
     "log appended and not yet on disk; 0: 32MiB"},
    {"catalog-map", KIND_BYTES, AT(catalog_map), "0", 16 * MIB, 64 * TIB,
     "address space of the catalog; 0: 64GiB"},

    {"loops", KIND_COUNT, AT(loops), "0", 1, 256, "event loops; 0: one per core"},
    {"write-threads", KIND_COUNT, AT(write_threads), "0", 1, 256,
     "threads that parse and store writes; 0: one per core"},
    {"query-threads", KIND_COUNT, AT(query_threads), "0", 1, 256,
     "threads that scan for all queries together; 0: one per core"},
    {"max-queries", KIND_COUNT, AT(max_queries), "16", 1, 1024, "queries that run at one time"},
    {"max-connections", KIND_COUNT, AT(max_connections), "8192", 1, 1000000,
     "open connections, HTTP and line protocol together"},

    {"max-body", KIND_BYTES, AT(max_body), "25000000", KIB, 4 * GIB,
     "body of a request, decompressed"},
    {"max-head", KIND_BYTES, AT(max_head), "1MiB", KIB, 64 * MIB,
     "request line and headers of a request"},
    {"reply-buffer", KIND_BYTES, AT(reply_buffer), "1MiB", 64 * KIB, GIB,
     "result of one query that waits for a slow client before the query pauses"},
    {"query-timeout", KIND_TIME, AT(query_timeout), "60s", 1, 365 * DAY, "time one query may take"},
    {"queue-timeout", KIND_TIME, AT(queue_timeout), "4s", 1, 60000,
     "wait for a free thread or memory before the answer is 503"},
    {"idle-timeout", KIND_TIME, AT(idle_timeout), "3m", 1, 365 * DAY,
     "silence between two requests of an HTTP connection"},
    {"read-timeout", KIND_TIME, AT(read_timeout), "20s", 1, 365 * DAY,
     "silence within a request, and time for its head"},
    {"request-timeout", KIND_TIME, AT(request_timeout), "3m", 1, 365 * DAY,
     "time to receive a whole request"},
    {"send-timeout", KIND_TIME, AT(send_timeout), "60s", 1, 365 * DAY,
     "time in which a client reads nothing of its reply"},

    {"line-batch-lines", KIND_COUNT, AT(line_batch_lines), "5000", 1, 1000000,
     "lines that the line-protocol listener stores together"},
    {"line-batch-bytes", KIND_BYTES, AT(line_batch_bytes), "1MiB", KIB, GIB, "or bytes"},
    {"line-batch-delay", KIND_TIME, AT(line_batch_delay), "100ms", 1, 60000,
     "or time that the first of them has waited"},
    {"line-in-flight", KIND_BYTES, AT(line_in_flight), "4MiB", KIB, GIB,
     "lines of one connection that are not on disk before it is read no further"},
    {"line-idle-timeout", KIND_TIME, AT(line_idle_timeout), "1h", 1, 365 * DAY,
     "silence of a line-protocol connection"},
    {"max-line", KIND_BYTES, AT(max_line), "1MiB", 64, 16 * MIB, "one line"},

    {"drain-timeout", KIND_TIME, AT(drain_timeout), "3s", 1, 60000,
     "time for requests in flight when the server is told to stop"},
    {"stop-timeout", KIND_TIME, AT(stop_timeout), "9s", 1, 3600000,
     "time to stop at all: what is not flushed then stays in the log for the next start"},
};

#define SETTING_COUNT (sizeof(table) / sizeof(table[0]))

static int fail(struct bb_error *err, const char *fmt, ...) BB_PRINTF(2, 3);

static int fail(struct bb_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return err->code = BB_EINVAL;
}

/* ---- values ---- */

static const struct {
    enum kind kind;
    const char *suffix;
    uint64_t factor;
} units[] = {
    {KIND_BYTES, "", 1},       {KIND_BYTES, "KiB", KIB}, {KIND_BYTES, "MiB", MIB},
    {KIND_BYTES, "GiB", GIB},  {KIND_BYTES, "TiB", TIB}, {KIND_BYTES, "k", KIB},
    {KIND_BYTES, "m", MIB},    {KIND_BYTES, "g", GIB},   {KIND_COUNT, "", 1},
    {KIND_TIME, "ms", 1},      {KIND_TIME, "s", 1000},   {KIND_TIME, "m", 60000},
    {KIND_TIME, "h", 3600000}, {KIND_TIME, "d", DAY},    {KIND_TIME, "", 1},
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static const char *kind_words(enum kind kind)
{
    switch (kind) {
    case KIND_BYTES:
        return "a size such as 64MiB";
    case KIND_TIME:
        return "a time such as 500ms, 10s or 5m";
    case KIND_COUNT:
    case KIND_TEXT:
    default:
        return "a whole number";
    }
}

static bool parse_number(enum kind kind, const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return false;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (units[i].kind != kind || strcasecmp(end, units[i].suffix) != 0)
            continue;
        if (n > UINT64_MAX / units[i].factor)
            return false;
        *value = n * units[i].factor;
        return true;
    }
    return false;
}

/** source: "--memory" or "BUSBAR_MEMORY", for the message. */
static int set(struct settings *s, const struct setting *setting, const char *source,
               const char *text, struct bb_error *err)
{
    char *place = (char *)s + setting->offset;
    if (setting->kind == KIND_TEXT) {
        if (strlen(text) >= SETTING_TEXT_MAX)
            return fail(err, "%s: longer than %d bytes", source, SETTING_TEXT_MAX - 1);
        strcpy(place, text);
        return BB_OK;
    }
    uint64_t value;
    if (!parse_number(setting->kind, text, &value))
        return fail(err, "%s: '%.100s' is not %s", source, text, kind_words(setting->kind));
    bool preset_zero = strcmp(setting->preset, "0") == 0;
    if ((value != 0 || !preset_zero) && (value < setting->min || value > setting->max))
        return fail(err, "%s: '%.100s' is out of range (%" PRIu64 " to %" PRIu64 ")", source, text,
                    setting->min, setting->max);
    memcpy(place, &value, sizeof(value));
    return BB_OK;
}

/* ---- sources ---- */

static void variable_name(const struct setting *setting, char *out, size_t size)
{
    snprintf(out, size, "BUSBAR_%s", setting->name);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

static int load_environment(struct settings *s, char *const env[], struct bb_error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char name[64];
        variable_name(&table[i], name, sizeof(name));
        size_t n = strlen(name);
        for (char *const *e = env; *e != NULL; e++) {
            if (strncmp(*e, name, n) != 0 || (*e)[n] != '=')
                continue;
            int rc = set(s, &table[i], name, *e + n + 1, err);
            if (rc != BB_OK)
                return rc;
        }
    }
    return BB_OK;
}

static const struct setting *find(const char *name, size_t n)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strlen(table[i].name) == n && memcmp(table[i].name, name, n) == 0)
            return &table[i];
    return NULL;
}

static int load_flag(struct settings *s, int argc, char *const argv[], int *at,
                     struct bb_error *err)
{
    const char *arg = argv[*at];
    if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
        return fail(err, "%.100s: not a flag (see --help)", arg);
    size_t n = strcspn(arg + 2, "=");
    const struct setting *setting = find(arg + 2, n);
    if (setting == NULL)
        return fail(err, "%.100s: no such flag (see --help)", arg);
    char source[64];
    snprintf(source, sizeof(source), "--%s", setting->name);
    if (arg[2 + n] == '=')
        return set(s, setting, source, arg + 3 + n, err);
    if (*at + 1 >= argc)
        return fail(err, "%s: needs a value", source);
    return set(s, setting, source, argv[++*at], err);
}

int settings_load(struct settings *s, int argc, char *const argv[], char *const env[],
                  enum settings_action *action, struct bb_error *err)
{
    memset(s, 0, sizeof(*s));
    *action = SETTINGS_RUN;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        int rc = set(s, &table[i], table[i].name, table[i].preset, err);
        if (rc != BB_OK)
            return rc;
    }
    int rc = load_environment(s, env, err);
    for (int at = 1; at < argc && rc == BB_OK; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
            *action = SETTINGS_HELP;
        else if (strcmp(argv[at], "--version") == 0)
            *action = SETTINGS_VERSION;
        else if (strcmp(argv[at], "--print-config") == 0)
            *action = SETTINGS_PRINT;
        else
            rc = load_flag(s, argc, argv, &at, err);
    }
    return rc;
}

/* ---- texts ---- */

void settings_help(FILE *out)
{
    fputs("busbard: a time-series database for energy readings\n\n"
          "usage: busbard [--NAME VALUE | --NAME=VALUE]...\n"
          "       busbard --help | --version | --print-config\n\n"
          "Each setting may also stand in the environment: --max-body is BUSBAR_MAX_BODY. Sizes\n"
          "take KiB, MiB, GiB, TiB; times ms, s, m, h, d.\n\n",
          out);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(out, "  --%-18s %s [%s]\n", table[i].name, table[i].help, table[i].preset);
}

static void print_number(enum kind kind, uint64_t value, FILE *out)
{
    const char *suffix = "";
    uint64_t factor = 1;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        bool longer = units[i].factor > factor || factor == 1;
        if (units[i].kind == kind && value != 0 && value % units[i].factor == 0 && longer &&
            strlen(units[i].suffix) != (kind == KIND_BYTES ? 1 : 0)) {
            suffix = units[i].suffix;
            factor = units[i].factor;
        }
    }
    fprintf(out, "%" PRIu64 "%s\n", value / factor, suffix);
}

void settings_print(const struct settings *s, FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *place = (const char *)s + table[i].offset;
        fprintf(out, "# %s\n%s = ", table[i].help, table[i].name);
        if (table[i].kind == KIND_TEXT) {
            fprintf(out, "%s\n", place);
        } else {
            uint64_t value;
            memcpy(&value, place, sizeof(value));
            print_number(table[i].kind, value, out);
        }
    }
}
