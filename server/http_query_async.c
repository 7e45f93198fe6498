/**
 * async=true: the request is answered 204 when the first statement begins. The thread goes on alone
 * then; nobody sees the result, and what fails is logged.
 */
#include <string.h>

#include "server/http_query_run.h"
#include "server/log.h"

static void log_error(const struct query_run *run, const struct bb_error *err)
{
    char text[HTTP_QUERY_QUOTE_MAX], quoted[BB_ERROR_TEXT_MAX * 2];
    log_event(LOG_WARNING, "query async=failed error=%s request=%s text=%s",
              log_quote(quoted, sizeof(quoted), err->text, strlen(err->text)), run->request_id,
              http_query_quote(run, text, sizeof(text)));
}

static int on_begin(void *arg, size_t index)
{
    struct query_run *run = arg;
    (void)index;
    if (!run->answered) {
        run->answered = run->begun = true;
        http_job_done(&run->base);
    }
    return 0;
}

static int on_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int on_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)arg;
    (void)values;
    (void)row_count;
    return 0;
}

static int on_end(void *arg, const struct bb_error *err)
{
    if (err != NULL)
        log_error(arg, err);
    return 0;
}

void http_query_work_async(struct http_job *job)
{
    struct query_run *run = (struct query_run *)job;
    uint64_t start_ns = uv_hrtime();
    struct bb_sink sink = {.arg = run,
                           .statement_begin = on_begin,
                           .series = on_series,
                           .rows = on_rows,
                           .statement_end = on_end};
    atomic_fetch_add(&run->refs, 1);
    int rc = http_query_execute(run, &sink, &job->loop->server->async_canceled);
    http_query_log_if_slow(run, rc, uv_hrtime() - start_ns);
    if (run->answered) {
        if (rc != BB_OK)
            log_error(run, &run->err);
    } else {
        run->err.code = rc;
        run->begun = rc == BB_OK;
        http_job_done(job);
    }
    http_query_release(run);
}
