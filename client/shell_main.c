/*
 * busbar's command line, where it is the shell.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/password.h"
#include "client/shell.h"
#include "client/shell_text.h"

#define SCRIPT_MAX ((size_t)256 << 20)

enum setting {
    OPT_RP = 256,
    OPT_PASSWORD,
    OPT_TOKEN,
    OPT_CA,
    OPT_FORMAT,
    OPT_TZ,
    OPT_EPOCH,
    OPT_COLOR,
    OPT_GROUP,
    OPT_TIMING,
    OPT_TIMEOUT,
    OPT_WIDTH,
    OPT_VERSION,
    OPT_HELP,
};

static const struct option long_options[] = {
    {"url", required_argument, NULL, 'H'},
    {"database", required_argument, NULL, 'd'},
    {"rp", required_argument, NULL, OPT_RP},
    {"user", required_argument, NULL, 'u'},
    {"password", required_argument, NULL, OPT_PASSWORD},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"ca-file", required_argument, NULL, OPT_CA},
    {"execute", required_argument, NULL, 'e'},
    {"file", required_argument, NULL, 'f'},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"tz", required_argument, NULL, OPT_TZ},
    {"epoch", required_argument, NULL, OPT_EPOCH},
    {"color", required_argument, NULL, OPT_COLOR},
    {"group", required_argument, NULL, OPT_GROUP},
    {"timing", no_argument, NULL, OPT_TIMING},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"width", required_argument, NULL, OPT_WIDTH},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "usage: busbar [options]            the shell\n"
    "       busbar import|export|status|rejects ...; busbar COMMAND --help\n"
    "\n"
    "  -H, --url URL        the server (http://127.0.0.1:8086; BUSBAR_URL)\n"
    "  -d, --database DB    of queries and writes\n"
    "      --rp NAME        retention policy; the database's default\n"
    "  -u, --user NAME      (BUSBAR_USER); its password is asked for if it is not given\n"
    "      --password WORD  better by BUSBAR_PASSWORD, which no process list shows\n"
    "      --token TOKEN    better by BUSBAR_TOKEN\n"
    "      --ca-file FILE   certificates to trust\n"
    "  -e, --execute TEXT   run statements and \\commands; may be repeated\n"
    "  -f, --file FILE      run what stands in it; - is standard input\n"
    "      --format NAME    table, csv, json, line; table\n"
    "      --group HOW      tables: sections, one for each series; columns, tags among them\n"
    "      --tz ZONE        show times in this zone; local; the query's tz(), or UTC, without\n"
    "      --epoch UNIT     show times as numbers of ns, u, ms, s, m or h\n"
    "      --color WHEN     auto, always, never; NO_COLOR is heeded\n"
    "      --timing         tell how long each query took\n"
    "      --timeout S      end a query after as many seconds\n"
    "      --width N        columns of a table; the terminal's\n"
    "      --version, --help\n"
    "\n"
    "Without -e and -f, statements are read from standard input; at a terminal with\n"
    "history, completion and \\? for help. Exit codes: 0 done, 1 a statement failed,\n"
    "2 usage, 3 no server there, 4 a file, 5 not allowed, 6 the connection broke,\n"
    "7 what answers is no InfluxDB API, 130 interrupted.\n";

/* What -e and -f asked for, in their order. */
struct job {
    bool file;
    const char *what;
};

struct arguments {
    struct job *jobs; /* [argc] at most */
    size_t job_count;
    const char *color;
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "busbar: %s%s; busbar --help\n", what, value);
    return BBSH_EXIT_USAGE;
}

static bool number(const char *s, double most, double *value)
{
    char *end;
    *value = strtod(s, &end);
    return end != s && *end == '\0' && *value > 0 && *value <= most;
}

static bool is_unit(const char *s)
{
    static const char *const units[] = {"ns", "n", "u", "us", "ms", "s", "m", "h"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i], s) == 0)
            return true;
    return false;
}

static int take_setting(struct shell *shell, struct arguments *args, int c, const char *value)
{
    double x;
    switch (c) {
    case OPT_FORMAT:
        shell->format = bbsh_format_find(value);
        return shell->format != NULL ? 0 : usage("no such format: ", value);
    case OPT_TZ:
        if (!bbsh_set_zone(value))
            return usage("no such time zone: ", value);
        snprintf(shell->zone, sizeof(shell->zone), "%s", value);
        return 0;
    case OPT_EPOCH:
        shell->epoch = value;
        return is_unit(value) ? 0 : usage("no such unit of time: ", value);
    case OPT_COLOR:
        args->color = value;
        if (strcmp(value, "auto") != 0 && strcmp(value, "always") != 0 &&
            strcmp(value, "never") != 0)
            return usage("--color wants auto, always or never, not ", value);
        return 0;
    case OPT_GROUP:
        shell->tags_as_columns = strcmp(value, "columns") == 0;
        if (!shell->tags_as_columns && strcmp(value, "sections") != 0)
            return usage("--group wants sections or columns, not ", value);
        return 0;
    case OPT_TIMING:
        shell->timing = true;
        return 0;
    case OPT_TIMEOUT:
        if (!number(value, 1e6, &x))
            return usage("--timeout wants seconds, not ", value);
        shell->options.query_timeout_ms = (uint32_t)(x * 1000);
        return 0;
    case OPT_WIDTH:
        if (!number(value, 10000, &x))
            return usage("--width wants a number of columns, not ", value);
        shell->fixed_width = (unsigned)x;
        return 0;
    default:
        return BBSH_EXIT_USAGE;
    }
}

/* 0: go on; else the exit code + 1. */
static int take(struct shell *shell, struct arguments *args, int c, const char *value)
{
    struct bb_client_options *o = &shell->options;
    switch (c) {
    case 'H':
        o->url = value;
        return 0;
    case 'd':
        o->database = value;
        return 0;
    case OPT_RP:
        o->retention_policy = value;
        return 0;
    case 'u':
        o->user = value;
        return 0;
    case OPT_PASSWORD:
        o->password = value;
        return 0;
    case OPT_TOKEN:
        o->token = value;
        return 0;
    case OPT_CA:
        o->ca_file = value;
        return 0;
    case 'e':
    case 'f':
        args->jobs[args->job_count++] = (struct job){c == 'f', value};
        return 0;
    case OPT_HELP:
        fputs(help_text, stdout);
        return BBSH_EXIT_OK + 1;
    case OPT_VERSION:
        printf("busbar %s\n", bb_client_version());
        return BBSH_EXIT_OK + 1;
    case '?':
        fputs("busbar --help tells the options; those of a command (import, export, ...) stand "
              "behind it\n",
              stderr);
        return BBSH_EXIT_USAGE + 1;
    default: {
        int rc = take_setting(shell, args, c, value);
        return rc == 0 ? 0 : rc + 1;
    }
    }
}

static void defaults(struct shell *shell)
{
    *shell = (struct shell){.format = &bbsh_table, .out = stdout};
    text_init(&shell->last, SCRIPT_MAX);
    bb_client_options_init(&shell->options);
    const char *url = getenv("BUSBAR_URL");
    if (url != NULL && url[0] != '\0')
        shell->options.url = url;
    shell->options.user = getenv("BUSBAR_USER");
    shell->options.password = getenv("BUSBAR_PASSWORD");
    shell->options.token = getenv("BUSBAR_TOKEN");
    /* A statement at the prompt is not to hang for a minute. */
    shell->options.retry_total_ms = 5000;
}

static bool wants_color(const struct shell *shell, const char *when)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (when != NULL && strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return (no == NULL || no[0] == '\0') && isatty(fileno(shell->out)) && isatty(STDERR_FILENO) &&
           term != NULL && strcmp(term, "dumb") != 0;
}

static bool read_all(FILE *file, struct text *script)
{
    char piece[65536];
    size_t n;
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        text_put(script, piece, n);
    return !ferror(file) && !script->failed;
}

static void run_file(struct shell *shell, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "r");
    struct text script;
    text_init(&script, SCRIPT_MAX);
    errno = 0;
    if (file == NULL || !read_all(file, &script)) {
        bbsh_complain(shell, BBSH_EXIT_FILE, "error: %s: %s", standard ? "standard input" : path,
                      script.failed ? "too long" : strerror(errno));
    } else if (script.len > 0 && strlen(script.data) != script.len) {
        bbsh_complain(shell, BBSH_EXIT_FILE, "error: %s: this is no text", path);
    } else {
        bbsh_run_text(shell, text_get(&script));
    }
    if (file != NULL && !standard)
        fclose(file);
    text_fini(&script);
}

static void run(struct shell *shell, const struct arguments *args)
{
    bbsh_catch_interrupts();
    for (size_t i = 0; i < args->job_count && !shell->quit; i++) {
        if (args->jobs[i].file)
            run_file(shell, args->jobs[i].what);
        else
            bbsh_run_text(shell, args->jobs[i].what);
        if (shell->exit_code > BBSH_EXIT_USAGE)
            return;
    }
    if (args->job_count > 0)
        return;
    shell->interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (shell->interactive)
        bbsh_interact(shell);
    else
        run_file(shell, "-");
}

static int start(struct shell *shell, const struct arguments *args)
{
    shell->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!shell->utf8)
        setlocale(LC_CTYPE, "C.UTF-8"); /* widths and escapes are of what the server sends */
    shell->color = wants_color(shell, args->color);
    snprintf(shell->database, sizeof(shell->database), "%s",
             shell->options.database != NULL ? shell->options.database : "");
    snprintf(shell->policy, sizeof(shell->policy), "%s",
             shell->options.retention_policy != NULL ? shell->options.retention_policy : "");
    if (!bbsh_connect(shell))
        return shell->exit_code;
    run(shell, args);
    if (fflush(shell->out) != 0 && shell->exit_code == BBSH_EXIT_OK)
        shell->exit_code = BBSH_EXIT_FILE;
    return shell->exit_code;
}

/** With the password that belongs to the user's name, asked for if it is not given. */
static int start_as(struct shell *shell, const struct arguments *args)
{
    password_complete(&shell->password, &shell->options);
    int rc = start(shell, args);
    password_forget(&shell->password, &shell->options);
    return rc;
}

int bbsh_main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    struct shell shell;
    defaults(&shell);
    struct arguments args = {.jobs = calloc((size_t)argc + 1, sizeof(struct job))};
    if (args.jobs == NULL)
        return BBSH_EXIT_FAILED;
    int c, rc = 0;
    while (rc == 0 && (c = getopt_long(argc, argv, "H:d:u:e:f:", long_options, NULL)) >= 0)
        rc = take(&shell, &args, c, optarg);
    if (rc == 0 && optind < argc)
        rc = usage("a command is the first word, its options follow; not so: ", argv[optind]) + 1;
    rc = rc == 0 ? start_as(&shell, &args) : rc - 1;
    bb_client_destroy(&shell.client);
    text_fini(&shell.last);
    free(args.jobs);
    return rc;
}
