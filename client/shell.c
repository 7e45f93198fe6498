#include "client/shell.h"
#include "client/shell_influx.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/clock.h"
#include "client/shell_input.h"
#include "client/shell_text.h"

volatile sig_atomic_t bbsh_interrupted;
static struct bb_client *volatile running;

static void on_interrupt(int signal)
{
    (void)signal;
    bbsh_interrupted = 1;
    struct bb_client *client = running;
    if (client != NULL)
        bb_client_cancel(client);
}

void bbsh_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

const struct bbsh_output *bbsh_format_find(const char *name)
{
    static const struct bbsh_output *const formats[] = {&bbsh_table, &bbsh_csv, &bbsh_json,
                                                        &bbsh_line};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

int bbsh_exit_code(const struct bb_client_error *error)
{
    switch (error->kind) {
    case BB_CLIENT_OK:
        return BBSH_EXIT_OK;
    case BB_CLIENT_USAGE:
        return BBSH_EXIT_USAGE;
    case BB_CLIENT_UNREACHABLE:
        return BBSH_EXIT_UNREACHABLE;
    case BB_CLIENT_BROKEN:
    case BB_CLIENT_TIMEOUT:
        return BBSH_EXIT_LOST;
    case BB_CLIENT_HTTP:
    case BB_CLIENT_PROTOCOL:
        return BBSH_EXIT_PROTOCOL;
    case BB_CLIENT_SERVER:
        return error->status == 401 || error->status == 403 ? BBSH_EXIT_DENIED : BBSH_EXIT_FAILED;
    case BB_CLIENT_CANCELED:
        return BBSH_EXIT_INTERRUPTED;
    default:
        return BBSH_EXIT_FAILED;
    }
}

static void record(struct shell *shell, int exit_code)
{
    if (shell->exit_code == BBSH_EXIT_OK)
        shell->exit_code = exit_code;
}

static void tell(const struct shell *shell, const char *said)
{
    struct text safe;
    text_init(&safe, (size_t)1 << 20);
    bbsh_put_safe(&safe, said, strlen(said));
    fflush(shell->out);
    fprintf(stderr, "%s%s%s\n", shell->color ? "\033[31m" : "", text_get(&safe),
            shell->color ? "\033[0m" : "");
    text_fini(&safe);
}

void bbsh_complain(struct shell *shell, int exit_code, const char *fmt, ...)
{
    char said[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(said, sizeof(said), fmt, args);
    va_end(args);
    tell(shell, said);
    record(shell, exit_code);
}

void bbsh_tell(struct shell *shell, const struct bb_client_error *error)
{
    struct text said;
    text_init(&said, (size_t)1 << 16);
    text_printf(&said, "error: %s", error->text);
    tell(shell, text_get(&said));
    text_fini(&said);
    record(shell, bbsh_exit_code(error));
}

/* One query on its way to an output. */
struct run {
    struct shell *shell;
    const struct bbsh_output *output;
    void *state;
};

static int run_statement(void *arg, unsigned statement)
{
    struct run *r = arg;
    return r->output->statement == NULL ? 0 : r->output->statement(r->state, statement);
}

static int run_series(void *arg, const struct bb_client_series *series)
{
    struct run *r = arg;
    return r->output->series(r->state, series);
}

static int run_row(void *arg, const struct bb_client_cell *cells, size_t n)
{
    struct run *r = arg;
    return bbsh_interrupted ? 1 : r->output->row(r->state, cells, n);
}

static int run_message(void *arg, const char *level, const char *text)
{
    struct run *r = arg;
    return r->output->message == NULL ? 0 : r->output->message(r->state, level, text);
}

static int run_failed(void *arg, unsigned statement, const char *text)
{
    struct run *r = arg;
    int rc = 0;
    if (r->output->failed != NULL) {
        rc = r->output->failed(r->state, statement, text);
        record(r->shell, BBSH_EXIT_FAILED);
    } else {
        bbsh_complain(r->shell, BBSH_EXIT_FAILED, "error: %s", text);
    }
    return rc;
}

static int finish(struct shell *shell, int rc, const struct bb_client_error *error)
{
    if (rc == BB_CLIENT_CANCELED && bbsh_interrupted) {
        fputs("canceled\n", stderr);
        record(shell, BBSH_EXIT_INTERRUPTED);
    } else if (rc == BB_CLIENT_CANCELED) {
        /* An output gave up: it told why, or what reads from it has gone. */
        if (ferror(shell->out))
            shell->quit = true;
        record(shell, BBSH_EXIT_FAILED);
    } else if (rc != BB_CLIENT_OK) {
        bbsh_tell(shell, error);
    }
    return rc;
}

/* Who cannot be told anything is left. But an interrupt ends a write too: what is left of the
 * answer goes, and the next one is shown. */
static void flush_answer(struct shell *shell)
{
    bool failed = fflush(shell->out) != 0;
    if (!bbsh_interrupted) {
        shell->quit = shell->quit || failed;
        return;
    }
    if (failed)
        __fpurge(shell->out);
    clearerr(shell->out);
}

static int run_query(struct shell *shell, const char *text, const struct bbsh_output *output,
                     const char *argument)
{
    struct run run = {shell, output, output->open(shell, argument)};
    if (run.state == NULL) {
        bbsh_complain(shell, BBSH_EXIT_FAILED, "error: out of memory");
        return BB_CLIENT_NOMEM;
    }
    struct bb_client_handler handler = {
        .arg = &run,
        .statement = run_statement,
        .series = run_series,
        .row = run_row,
        .message = run_message,
        .statement_error = run_failed,
    };
    struct bb_client_query_options options = {.epoch = "ns"};
    struct bb_client_error error;
    int64_t start_ns = clock_now_ns();
    bbsh_interrupted = 0;
    running = shell->client;
    int rc = bb_client_query(shell->client, text, &options, &handler, &error);
    running = NULL;
    output->close(run.state, rc == BB_CLIENT_OK);
    flush_answer(shell);
    finish(shell, rc, &error);
    if (shell->timing)
        fprintf(stderr, "%.1f ms\n", (double)(clock_now_ns() - start_ns) / 1e6);
    return rc;
}

int bbsh_run_query(struct shell *shell, const char *text, const struct bbsh_output *output,
                   const char *argument)
{
    /* Where nobody asked for a zone, times are told in that of the query's windows. */
    const bool follow = shell->zone[0] == '\0';
    if (follow) {
        bbsh_find_zone(text, shell->zone, sizeof(shell->zone));
        if (!bbsh_set_zone(shell->zone))
            shell->zone[0] = '\0';
    }
    int rc = run_query(shell, text, output, argument);
    if (follow)
        shell->zone[0] = '\0';
    return rc;
}

/** DB[.RP], quoted or not, of n bytes. Returns how many parts it has. */
static int split_name(const char *name, size_t n, char parts[2][256])
{
    int part = 0;
    size_t len = 0;
    char quote = '\0';
    parts[0][0] = parts[1][0] = '\0';
    for (const char *s = name; s < name + n && *s != '\0'; s++) {
        if (quote == '\0' && *s == '.' && part == 0) {
            part = 1;
            len = 0;
        } else if (quote == '\0' && *s == '"') {
            quote = '"';
        } else if (quote != '\0' && *s == '"') {
            quote = '\0';
        } else if (len + 1 < 256) {
            if (quote != '\0' && *s == '\\' && s[1] != '\0')
                s++;
            parts[part][len++] = *s;
            parts[part][len] = '\0';
        }
    }
    return part + 1;
}

void bbsh_use(struct shell *shell, const char *name)
{
    char parts[2][256];
    struct bb_client_error error;
    (void)split_name(name, strlen(name), parts);
    if (parts[0][0] == '\0') {
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: use which database?");
    } else if (bb_client_use(shell->client, parts[0], parts[1], &error) != BB_CLIENT_OK) {
        bbsh_tell(shell, &error);
    } else {
        snprintf(shell->database, sizeof(shell->database), "%s", parts[0]);
        snprintf(shell->policy, sizeof(shell->policy), "%s", parts[1]);
    }
}

bool bbsh_connect(struct shell *shell)
{
    struct bb_client_error error;
    struct bb_client_options options = shell->options;
    struct bb_client *client;
    options.database = shell->database;
    options.retention_policy = shell->policy;
    if (bb_client_create(&client, &options, &error) != BB_CLIENT_OK) {
        bbsh_tell(shell, &error);
        return false;
    }
    bb_client_destroy(&shell->client);
    shell->client = client;
    return true;
}

/** [INTO [DB.]RP] LINE */
static void insert(struct shell *shell, const char *text)
{
    char parts[2][256];
    struct bb_client_error error;
    size_t into = bbsh_influx_target(text);
    const char *line = text + into + strspn(text + into, " \t");
    if (into > 0) {
        const char *name = text + strlen("into ");
        bool full = split_name(name, (size_t)(text + into - name), parts) == 2;
        if (bb_client_use(shell->client, full ? parts[0] : shell->database, parts[full ? 1 : 0],
                          &error) != BB_CLIENT_OK) {
            bbsh_tell(shell, &error);
            return;
        }
    }
    bbsh_interrupted = 0;
    running = shell->client;
    int rc = bb_client_write(shell->client, line, strlen(line), &error);
    running = NULL;
    finish(shell, rc, &error);
    if (into > 0 &&
        bb_client_use(shell->client, shell->database, shell->policy, &error) != BB_CLIENT_OK)
        bbsh_tell(shell, &error);
}

static void run_statement_text(struct shell *shell, const char *text)
{
    size_t word = strcspn(text, " \t\n");
    const char *rest = text + word + strspn(text + word, " \t\n");
    if (text[0] == '\\') {
        bbsh_command(shell, text + 1);
    } else if (bbsh_same_word(text, word, "use")) {
        bbsh_use(shell, rest);
    } else if (bbsh_same_word(text, word, "insert") && *rest != '\0') {
        insert(shell, rest);
    } else if (bbsh_same_word(text, strlen(text), "exit") ||
               bbsh_same_word(text, strlen(text), "quit")) {
        shell->quit = true;
    } else if (!bbsh_influx_word(shell, text)) {
        text_clear(&shell->last);
        text_puts(&shell->last, text);
        bbsh_run_query(shell, text, shell->format, NULL);
    }
}

static bool gone(int exit_code)
{
    return exit_code == BBSH_EXIT_UNREACHABLE || exit_code == BBSH_EXIT_LOST ||
           exit_code == BBSH_EXIT_PROTOCOL || exit_code == BBSH_EXIT_DENIED ||
           exit_code == BBSH_EXIT_INTERRUPTED;
}

int bbsh_run_text(struct shell *shell, const char *text)
{
    size_t begin, end, next;
    while (!shell->quit && (next = bbsh_input_statement(text, &begin, &end)) > 0) {
        char *statement = strndup(text + begin, end - begin);
        if (statement == NULL) {
            bbsh_complain(shell, BBSH_EXIT_FAILED, "error: out of memory");
            break;
        }
        int before = shell->exit_code;
        shell->exit_code = BBSH_EXIT_OK;
        run_statement_text(shell, statement);
        free(statement);
        int after = shell->exit_code;
        shell->exit_code = before != BBSH_EXIT_OK ? before : after;
        if (gone(after))
            break;
        text += next;
    }
    return shell->exit_code;
}
