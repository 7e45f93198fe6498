#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client/import_exit.h"
#include "client/import_job.h"
#include "client/import_lines.h"

struct line_job {
    struct job *job;
    struct lines_reader *reader;
    char *database, *policy; /* of the file's CONTEXT lines */
    bool target_changed;
};

static bool set_text(struct line_job *j, char **text, const struct lines_record *record)
{
    free(*text);
    *text = strndup(record->text, record->len);
    j->target_changed = true;
    return *text != NULL || job_fail(j->job, EXIT_FILE, "out of memory");
}

static int statement_failed(void *arg, unsigned statement, const char *text)
{
    (void)statement;
    job_fail(arg, EXIT_FAILED, "%s", text);
    return 1;
}

/** A statement of the file's DDL part; those of a file whose database is given otherwise are not
 * for that one. */
static bool run_statement(struct line_job *j, const struct lines_record *record)
{
    struct job *job = j->job;
    if (job->options->database_given || job->options->dry_run || job->start.rows > 0)
        return true;
    struct bb_client *client;
    struct bb_client_error err;
    if (bb_client_create(&client, &job->options->client, &err) != BB_CLIENT_OK)
        return job_fail(job, import_exit_of(&err), "%s", err.text);
    char *text = strndup(record->text, record->len);
    struct bb_client_handler handler = {.arg = job, .statement_error = statement_failed};
    int rc = text == NULL ? BB_CLIENT_NOMEM : bb_client_query(client, text, NULL, &handler, &err);
    if (rc != BB_CLIENT_OK && job->exit_code == EXIT_OK)
        job_fail(job, import_exit_of(&err), "line %" PRIu64 ": %s", record->line, err.text);
    free(text);
    bb_client_destroy(&client);
    return rc == BB_CLIENT_OK && job->exit_code == EXIT_OK;
}

/** Before the first point of another database or policy. */
static bool set_target(struct line_job *j)
{
    struct job *job = j->job;
    if (!j->target_changed || job->options->database_given)
        return true;
    j->target_changed = false;
    return job_finish(job) && sender_set_target(job->sender, j->database, j->policy);
}

static bool take_point(struct line_job *j, const struct lines_record *record)
{
    struct job *job = j->job;
    if (job->position.rows < job->start.rows) {
        job->position.rows++;
        return true;
    }
    if (job->options->client.database == NULL && j->database == NULL)
        return job_fail(job, EXIT_USAGE, "no database is given: use --database");
    struct batch *b = set_target(j) ? job_batch(job) : NULL;
    if (b == NULL)
        return false;
    size_t lines_at = b->lines.len;
    import_buf_add(&b->lines, record->text, record->len);
    import_buf_add_char(&b->lines, '\n');
    job->position.rows++;
    job->position.line = record->line;
    return job_add_row(job, lines_at, 1, record->line, record->text, record->len);
}

static bool take_bad(struct line_job *j, const struct lines_record *record)
{
    struct job *job = j->job;
    bool seen = job->position.rows++ < job->start.rows;
    job->position.line = seen ? job->position.line : record->line;
    return seen || job_reject(job, record->line, record->text, record->len, record->reason);
}

static bool take_record(struct line_job *j, enum lines_kind kind, const struct lines_record *record)
{
    switch (kind) {
    case LINES_POINT:
        return take_point(j, record);
    case LINES_STATEMENT:
        return run_statement(j, record);
    case LINES_DATABASE:
        free(j->policy);
        j->policy = NULL;
        return set_text(j, &j->database, record);
    case LINES_POLICY:
        return set_text(j, &j->policy, record);
    default:
        return take_bad(j, record);
    }
}

static bool import_lines(struct line_job *j)
{
    struct lines_record record;
    for (uint64_t n = 0; import_stopped == 0; n++) {
        enum lines_kind kind = lines_next(j->reader, &record);
        if (kind == LINES_END)
            return j->job->position.rows > 0 || job_fail(j->job, EXIT_FILE, "has no lines");
        if (kind == LINES_ERROR)
            return job_fail_source(j->job);
        if (!take_record(j, kind, &record))
            return false;
        if (n % 4096 == 0)
            job_show_progress(j->job);
    }
    return job_fail(j->job, EXIT_INTERRUPTED, "interrupted");
}

static void show_lines(struct line_job *j)
{
    struct lines_record record;
    for (unsigned n = 0; n < j->job->options->dry_lines;) {
        enum lines_kind kind = lines_next(j->reader, &record);
        if (kind == LINES_END || kind == LINES_ERROR)
            return;
        n += kind == LINES_POINT;
        if (kind == LINES_BAD)
            fprintf(stderr, "%s:%" PRIu64 ": %s\n", j->job->name, record.line, record.reason);
        else if (kind == LINES_POINT)
            printf("%.*s\n", (int)record.len, record.text);
    }
}

bool job_run_lines(struct job *job, csv_read_fn *read, void *context)
{
    struct line_job j = {.job = job, .reader = lines_create(read, context)};
    if (j.reader == NULL)
        return job_fail(job, EXIT_FILE, "out of memory");
    bool ok = true;
    if (job->options->dry_run) {
        show_lines(&j);
    } else {
        ok = import_lines(&j);
        ok = job_finish(job) && ok;
    }
    lines_destroy(&j.reader);
    free(j.database);
    free(j.policy);
    return ok;
}
