#include "server/settings_table.h"

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

#define AT(member) offsetof(struct settings, member)

/** Beside `min`, 0 may be said too; the help tells what it stands for. */
static const char ZERO[] = "";

const struct setting settings_table[] = {
    {"data", KIND_TEXT, AT(data), "busbar-data", 0, 0, NULL,
     "directory of the data; made if missing"},
    {"http", KIND_TEXT, AT(http), "127.0.0.1:8086", 0, 0, NULL,
     "ADDRESS:PORT of the HTTP API; port 0 takes a free one; 'off' for none"},
    {"line", KIND_TEXT, AT(line), "127.0.0.1:8094", 0, 0, NULL,
     "ADDRESS:PORT of the line-protocol listener; 'off' for none"},
    {"line-database", KIND_TEXT, AT(line_database), "energy", 0, 0, NULL,
     "database that lines of the line-protocol listener go to; made if missing"},
    {"line-precision", KIND_CHOICE, AT(line_precision), "ns", 0, 0, "ns n u us ms s m h",
     "unit of their timestamps: ns, u, ms, s, m or h"},
    {"udp", KIND_TEXT, AT(udp), "off", 0, 0, NULL,
     "ADDRESS:PORT of the UDP listener, such as 127.0.0.1:8089; 'off' for none"},
    {"udp-database", KIND_TEXT, AT(udp_database), "udp", 0, 0, NULL,
     "database that lines of the UDP listener go to; made if missing"},
    {"udp-precision", KIND_CHOICE, AT(udp_precision), "ns", 0, 0, "ns n u us ms s m h",
     "unit of their timestamps: ns, u, ms, s, m or h"},
    {"udp-read-buffer", KIND_BYTES, AT(udp_read_buffer), "4MiB", 4 * KIB, GIB, ZERO,
     "datagrams that the system keeps until they are read, as far as it lets; 0: its own default"},
    {"retention-autocreate", KIND_CHOICE, AT(retention_autocreate), "true", 0, 0, "true false",
     "whether CREATE DATABASE makes the policy autogen: true or false"},
    {"cq-enabled", KIND_CHOICE, AT(cq_enabled), "true", 0, 0, "true false",
     "whether continuous queries are run: true or false"},
    {"cq-log-enabled", KIND_CHOICE, AT(cq_log_enabled), "true", 0, 0, "true false",
     "whether each run of one is logged: true or false"},
    {"cq-run-interval", KIND_TIME, AT(cq_run_interval), "1s", 10, DAY, NULL,
     "time between two looks at which of them are due"},
    {"subscriber-enabled", KIND_CHOICE, AT(subscriber_enabled), "true", 0, 0, "true false",
     "whether subscriptions are sent what is written: true or false"},
    {"subscriber-http-timeout", KIND_TIME, AT(subscriber_http_timeout), "30s", 1, DAY, NULL,
     "time for one request to a destination"},
    {"subscriber-insecure-skip-verify", KIND_CHOICE, AT(subscriber_any_certificate), "false", 0, 0,
     "false true", "true: any certificate of a destination of https is taken"},
    {"subscriber-ca-certs", KIND_TEXT, AT(subscriber_ca_certs), "", 0, 0, NULL,
     "file of certificates (PEM) that theirs are checked against; empty: the system's"},
    {"subscriber-write-concurrency", KIND_COUNT, AT(subscriber_write_concurrency), "40", 1, 1024,
     NULL, "requests of one subscription at one time"},
    {"subscriber-write-buffer-size", KIND_COUNT, AT(subscriber_write_buffer_size), "1000", 1,
     1000000, NULL, "writes that wait for one subscription; further ones are not sent to it"},
    {"subscriber-memory", KIND_BYTES, AT(subscriber_memory), "0", 64 * KIB, 64 * TIB, ZERO,
     "part of 'memory' for what waits to be sent; 0: a 32nd"},
    {"auth-enabled", KIND_CHOICE, AT(auth_enabled), "false", 0, 0, "false true",
     "true: requests need a user and a password; 'line' is off then unless it is given"},
    {"ping-auth-enabled", KIND_CHOICE, AT(ping_auth_enabled), "false", 0, 0, "false true",
     "true: /ping, /health, /metrics and /debug/vars need them too"},
    {"log-level", KIND_CHOICE, AT(log_level), "info", 0, 0, "debug info warning error",
     "debug, info, warning or error"},

    {"log-queries-after", KIND_TIME, AT(log_queries_after), "0", 1, 365 * DAY, ZERO,
     "log queries that took longer; 0: none"},

    {"memory", KIND_BYTES, AT(memory), "0", 64 * MIB, 64 * TIB, ZERO,
     "budget of the whole server; 0: half of the machine's memory, 1GiB at the least"},
    {"memtable-memory", KIND_BYTES, AT(memtable_memory), "0", MIB, TIB, ZERO,
     "part of it for one generation of unflushed readings; 0: an eighth, 256MiB at the most"},
    {"query-memory", KIND_BYTES, AT(query_memory), "0", MIB, 64 * TIB, ZERO,
     "part of it for one query; 0: a quarter"},
    {"request-memory", KIND_BYTES, AT(request_memory), "0", MIB, TIB, ZERO,
     "part of it for requests being received; 0: an eighth, 256MiB at the most"},
    {"wal-buffer", KIND_BYTES, AT(wal_buffer), "0", MIB, 4 * GIB, ZERO,
     "log appended and not yet on disk; 0: 32MiB"},
    {"catalog-map", KIND_BYTES, AT(catalog_map), "0", 16 * MIB, 64 * TIB, ZERO,
     "address space of the catalog; 0: 64GiB"},

    {"disk-reserve", KIND_BYTES, AT(disk_reserve), "0", MIB, 64 * TIB, ZERO,
     "free disk space kept for flushes and deletions; 0: a 64th of the disk, at most 256MiB"},

    {"loops", KIND_COUNT, AT(loops), "0", 1, 256, ZERO, "event loops; 0: one per core"},
    {"write-threads", KIND_COUNT, AT(write_threads), "0", 1, 256, ZERO,
     "threads that parse and store writes; 0: one per core"},
    {"query-threads", KIND_COUNT, AT(query_threads), "0", 1, 256, ZERO,
     "threads that scan for all queries together; 0: one per core"},
    {"max-queries", KIND_COUNT, AT(max_queries), "16", 1, 1024, NULL,
     "queries that run at one time"},
    {"max-concurrent-queries", KIND_COUNT, AT(max_concurrent_queries), "0", 1, 1000000, ZERO,
     "queries beyond which one more fails at once; 0: they wait (max-queries)"},
    {"max-series-per-database", KIND_COUNT, AT(max_series_per_database), "0", 1, UINT32_MAX, ZERO,
     "series of a database; points of further ones are refused; 0: no limit"},
    {"max-values-per-tag", KIND_COUNT, AT(max_values_per_tag), "0", 1, UINT32_MAX, ZERO,
     "values of a tag of a measurement; points with further ones are refused; 0: no limit"},
    {"max-select-point", KIND_COUNT, AT(max_select_point), "0", 1, INT64_MAX, ZERO,
     "rows that one SELECT may read; 0: no limit"},
    {"max-select-series", KIND_COUNT, AT(max_select_series), "0", 1, INT64_MAX, ZERO,
     "series of a measurement that one SELECT may select; 0: no limit"},
    {"max-select-buckets", KIND_COUNT, AT(max_select_buckets), "0", 1, INT64_MAX, ZERO,
     "intervals of GROUP BY time() in one SELECT; 0: no limit"},
    {"max-row-limit", KIND_COUNT, AT(max_row_limit), "0", 1, INT64_MAX, ZERO,
     "rows of an answer that is not chunked, which ends there; 0: no limit"},
    {"max-connections", KIND_COUNT, AT(max_connections), "8192", 1, 1000000, NULL,
     "open connections, HTTP and line protocol together"},

    {"max-body", KIND_BYTES, AT(max_body), "25000000", KIB, 4 * GIB, NULL,
     "body of a request, decompressed"},
    {"write-piece", KIND_BYTES, AT(write_piece), "4MiB", 4 * KIB, 16 * MIB, NULL,
     "lines of a /write that are visible together; more of them are stored in pieces of this size"},
    {"max-head", KIND_BYTES, AT(max_head), "1MiB", KIB, 64 * MIB, NULL,
     "request line and headers of a request"},
    {"reply-buffer", KIND_BYTES, AT(reply_buffer), "1MiB", 64 * KIB, GIB, NULL,
     "result of one query that waits for a slow client before the query pauses"},
    {"query-timeout", KIND_TIME, AT(query_timeout), "60s", 1, 365 * DAY, ZERO,
     "time one query may take; 0: as long as it likes"},
    {"queue-timeout", KIND_TIME, AT(queue_timeout), "4s", 1, 60000, NULL,
     "wait for a free thread or memory before the answer is 503"},
    {"idle-timeout", KIND_TIME, AT(idle_timeout), "3m", 1, 365 * DAY, NULL,
     "silence between two requests of an HTTP connection"},
    {"read-timeout", KIND_TIME, AT(read_timeout), "20s", 1, 365 * DAY, NULL,
     "silence within a request, and time for its head"},
    {"request-timeout", KIND_TIME, AT(request_timeout), "3m", 1, 365 * DAY, NULL,
     "time to receive a whole request"},
    {"send-timeout", KIND_TIME, AT(send_timeout), "60s", 1, 365 * DAY, NULL,
     "time in which a client reads nothing of its reply"},

    {"line-batch-lines", KIND_COUNT, AT(line_batch_lines), "5000", 1, 1000000, NULL,
     "lines that the line-protocol listener stores together"},
    {"line-batch-bytes", KIND_BYTES, AT(line_batch_bytes), "1MiB", KIB, GIB, NULL, "or bytes"},
    {"line-batch-delay", KIND_TIME, AT(line_batch_delay), "100ms", 1, 60000, NULL,
     "or time that the first of them has waited"},
    {"line-in-flight", KIND_BYTES, AT(line_in_flight), "4MiB", KIB, GIB, NULL,
     "lines of one connection that are not on disk before it is read no further"},
    {"line-idle-timeout", KIND_TIME, AT(line_idle_timeout), "1h", 1, 365 * DAY, NULL,
     "silence of a line-protocol connection"},
    {"max-line", KIND_BYTES, AT(max_line), "1MiB", 64, 16 * MIB, NULL, "one line"},
    {"reject-log", KIND_BYTES, AT(reject_log), "16MiB", 64 * KIB, 4 * GIB, ZERO,
     "file of lines that the line-protocol listener refused; 0: none is kept"},

    {"drain-timeout", KIND_TIME, AT(drain_timeout), "3s", 1, 60000, NULL,
     "time for requests in flight when the server is told to stop"},
    {"stop-timeout", KIND_TIME, AT(stop_timeout), "9s", 1, 3600000, NULL,
     "time to stop at all: what is not flushed then stays in the log for the next start"},
};

_Static_assert(sizeof(settings_table) / sizeof(settings_table[0]) == SETTING_COUNT,
               "SETTING_COUNT in settings_table.h");

int settings_fail(struct bb_error *err, const char *fmt, ...)
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
    case KIND_CHOICE:
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

/** One of the words in `choices`. */
static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; n > 0 && *p != '\0';) {
        size_t word = strcspn(p, " ");
        if (word == n && memcmp(p, text, n) == 0)
            return true;
        p += word + (p[word] == ' ');
    }
    return false;
}

int settings_set(struct settings *s, const struct setting *setting, const char *source,
                 const char *text, struct bb_error *err)
{
    char *place = (char *)s + setting->offset;
    s->line_given = s->line_given || place == s->line;
    if (setting->kind == KIND_CHOICE && !is_choice(setting->choices, text))
        return settings_fail(err, "%s: '%.100s' is none of: %s", source, text, setting->choices);
    if (setting->kind == KIND_TEXT || setting->kind == KIND_CHOICE) {
        if (strlen(text) >= SETTING_TEXT_MAX)
            return settings_fail(err, "%s: longer than %d bytes", source, SETTING_TEXT_MAX - 1);
        strcpy(place, text);
        return BB_OK;
    }
    uint64_t value;
    if (!parse_number(setting->kind, text, &value))
        return settings_fail(err, "%s: '%.100s' is not %s", source, text,
                             kind_words(setting->kind));
    bool zero = value == 0 && setting->choices == ZERO;
    if (!zero && (value < setting->min || value > setting->max))
        return settings_fail(err, "%s: '%.100s' is out of range (%" PRIu64 " to %" PRIu64 ")",
                             source, text, setting->min, setting->max);
    memcpy(place, &value, sizeof(value));
    return BB_OK;
}

/* ---- texts ---- */

void settings_help(FILE *out)
{
    fputs("busbard: a time-series database for energy readings\n\n"
          "usage: busbard [--config FILE] [--NAME VALUE | --NAME=VALUE]...\n"
          "       busbard --help | --version | --print-config[=sample] | --print-metrics\n\n"
          "Each setting may also stand in the environment (--max-body is BUSBAR_MAX_BODY) or in a\n"
          "file as 'max-body = 8MiB'; " SETTINGS_CONFIG_DEFAULT " is read if it is there.\n"
          "A flag beats the environment, the environment the file. Sizes take KiB, MiB, GiB, TiB;\n"
          "times ms, s, m, h, d.\n\n",
          out);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(out, "  --%-18s %s [%s]\n", settings_table[i].name, settings_table[i].help,
                settings_table[i].preset);
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
    fprintf(out, "%" PRIu64 "%s", value / factor, suffix);
}

static bool is_number(const struct setting *setting)
{
    return setting->kind != KIND_TEXT && setting->kind != KIND_CHOICE;
}

void settings_print(const struct settings *s, FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        const char *place = (const char *)s + setting->offset;
        fprintf(out, "# %s\n%s = ", setting->help, setting->name);
        if (is_number(setting)) {
            uint64_t value;
            memcpy(&value, place, sizeof(value));
            print_number(setting->kind, value, out);
        } else {
            fputs(place, out);
        }
        fputc('\n', out);
    }
}

void settings_sample(FILE *out)
{
    fputs("# Settings of busbard; see busbar.conf(5). Each stands here at its default.\n", out);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        fprintf(out, "\n# %s\n#%s = %s\n", setting->help, setting->name, setting->preset);
    }
}

/** troff takes \- for a hyphen that may be copied, and a dot or quote at a line's start as its own.
 */
static void put_troff(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void put_range(const struct setting *setting, FILE *out)
{
    if (!is_number(setting))
        return;
    fputs("; ", out);
    if (setting->choices == ZERO && strcmp(setting->preset, "0") != 0)
        fputs("0 or ", out);
    print_number(setting->kind, setting->min, out);
    fputs(" to ", out);
    print_number(setting->kind, setting->max, out);
}

void settings_man(FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        fputs(".TP\n.B ", out);
        put_troff(setting->name, out);
        fputc('\n', out);
        put_troff(setting->help, out);
        fputs(".\nDefault ", out);
        put_troff(setting->preset, out);
        put_range(setting, out);
        fputs(".\n", out);
    }
}
