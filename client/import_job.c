#include "client/import_job.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "client/import_exit.h"

/* A batch goes out at this size, too, however few its rows are. */
#define BATCH_BYTES (2u << 20)

bool job_fail(struct job *job, int exit_code, const char *fmt, ...)
{
    va_list args;
    progress_clear(&job->progress);
    fprintf(stderr, "busbar import: %s: ", job->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    job->exit_code = exit_code;
    return false;
}

bool job_fail_source(struct job *job)
{
    const char *error = source_error(job->source);
    if (error[0] == '\0')
        error = "out of memory";
    return job_fail(job, EXIT_FILE, "%s (after %" PRIu64 " rows)", error, job->position.rows);
}

static bool fail_sender(struct job *job)
{
    int exit_code;
    const char *error = sender_error(job->sender, &exit_code);
    return job->exit_code != EXIT_OK || error == NULL ? false
                                                      : job_fail(job, exit_code, "%s", error);
}

struct batch *job_batch(struct job *job)
{
    if (job->batch == NULL)
        job->batch = sender_take(job->sender);
    if (job->batch == NULL)
        fail_sender(job);
    return job->batch;
}

static void give_batch(struct job *job)
{
    if (job->batch == NULL)
        return;
    job->batch->end = job->position;
    sender_give(job->sender, job->batch);
    job->batch = NULL;
}

bool job_add_row(struct job *job, size_t lines_at, unsigned line_count, uint64_t line,
                 const char *raw, size_t raw_len)
{
    struct batch *b = job->batch;
    if (!batch_add_row(b, lines_at, line_count, line, raw, raw_len))
        return job_fail(job, EXIT_FILE, "out of memory");
    if (b->row_count >= job->options->batch_rows || b->lines.len >= BATCH_BYTES)
        give_batch(job);
    return true;
}

bool job_reject(struct job *job, uint64_t line, const char *raw, size_t raw_len, const char *reason)
{
    progress_clear(&job->progress);
    return rejects_add(job->rejects, line, raw, raw_len, reason) ||
           job_fail(job, EXIT_FILE, "%s: %s", rejects_path(job->rejects),
                    rejects_error(job->rejects));
}

bool job_finish(struct job *job)
{
    give_batch(job);
    if (!sender_flush(job->sender))
        return fail_sender(job);
    return rejects_flush(job->rejects) ||
           job_fail(job, EXIT_FILE, "%s: %s", rejects_path(job->rejects),
                    rejects_error(job->rejects));
}

static struct progress_now progress_of(const struct job *job)
{
    return (struct progress_now){source_raw_position(job->source), source_raw_size(job->source),
                                 job->position.rows, rejects_count(job->rejects)};
}

void job_show_progress(struct job *job)
{
    struct progress_now now = progress_of(job);
    progress_show(&job->progress, &now);
}

ssize_t job_read(void *context, void *bytes, size_t n)
{
    struct job *job = context;
    return source_read(job->source, bytes, n);
}
