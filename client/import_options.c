#include "client/import_options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "client/import_conn.h"
#include "client/import_exit.h"

static const char usage_text[] =
    "usage: busbar import [options] FILE...\n"
    "\n"
    "Store the readings of CSV files or of files of line protocol; - is standard input, gzip is\n"
    "told by its content. An import that was interrupted goes on where the server has\n"
    "acknowledged, when the same command is run again.\n"
    "\n"
    "where to\n" CONN_USAGE "  --create                make the database if it is missing\n"
    "\n"
    "what columns mean; what is not said is guessed, and --dry-run shows it\n"
    "  -m, --map COLUMN=ROLE   repeatable; ROLE is tag[:KEY], field[:NAME[:TYPE]],\n"
    "                          time[:FORMAT], measurement or skip; COLUMN is a header's name,\n"
    "                          #N, DATE+CLOCK for time, or * for all the others;\n"
    "                          *=wide:TAG:FIELD[:TYPE] makes each other column a series;\n"
    "                          TYPE: float, int, uint, bool, string; FORMAT: auto, dmy, mdy,\n"
    "                          s, ms, us, ns or a pattern such as %d/%m/%Y %H:%M\n"
    "  --measurement NAME      where no column is it (reading)\n"
    "  -t, --tag KEY=VALUE     a tag of all rows; repeatable\n"
    "  --tz ZONE               zone of times without an offset: UTC, +01:00, Europe/Berlin\n"
    "  --stamp begin|end       whether times tell an interval's begin or its end; stored is the\n"
    "  --interval DURATION     begin, so `end` needs its length: 30m, 1h, 1d, 1mo\n"
    "\n"
    "how the file is written\n"
    "  --format csv|line       (told by the content)\n"
    "  --columns A,B,...       names of the columns of a file without a header\n"
    "  --delimiter CHAR        (told by the header; 'tab' for a tab)\n"
    "  --decimal CHAR          decimal point (.)\n"
    "  --comment CHAR          lines that begin with it are passed over\n"
    "  --precision UNIT        unit of a line's timestamp: ns, us, ms, s, m, h (ns)\n"
    "\n"
    "how to go about it\n"
    "  -n, --dry-run           show the columns' meaning and the first lines; store nothing\n"
    "  --lines N               how many of them (10)\n"
    "  --rejects FILE          where refused rows go (FILE.rejects)\n"
    "  --restart               from the first row, whatever an earlier run has stored\n"
    "  --batch N               rows that are sent together (10000)\n"
    "  -q, --quiet             no progress and no summary\n"
    "\n"
    "exit codes: 0 all rows are stored; 1 some were rejected, or the server refused; 2 usage;\n"
    "3 nobody answers; 4 a file cannot be read or is not what it says; 5 access denied;\n"
    "6 the connection broke; 7 what answers is no InfluxDB API; 130 interrupted\n";

enum {
    OPT_CREATE = 256,
    OPT_MEASUREMENT,
    OPT_TZ,
    OPT_STAMP,
    OPT_INTERVAL,
    OPT_FORMAT,
    OPT_COLUMNS,
    OPT_DELIMITER,
    OPT_DECIMAL,
    OPT_COMMENT,
    OPT_PRECISION,
    OPT_LINES,
    OPT_REJECTS,
    OPT_RESTART,
    OPT_BATCH
};

static const struct option long_options[] = {
    CONN_LONG_OPTIONS,
    {"create", no_argument, NULL, OPT_CREATE},
    {"map", required_argument, NULL, 'm'},
    {"measurement", required_argument, NULL, OPT_MEASUREMENT},
    {"tag", required_argument, NULL, 't'},
    {"tz", required_argument, NULL, OPT_TZ},
    {"stamp", required_argument, NULL, OPT_STAMP},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"columns", required_argument, NULL, OPT_COLUMNS},
    {"delimiter", required_argument, NULL, OPT_DELIMITER},
    {"decimal", required_argument, NULL, OPT_DECIMAL},
    {"comment", required_argument, NULL, OPT_COMMENT},
    {"precision", required_argument, NULL, OPT_PRECISION},
    {"dry-run", no_argument, NULL, 'n'},
    {"lines", required_argument, NULL, OPT_LINES},
    {"rejects", required_argument, NULL, OPT_REJECTS},
    {"restart", no_argument, NULL, OPT_RESTART},
    {"batch", required_argument, NULL, OPT_BATCH},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int usage_error(const char *text, const char *value)
{
    fprintf(stderr, "busbar import: %s%s\n", text, value);
    return EXIT_USAGE;
}

/** 30m, 1h, 1d, 1mo. */
static bool parse_interval(const char *text, struct row_options *row)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    if (*text < '0' || *text > '9' || n == 0 || n > 100000)
        return false;
    row->interval_s = 0;
    row->interval_months = strcmp(end, "mo") == 0  ? (int)n
                           : strcmp(end, "y") == 0 ? (int)n * 12
                                                   : 0;
    row->interval_is_days = *end == 'd' || *end == 'w';
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0)
            row->interval_s = (int64_t)n * units[i].seconds;
    }
    return row->interval_s > 0 || row->interval_months > 0;
}

static bool is_precision(const char *text)
{
    static const char *const units[] = {"ns", "n", "us", "u", "ms", "s", "m", "h"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i]) == 0)
            return true;
    }
    return false;
}

static bool parse_char(const char *text, char *c)
{
    bool tab = strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0;
    *c = tab ? '\t' : *text;
    return tab || (text[0] != '\0' && text[1] == '\0' && *text != '"' && *text != '\n');
}

static bool parse_count(const char *text, unsigned max, unsigned *value)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *value = (unsigned)n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n > 0 && n <= max;
}

static bool add_to_list(const char **list, unsigned *n, const char *value)
{
    if (*n == IMPORT_LIST_MAX)
        return false;
    list[(*n)++] = value;
    return true;
}

static bool set_format(struct import_options *o, const char *value)
{
    bool csv = strcmp(value, "csv") == 0;
    o->format = csv ? FORMAT_CSV : FORMAT_LINE;
    return csv || strcmp(value, "line") == 0;
}

/** How the file is written. */
static bool take_file_option(struct import_options *o, int c, const char *value)
{
    switch (c) {
    case OPT_FORMAT:
        return set_format(o, value);
    case OPT_COLUMNS:
        o->columns = value;
        return *value != '\0';
    case OPT_DELIMITER:
        return parse_char(value, &o->delimiter);
    case OPT_DECIMAL:
        return parse_char(value, &o->row.decimal);
    case OPT_COMMENT:
        return parse_char(value, &o->comment);
    case OPT_PRECISION:
        o->precision = value;
        return is_precision(value);
    case OPT_LINES:
        return parse_count(value, 1000000, &o->dry_lines);
    case OPT_REJECTS:
        o->rejects = value;
        return *value != '\0';
    case OPT_BATCH:
        return parse_count(value, 1000000, &o->batch_rows);
    default:
        return false;
    }
}

static bool take_map_option(struct import_options *o, int c, const char *value)
{
    switch (c) {
    case 'm':
        return add_to_list(o->maps, &o->map_count, value);
    case 't':
        return add_to_list(o->tags, &o->row.tag_count, value);
    case OPT_MEASUREMENT:
        o->row.measurement = value;
        return *value != '\0';
    case OPT_TZ:
        o->tz = value;
        return true;
    case OPT_STAMP:
        o->row.end_stamped = strcmp(value, "end") == 0;
        return o->row.end_stamped || strcmp(value, "begin") == 0;
    case OPT_INTERVAL:
        return parse_interval(value, &o->row);
    default:
        return take_file_option(o, c, value);
    }
}

static bool take_option(struct import_options *o, int c, char *value)
{
    switch (c) {
    case OPT_CREATE:
        o->create = true;
        return true;
    case OPT_RESTART:
        o->restart = true;
        return true;
    case 'n':
        o->dry_run = true;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    default:
        return conn_take(&o->client, c, value) || take_map_option(o, c, value);
    }
}

static const char *name_of(int c)
{
    for (const struct option *o = long_options; o->name != NULL; o++) {
        if (o->val == c)
            return o->name;
    }
    return "?";
}

static int check(struct import_options *o)
{
    if (o->file_count == 0)
        return usage_error("name a file, or - for standard input; --help tells more", "");
    if (o->row.end_stamped && o->row.interval_s == 0 && o->row.interval_months == 0)
        return usage_error("--stamp end needs the length of the interval: --interval 30m", "");
    if (o->delimiter != '\0' && o->delimiter == o->row.decimal)
        return usage_error("the delimiter and the decimal point are the same character", "");
    return -1;
}

int import_options_parse(struct import_options *o, int argc, char **argv)
{
    *o = (struct import_options){
        .dry_lines = 10, .batch_rows = 10000, .precision = "ns", .tz = "UTC"};
    conn_init(&o->client);
    o->row = (struct row_options){.measurement = "reading", .decimal = '.'};
    o->row.tags = o->tags;
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "H:d:u:m:t:nqh", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return EXIT_OK;
        }
        if (c == '?')
            return usage_error("--help lists the options", "");
        if (!take_option(o, c, optarg)) {
            fprintf(stderr, "busbar import: --%s %s: not understood; --help tells more\n",
                    name_of(c), optarg);
            return EXIT_USAGE;
        }
    }
    o->database_given = o->client.database != NULL;
    o->files = (const char *const *)argv + optind;
    o->file_count = argc - optind;
    return check(o);
}

static uint32_t add_text(uint32_t crc, const char *text)
{
    return text == NULL ? (uint32_t)crc32(crc, (const unsigned char *)"\1", 1)
                        : (uint32_t)crc32(crc, (const unsigned char *)text, (uInt)strlen(text) + 1);
}

uint32_t import_options_crc(const struct import_options *o)
{
    uint32_t crc = 0;
    char numbers[128];
    for (unsigned i = 0; i < o->map_count; i++)
        crc = add_text(crc, o->maps[i]);
    for (unsigned i = 0; i < o->row.tag_count; i++)
        crc = add_text(crc, o->tags[i]);
    crc = add_text(add_text(add_text(crc, o->row.measurement), o->columns), o->tz);
    crc = add_text(crc, o->precision);
    snprintf(numbers, sizeof(numbers), "%d %d %lld %d %d %d %d", o->format, o->row.end_stamped,
             (long long)o->row.interval_s, o->row.interval_months, o->delimiter, o->row.decimal,
             o->comment);
    return add_text(crc, numbers);
}
