/** A query on its thread: its parameters, its limits, and what the log says of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/http_query_run.h"
#include "server/log.h"
#include "server/params.h"
#include "server/redact.h"
#include "server/row_limit.h"

const char *http_query_quote(const struct query_run *run, char *out, size_t size)
{
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    bool ok = redact(run->text.data, run->text.len, &text) == BB_OK;
    const char *quoted = log_quote(out, size, ok ? text.data : "", ok ? text.len : 0);
    buf_fini(&text);
    return quoted;
}

void http_query_log_if_slow(const struct query_run *run, int rc, uint64_t ns)
{
    char text[HTTP_QUERY_QUOTE_MAX], database[256];
    uint64_t limit_ms = run->base.loop->server->settings.log_queries_after;
    if (limit_ms == 0 || ns / 1000000 < limit_ms)
        return;
    log_event(LOG_WARNING, "query slow_ms=%" PRIu64 " status=\"%s\" db=%s request=%s text=%s",
              ns / 1000000, bb_code_text(rc),
              log_quote(database, sizeof(database), run->database.data, run->database.len),
              run->request_id, http_query_quote(run, text, sizeof(text)));
}

int http_query_execute(struct query_run *run, const struct bb_sink *sink,
                       const volatile int *canceled)
{
    struct server *server = run->base.loop->server;
    struct params params;
    int rc = params_parse(run->params.data, run->params.len, &params, &run->err);
    if (rc != BB_OK)
        return rc;
    struct bb_query query = {.database = run->database.len > 0 ? run->database.data : NULL,
                             .retention_policy = run->policy.len > 0 ? run->policy.data : NULL,
                             .text = run->text.data,
                             .text_length = run->text.len,
                             .timeout_ms = (uint32_t)server->settings.query_timeout,
                             .canceled = canceled,
                             .killed = http_query_killed,
                             .killed_arg = run,
                             .read_only = run->read_only,
                             .check_rights = strcmp(server->settings.auth_enabled, "true") == 0,
                             .user = run->user,
                             .params = params.list,
                             .param_count = params.count};
    rc = bb_query(server->db, &query, sink, &run->err);
    params_fini(&params);
    return rc;
}

/* An answer that is not chunked ends at max-row-limit. */
static int run_limited(struct query_run *run, const struct bb_sink *sink)
{
    struct row_limit limit;
    uint64_t rows_max = run->base.loop->server->settings.max_row_limit;
    if (rows_max == 0 || run->format.chunk_rows > 0)
        return http_query_execute(run, sink, &run->canceled);
    row_limit_init(&limit, sink, rows_max, result_writer_truncated(&run->writer));
    struct bb_sink limited = row_limit_sink(&limit);
    int rc = http_query_execute(run, &limited, &run->canceled);
    return limit.full ? BB_OK : rc;
}

/** As InfluxDB, max-concurrent-queries is what the first statement fails of. */
static int tell_limit(struct query_run *run, const struct bb_sink *sink)
{
    static const char limit[] = "max-concurrent-queries";
    if (strncmp(run->err.text, limit, sizeof(limit) - 1) != 0)
        return BB_EBUSY;
    struct bb_error err = run->err;
    err.code = BB_EBUSY;
    int rc = sink->statement_begin(sink->arg, 0);
    return rc == BB_OK ? sink->statement_end(sink->arg, &err) : rc;
}

void http_query_work(struct http_job *job)
{
    struct query_run *run = (struct query_run *)job;
    uint64_t start_ns = uv_hrtime();
    struct bb_sink sink = result_writer_sink(&run->writer);
    int rc = run->as_gzip ? gzip_open(&run->gzip) : BB_OK;
    if (rc == BB_OK)
        rc = run_limited(run, &sink);
    else
        snprintf(run->err.text, sizeof(run->err.text), "out of memory: gzip");
    if (rc == BB_EBUSY && !result_writer_begun(&run->writer))
        rc = tell_limit(run, &sink);
    run->err.code = rc;
    http_query_log_if_slow(run, rc, uv_hrtime() - start_ns);
    run->begun = rc == BB_OK || result_writer_begun(&run->writer);
    if (run->begun)
        run->text_err = result_writer_finish(&run->writer, rc == BB_OK ? NULL : &run->err);
    if (run->as_gzip && run->begun && run->text_err == BB_OK)
        run->text_err = http_query_pack(run, &run->reply, true);
    http_job_done(job);
}
