#include "client/status.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/import_conn.h"
#include "client/import_exit.h"
#include "client/password.h"
#include "client/status_print.h"

static const char usage_text[] =
    "usage: busbar status [options]\n"
    "\n"
    "What the server holds and does: databases, series, partitions, segments, bytes a value, log,\n"
    "memory, rates. docs/operations.md says what to make of it.\n"
    "\n" CONN_USAGE "  --json                  as the server tells it\n"
    "  --watch SECONDS         again and again, until interrupted\n"
    "\n"
    "exit codes: 0 healthy; 1 not: read-only, or something is damaged; 2 usage; 3 nobody answers;\n"
    "5 access denied; 6 the connection broke; 7 what answers is no Busbar\n";

enum {
    OPT_JSON = 256,
    OPT_WATCH
};

static const struct option long_options[] = {
    CONN_LONG_OPTIONS,
    {"json", no_argument, NULL, OPT_JSON},
    {"watch", required_argument, NULL, OPT_WATCH},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct status {
    struct bb_client_options client_options;
    bool json;
    unsigned watch_s;
    struct bb_client *client;
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    stopped = signal_number;
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "busbar status: %s%s; --help lists the options\n", what, value);
    return EXIT_USAGE;
}

static int parse_options(struct status *s, int argc, char **argv)
{
    int c;
    char *end;
    conn_init(&s->client_options);
    optind = 1;
    while ((c = getopt_long(argc, argv, "H:d:u:h", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return EXIT_OK;
        }
        if (c == OPT_JSON) {
            s->json = true;
        } else if (c == OPT_WATCH) {
            unsigned long n = strtoul(optarg, &end, 10);
            if (*end != '\0' || n == 0 || n > 86400)
                return usage_error("--watch: seconds, 1 to 86400, not ", optarg);
            s->watch_s = (unsigned)n;
        } else if (c == '?' || !conn_take(&s->client_options, c, optarg)) {
            return usage_error("not understood", "");
        }
    }
    return optind < argc ? usage_error("what is this: ", argv[optind]) : -1;
}

static int fail(const struct bb_client_error *err)
{
    fprintf(stderr, "busbar status: %s\n", err->text);
    return import_exit_of(err);
}

/** Show the state once. */
static int show(struct status *s)
{
    struct bb_client_error err;
    struct import_buf out = {0};
    char *status = NULL, *metrics = NULL, *health = NULL;
    bool healthy = false;
    int code = EXIT_OK;
    if (bb_client_get(s->client, "/debug/status", &status, NULL, &err) != BB_CLIENT_OK)
        code = fail(&err);
    bool passes = code == EXIT_OK &&
                  bb_client_get(s->client, "/health", &health, NULL, &err) == BB_CLIENT_OK;
    if (code == EXIT_OK && !s->json &&
        bb_client_get(s->client, "/metrics", &metrics, NULL, &err) != BB_CLIENT_OK)
        code = fail(&err);
    struct status_replies replies = {bb_client_url(s->client), status, metrics, passes,
                                     health == NULL ? err.text : health};
    const char *wrong = code == EXIT_OK ? status_print(&replies, &out, &healthy) : NULL;
    if (wrong != NULL) {
        fprintf(stderr, "busbar status: %s\n", wrong);
        code = EXIT_PROTOCOL;
    } else if (code == EXIT_OK) {
        if (s->watch_s > 0 && !s->json && isatty(STDOUT_FILENO))
            fputs("\033[H\033[J", stdout);
        fputs(s->json ? status : import_buf_text(&out), stdout);
        code = fflush(stdout) == 0 ? (healthy ? EXIT_OK : EXIT_FAILED) : EXIT_FILE;
    }
    bb_client_free(status);
    bb_client_free(metrics);
    bb_client_free(health);
    import_buf_fini(&out);
    return code;
}

int bbsh_status_main(int argc, char **argv)
{
    struct status s = {0};
    struct bb_client_error err;
    struct sigaction action = {.sa_handler = stop};
    struct password password;
    int code = parse_options(&s, argc, argv);
    if (code >= 0)
        return code;
    password_complete(&password, &s.client_options);
    int rc = bb_client_create(&s.client, &s.client_options, &err);
    password_forget(&password, &s.client_options);
    if (rc != BB_CLIENT_OK)
        return fail(&err);
    if (s.watch_s > 0) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
    }
    do {
        code = show(&s);
        if (s.watch_s > 0 && stopped == 0)
            sleep(s.watch_s);
    } while (s.watch_s > 0 && stopped == 0 && code != EXIT_FILE);
    bb_client_destroy(&s.client);
    return code;
}
