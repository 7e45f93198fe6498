/*
 * busbar import: each file is a job. The main thread reads, maps, rejects and fills batches;
 * the sender's thread stores them and, as the server acknowledges them, saves how far the file is
 * done, so that the same command goes on there after whatever stopped it.
 */
#include "client/import.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/import_exit.h"
#include "client/import_job.h"
#include "client/import_lines.h"
#include "client/password.h"

volatile sig_atomic_t import_stopped;

static void stop(int signal_number)
{
    import_stopped = signal_number;
}

int import_exit_of(const struct bb_client_error *error)
{
    switch (error->kind) {
    case BB_CLIENT_OK:
        return EXIT_OK;
    case BB_CLIENT_USAGE:
        return EXIT_USAGE;
    case BB_CLIENT_UNREACHABLE:
        return EXIT_UNREACHABLE;
    case BB_CLIENT_BROKEN:
    case BB_CLIENT_TIMEOUT:
        return EXIT_LOST;
    case BB_CLIENT_HTTP:
    case BB_CLIENT_PROTOCOL:
        return EXIT_PROTOCOL;
    case BB_CLIENT_SERVER:
        return error->status == 401 || error->status == 403 ? EXIT_DENIED : EXIT_FAILED;
    case BB_CLIENT_CANCELED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

/* ---- what a file is ---- */

/** Whether this is text at all; if not, what it looks like. */
static bool check_text(struct job *job, const char *head, size_t len)
{
    if (len == 0)
        return job_fail(job, EXIT_FILE, "is empty");
    if (len >= 2 && (memcmp(head, "\xff\xfe", 2) == 0 || memcmp(head, "\xfe\xff", 2) == 0))
        return job_fail(job, EXIT_FILE, "is UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)");
    size_t odd = 0;
    len = len > 8192 ? 8192 : len;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)head[i];
        odd += c < ' ' && strchr("\t\n\r\f", c) == NULL;
        if (c == '\0')
            return job_fail(job, EXIT_FILE, "is no text: byte %zu is zero", i + 1);
    }
    return odd <= len / 50 || job_fail(job, EXIT_FILE, "is no text");
}

/** "key field=value time", or an export's head. */
static bool looks_like_lines(const char *head, size_t len)
{
    static const char *const marks[] = {"# INFLUXDB EXPORT", "# DDL", "# DML", "# CONTEXT-"};
    const char *end = head + len;
    while (head < end) {
        const char *newline = memchr(head, '\n', (size_t)(end - head));
        const char *stop_at = newline == NULL ? end : newline;
        size_t n = (size_t)(stop_at - head);
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
            if (n >= strlen(marks[i]) && memcmp(head, marks[i], strlen(marks[i])) == 0)
                return true;
        }
        if (n > 1 && *head != '#') {
            while (n > 0 && (head[n - 1] == '\r' || head[n - 1] == ' '))
                n--;
            size_t digits = 0;
            while (digits < n && head[n - 1 - digits] >= '0' && head[n - 1 - digits] <= '9')
                digits++;
            const char *blank = memchr(head, ' ', n);
            return digits > 0 && digits < n && blank != NULL &&
                   (head[n - 1 - digits] == ' ' || head[n - 1 - digits] == '-') &&
                   memchr(blank, '=', n - (size_t)(blank - head)) != NULL;
        }
        head = stop_at + 1;
    }
    return false;
}

/* ---- one file ---- */

static void on_stored(void *context, const struct import_position *position)
{
    struct job *job = context;
    job->done = *position;
    if (job->keeps_state)
        import_state_save(&job->state, position, false);
}

/** Where an earlier run of the same command was interrupted. */
static bool find_start(struct job *job, const char *path)
{
    const struct import_options *o = job->options;
    char target[1024];
    job->keeps_state = source_is_file(job->source) && !o->dry_run;
    if (!job->keeps_state)
        return true;
    snprintf(target, sizeof(target), "%s %s %s", o->client.url,
             o->client.database == NULL ? "" : o->client.database,
             o->client.retention_policy == NULL ? "" : o->client.retention_policy);
    enum import_state_found found = import_state_open(&job->state, path, target,
                                                      source_identity(job->source),
                                                      import_options_crc(o), &job->start);
    if (o->restart)
        job->start = (struct import_position){0};
    if (found == STATE_CHANGED && !o->restart)
        fprintf(stderr,
                "busbar import: %s: the file or the options are not those of the run that was "
                "interrupted: beginning anew\n",
                job->name);
    if (job->start.rows == 0)
        return true;
    if (!o->quiet)
        fprintf(stderr, "busbar import: %s: going on behind row %" PRIu64 " (--restart: anew)\n",
                job->name, job->start.rows);
    return rejects_resume(job->rejects, job->start.line) ||
           job_fail(job, EXIT_FILE, "%s: %s", rejects_path(job->rejects),
                    rejects_error(job->rejects));
}

static bool open_job(struct job *job, const char *path)
{
    const struct import_options *o = job->options;
    char error[SOURCE_ERROR_MAX];
    job->name = strcmp(path, "-") == 0 ? "standard input" : path;
    if (!zone_init(&job->zone, o->tz))
        return job_fail(job, EXIT_USAGE, "there is no time zone '%s'", o->tz);
    job->source = source_open(path, error);
    if (job->source == NULL)
        return job_fail(job, EXIT_FILE, "%s", error);
    struct import_buf rejects_file = {0};
    if (o->rejects != NULL)
        import_buf_add_text(&rejects_file, o->rejects);
    else
        import_buf_printf(&rejects_file, "%s.rejects",
                          strcmp(path, "-") == 0 ? "busbar-import" : path);
    job->rejects = rejects_create(import_buf_text(&rejects_file), job->name,
                                  o->rejects != NULL && job->is_later_file);
    import_buf_fini(&rejects_file);
    if (job->rejects == NULL)
        return job_fail(job, EXIT_FILE, "out of memory");
    return find_start(job, path);
}

/** Lines of the reader that has peeked at them, then of the source. */
struct rest {
    struct job *job;
    char *head;
    size_t len, at;
};

static ssize_t read_rest(void *context, void *bytes, size_t n)
{
    struct rest *r = context;
    if (r->at == r->len)
        return job_read(r->job, bytes, n);
    size_t take = r->len - r->at < n ? r->len - r->at : n;
    memcpy(bytes, r->head + r->at, take);
    r->at += take;
    return (ssize_t)take;
}

static bool connect_sender(struct job *job, const char *precision)
{
    struct bb_client_options client = job->options->client;
    client.precision = precision;
    if (job->options->dry_run)
        return true;
    job->sender = sender_create(&client, job->rejects, &job->start, &import_stopped, on_stored,
                                job);
    return job->sender != NULL || job_fail(job, EXIT_FILE, "out of memory");
}

static bool run_lines(struct job *job, const char *head, size_t len)
{
    struct rest rest = {job, malloc(len), len, 0};
    if (rest.head == NULL)
        return job_fail(job, EXIT_FILE, "out of memory");
    memcpy(rest.head, head, len);
    bool ok = job_run_lines(job, read_rest, &rest);
    free(rest.head);
    return ok;
}

static bool run_job(struct job *job)
{
    const struct import_options *o = job->options;
    struct csv_options csv = {',', '\0', 1, 0};
    struct csv_reader *reader = csv_create(&csv, job_read, job);
    if (reader == NULL)
        return job_fail(job, EXIT_FILE, "out of memory");
    size_t len;
    const char *head = csv_peek(reader, &len);
    bool ok = head != NULL || job_fail_source(job);
    ok = ok && check_text(job, head, len);
    bool lines = o->format == FORMAT_LINE ||
                 (o->format == FORMAT_GUESS && ok && looks_like_lines(head, len));
    if (ok && !lines && o->client.database == NULL && !o->dry_run)
        ok = job_fail(job, EXIT_USAGE, "no database is given: use --database");
    struct progress_now now = {source_raw_position(job->source), source_raw_size(job->source),
                               job->start.rows, 0};
    FILE *out = !o->quiet && !o->dry_run && isatty(STDERR_FILENO) ? stderr : NULL;
    progress_start(&job->progress, out, job->name, &now);
    ok = ok && connect_sender(job, lines ? o->precision : "ns");
    if (ok && !lines)
        return job_run_csv(job, reader); /* takes the reader */
    ok = ok && run_lines(job, head, len);
    csv_destroy(&reader);
    return ok;
}

static void add_part(struct import_buf *text, uint64_t count, const char *what)
{
    if (count == 0)
        return;
    import_buf_add_text(text, ", ");
    progress_add_count(text, count);
    import_buf_add_text(text, what);
}

static void print_summary(struct job *job, bool ok)
{
    struct import_buf text = {0};
    double seconds = progress_seconds(&job->progress);
    uint64_t rejected = rejects_count(job->rejects);
    import_buf_printf(&text, "%s: ", job->name);
    progress_add_count(&text, job->position.rows);
    import_buf_add_text(&text, " rows, ");
    progress_add_count(&text, sender_stored(job->sender));
    import_buf_add_text(&text, " lines stored");
    add_part(&text, rejected, " rows rejected");
    add_part(&text, job->empty, " rows without a value");
    add_part(&text, job->missing, " values missing");
    add_part(&text, job->ambiguous, " times in a repeated hour");
    import_buf_printf(&text, "; %.1f s, ", seconds);
    progress_add_count(&text, (uint64_t)((double)(job->position.rows - job->start.rows) /
                                         (seconds > 1e-3 ? seconds : 1e-3)));
    import_buf_add_text(&text, " rows/s");
    fprintf(stderr, "%s\n", import_buf_text(&text));
    if (rejected > 0)
        fprintf(stderr, "%s: the rejected rows and why\n", rejects_path(job->rejects));
    if (!ok && job->keeps_state)
        fprintf(stderr, "run the same command again to go on from there\n");
    import_buf_fini(&text);
}

static void close_job(struct job *job, bool ok)
{
    bool begun = job->sender != NULL && job->position.rows > 0;
    progress_clear(&job->progress);
    sender_destroy(&job->sender);
    if (begun && ok && job->keeps_state)
        import_state_remove(&job->state);
    else if (job->keeps_state && job->done.rows > 0)
        import_state_save(&job->state, &job->done, true);
    if (job->rejects != NULL && rejects_count(job->rejects) > 0 && job->exit_code == EXIT_OK)
        job->exit_code = EXIT_FAILED;
    rejects_destroy(&job->rejects);
    source_close(&job->source);
}

/** `go_on`: whether further files have a chance. */
static int import_file(const struct import_options *options, int index, bool *go_on)
{
    int sender_code;
    const char *path = options->files[index];
    struct job job = {.options = options, .is_later_file = index > 0};
    bool ok = open_job(&job, path) && run_job(&job);
    progress_clear(&job.progress);
    if (job.sender != NULL && job.position.rows > 0 && !options->quiet)
        print_summary(&job, ok);
    *go_on = import_stopped == 0 &&
             (job.sender == NULL || sender_error(job.sender, &sender_code) == NULL);
    close_job(&job, ok);
    return job.exit_code;
}

/** CREATE DATABASE for --create. */
static int create_database(struct bb_client *client, const char *name, struct bb_client_error *err)
{
    struct import_buf text = {0};
    struct bb_client_handler handler = {0};
    import_buf_add_text(&text, "CREATE DATABASE \"");
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            import_buf_add_char(&text, '\\');
        import_buf_add_char(&text, *at);
    }
    import_buf_add_char(&text, '"');
    int rc = bb_client_query(client, import_buf_text(&text), NULL, &handler, err);
    import_buf_fini(&text);
    return rc;
}

/** A server that is not there is told at once; one that goes away later is waited for. */
static int check_server(const struct import_options *o)
{
    struct bb_client *client;
    struct bb_client_server server;
    struct bb_client_error err;
    int rc = bb_client_create(&client, &o->client, &err);
    if (rc == BB_CLIENT_OK)
        rc = bb_client_ping(client, &server, &err);
    if (rc == BB_CLIENT_OK && o->create && o->client.database != NULL)
        rc = create_database(client, o->client.database, &err);
    bb_client_destroy(&client);
    if (rc == BB_CLIENT_OK)
        return EXIT_OK;
    fprintf(stderr, "busbar import: %s\n", err.text);
    return import_exit_of(&err);
}

static int import_files(const struct import_options *options)
{
    bool go_on = true;
    int code = EXIT_OK;
    for (int i = 0; i < options->file_count && go_on; i++) {
        int file_code = import_file(options, i, &go_on);
        code = file_code > code ? file_code : code;
    }
    return code;
}

int bbsh_import_main(int argc, char **argv)
{
    struct import_options options;
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    int code = import_options_parse(&options, argc, argv);
    if (code >= 0)
        return code;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (options.dry_run)
        return import_files(&options);
    struct password password;
    password_complete(&password, &options.client);
    code = check_server(&options);
    if (code == EXIT_OK)
        code = import_files(&options);
    password_forget(&password, &options.client);
    return code;
}
