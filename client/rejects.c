/*
 * busbar rejects: the lines that the server's line-protocol listener refused; list them, write them
 * again, drop them.
 */
#include "client/rejects.h"

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/import_conn.h"
#include "client/password.h"
#include "client/shell.h"
#include "client/shell_text.h"

enum {
    OPT_ID = 256,
    OPT_LIMIT,
    OPT_JSON,
    OPT_HELP,
};

static const char usage_text[] =
    "usage: busbar rejects [list|resubmit|drop] [options]\n"
    "\n"
    "What the line-protocol listener refused and keeps, oldest first. list prints each line\n"
    "behind a comment with its id and reason; resubmit writes lines again, and those that are\n"
    "stored are no longer kept; drop forgets them.\n"
    "\n"
    "      --id 3,17            only these; without it, all\n"
    "      --limit N            list at most as many (1000)\n"
    "      --json               print what the server says\n" CONN_USAGE;

static const struct option long_options[] = {
    CONN_LONG_OPTIONS,
    {"id", required_argument, NULL, OPT_ID},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

struct rejects {
    struct bb_client_options options;
    const char *action;
    const char *ids;   /* NULL: all */
    const char *limit; /* NULL: the server's */
    bool json;
    bool help;
};

static bool made_of(const char *s, const char *characters)
{
    return *s != '\0' && s[strspn(s, characters)] == '\0';
}

static bool take_arguments(struct rejects *r, int argc, char **argv)
{
    int c;
    while ((c = getopt_long(argc, argv, "H:d:u:", long_options, NULL)) >= 0) {
        if (c == OPT_HELP)
            r->help = true;
        else if (c == OPT_JSON)
            r->json = true;
        else if (c == OPT_ID && made_of(optarg, "0123456789,"))
            r->ids = optarg;
        else if (c == OPT_LIMIT && made_of(optarg, "0123456789"))
            r->limit = optarg;
        else if (!conn_take(&r->options, c, optarg))
            return false;
    }
    r->action = optind < argc ? argv[optind++] : "list";
    return optind == argc && (strcmp(r->action, "list") == 0 ||
                              strcmp(r->action, "resubmit") == 0 || strcmp(r->action, "drop") == 0);
}

static int request(struct bb_client *client, const struct rejects *r, char **body,
                   struct bb_client_error *error)
{
    struct text path;
    text_init(&path, (size_t)1 << 20);
    text_puts(&path, "/debug/rejects?");
    if (r->ids != NULL)
        text_printf(&path, "id=%s&", r->ids);
    if (r->limit != NULL)
        text_printf(&path, "limit=%s&", r->limit);
    int rc;
    if (strcmp(r->action, "resubmit") == 0) {
        text_puts(&path, "resubmit=true");
        rc = bb_client_post(client, text_get(&path), "", 0, body, NULL, error);
    } else if (strcmp(r->action, "drop") == 0) {
        rc = bb_client_delete(client, text_get(&path), body, NULL, error);
    } else {
        text_puts(&path, r->json ? "format=json" : "format=lp");
        rc = bb_client_get(client, text_get(&path), body, NULL, error);
    }
    text_fini(&path);
    return rc;
}

/* At a terminal, what a stranger sent must not command it; in a file it stays as it came. */
static void print(const char *body)
{
    struct text line;
    text_init(&line, (size_t)1 << 30);
    while (*body != '\0') {
        size_t n = strcspn(body, "\n");
        text_clear(&line);
        bbsh_put_safe(&line, body, n);
        puts(text_get(&line));
        body += n + (body[n] == '\n');
    }
    text_fini(&line);
}

int bbsh_rejects_main(int argc, char **argv)
{
    struct rejects r = {.action = "list"};
    conn_init(&r.options);
    if (!take_arguments(&r, argc, argv)) {
        fputs("busbar rejects: list, resubmit or drop; busbar rejects --help\n", stderr);
        return BBSH_EXIT_USAGE;
    }
    if (r.help) {
        fputs(usage_text, stdout);
        return BBSH_EXIT_OK;
    }
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        setlocale(LC_CTYPE, "");
    struct bb_client_error error;
    struct bb_client *client;
    char *body = NULL;
    struct password password;
    password_complete(&password, &r.options);
    int rc = bb_client_create(&client, &r.options, &error);
    password_forget(&password, &r.options);
    if (rc == BB_CLIENT_OK)
        rc = request(client, &r, &body, &error);
    if (rc != BB_CLIENT_OK)
        fprintf(stderr, "busbar rejects: %s\n", error.text);
    else if (body != NULL && isatty(STDOUT_FILENO))
        print(body);
    else if (body != NULL)
        fputs(body, stdout);
    bb_client_free(body);
    bb_client_destroy(&client);
    return rc == BB_CLIENT_OK ? BBSH_EXIT_OK : bbsh_exit_code(&error);
}
