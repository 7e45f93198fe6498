/**
 * /debug/rejects: what the line-protocol listener refused. GET lists it, as JSON or as lines; POST
 * with resubmit=true writes lines again and drops those that are stored; DELETE drops them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http_admin.h"
#include "server/http_handlers.h"
#include "server/json.h"
#include "server/number.h"
#include "server/reject.h"

#define LIMIT_DEFAULT 1000

/* ---- which ---- */

static int compare_ids(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static bool has_id(const struct buf *ids, uint64_t id)
{
    return ids->len > 0 &&
           bsearch(&id, ids->data, ids->len / sizeof(id), sizeof(id), compare_ids) != NULL;
}

/** "3,17,20"; false where it is something else. */
static bool parse_ids(const char *text, struct buf *ids)
{
    while (*text != '\0') {
        char *end;
        uint64_t id = strtoull(text, &end, 10);
        if (end == text || (*end != ',' && *end != '\0') || buf_put(ids, &id, sizeof(id)) != BB_OK)
            return false;
        text = *end == ',' ? end + 1 : end;
    }
    if (ids->len > 0)
        qsort(ids->data, ids->len / sizeof(uint64_t), sizeof(uint64_t), compare_ids);
    return true;
}

/* ---- listing ---- */

struct listing {
    struct admin_run *run;
    struct json json;
    bool as_lines;
    uint64_t told;
};

static void put_entry(struct json *j, const struct reject_entry *entry)
{
    char time[NUMBER_MAX_BYTES];
    jsonw_object_begin(j);
    jsonw_key(j, "id");
    jsonw_u64(j, entry->id);
    jsonw_key(j, "time");
    jsonw_plain_string(j, time, number_time(time, entry->time_ns));
    jsonw_key(j, "db");
    jsonw_cstring(j, entry->database);
    jsonw_key(j, "precision_ns");
    jsonw_i64(j, entry->precision_ns);
    jsonw_key(j, "reason");
    jsonw_cstring(j, entry->reason);
    jsonw_key(j, "cut");
    jsonw_bool(j, entry->cut);
    jsonw_key(j, "line");
    jsonw_string(j, entry->line, entry->length);
    jsonw_object_end(j);
}

static int list_one(void *arg, const struct reject_entry *entry)
{
    struct listing *listing = arg;
    struct admin_run *run = listing->run;
    if (entry->id <= run->after_id || listing->told == run->limit ||
        (run->ids.len > 0 && !has_id(&run->ids, entry->id)))
        return BB_OK;
    listing->told++;
    if (!listing->as_lines) {
        put_entry(&listing->json, entry);
        return listing->json.err;
    }
    int rc = buf_printf(&run->text, "# id=%" PRIu64 " db=%s reason=%s%s\n", entry->id,
                        entry->database, entry->reason, entry->cut ? " cut" : "");
    rc = rc == BB_OK ? buf_put(&run->text, entry->line, entry->length) : rc;
    return rc == BB_OK ? buf_put(&run->text, "\n", 1) : rc;
}

static int ask_lines(struct admin_run *run, struct server *server)
{
    struct listing listing = {.run = run, .as_lines = true};
    return reject_log_each(&server->reject_log, list_one, &listing, &run->err);
}

static int ask_list(struct admin_run *run, struct server *server)
{
    struct listing listing = {.run = run};
    struct json *j = &listing.json;
    jsonw_init(j, &run->text, false);
    jsonw_object_begin(j);
    jsonw_key(j, "rejects");
    jsonw_array_begin(j);
    int rc = reject_log_each(&server->reject_log, list_one, &listing, &run->err);
    jsonw_array_end(j);
    jsonw_key(j, "kept");
    jsonw_u64(j, server->reject_log.kept);
    jsonw_key(j, "lost");
    jsonw_u64(j, server->reject_log.lost);
    jsonw_object_end(j);
    jsonw_newline(j);
    return rc == BB_OK ? j->err : rc;
}

/* ---- writing again ---- */

/** Entries of one database, precision and time of arrival, which are written together. */
struct group {
    struct admin_run *run;
    struct server *server;
    struct buf lines, ids; /* ids: of each line in `lines` */
    struct buf stored;     /* ids */
    struct buf database;
    int64_t precision_ns, time_ns;
    struct rejects rejects;
    struct buf refused; /* uint64_t: line numbers of this group */
    uint64_t tried;
};

static void refuse_line(void *arg, uint64_t line_number, const char *line, size_t length, int code,
                        const char *reason)
{
    struct group *group = arg;
    rejects_add(&group->rejects, line_number, line, length, code, reason);
    if (buf_put(&group->refused, &line_number, sizeof(line_number)) != BB_OK)
        group->run->err.code = BB_ENOMEM;
}

static int write_group(struct group *group)
{
    struct bb_error *err = &group->run->err;
    struct bb_write_result result;
    struct bb_write write = {.database = group->database.data,
                             .precision_ns = group->precision_ns,
                             .lines = group->lines.data,
                             .lines_length = group->lines.len,
                             .now_ns = group->time_ns,
                             .reject = refuse_line,
                             .reject_arg = group};
    size_t count = group->ids.len / sizeof(uint64_t);
    group->refused.len = 0;
    int rc = count == 0 ? BB_OK : bb_write(group->server->db, &write, &result, err);
    if (rc == BB_ENOTFOUND ||
        rc == BB_ENOPOLICY) { /* the database or policy: these lines stay, the others go on */
        refuse_line(group, 0, "", 0, rc, err->text);
        group->refused.len = 0;
        count = 0;
        rc = BB_OK;
    }
    const uint64_t *ids = (const uint64_t *)(const void *)group->ids.data;
    if (group->refused.len > 0)
        qsort(group->refused.data, group->refused.len / sizeof(uint64_t), sizeof(uint64_t),
              compare_ids);
    for (size_t i = 0; i < count && rc == BB_OK; i++)
        if (!has_id(&group->refused, i + 1))
            rc = buf_put(&group->stored, &ids[i], sizeof(ids[i]));
    group->lines.len = group->ids.len = 0;
    return rc;
}

static bool same_group(const struct group *group, const struct reject_entry *entry)
{
    return group->ids.len > 0 && group->precision_ns == entry->precision_ns &&
           group->time_ns == entry->time_ns && strcmp(group->database.data, entry->database) == 0 &&
           entry->length <= group->lines.max - group->lines.len - 1;
}

static int resubmit_one(void *arg, const struct reject_entry *entry)
{
    struct group *group = arg;
    bool wanted = group->run->ids.len > 0 ? has_id(&group->run->ids, entry->id) : !entry->cut;
    int rc = BB_OK;
    /* A line of the batch is a line of the log: one with a newline in it goes alone. */
    bool alone = memchr(entry->line, '\n', entry->length) != NULL;
    if (!wanted)
        return BB_OK;
    if (alone || !same_group(group, entry)) {
        rc = write_group(group);
        group->precision_ns = entry->precision_ns;
        group->time_ns = entry->time_ns;
        group->database.len = 0;
        if (rc == BB_OK)
            rc = buf_put(&group->database, entry->database, strlen(entry->database) + 1);
    }
    if (rc == BB_OK)
        rc = buf_put(&group->lines, entry->line, entry->length);
    if (rc == BB_OK)
        rc = buf_put(&group->lines, "\n", 1);
    if (rc == BB_OK)
        rc = buf_put(&group->ids, &entry->id, sizeof(entry->id));
    group->tried++;
    return rc == BB_OK && alone ? write_group(group) : rc;
}

static bool is_listed(void *arg, uint64_t id)
{
    return has_id(arg, id);
}

static bool is_any(void *arg, uint64_t id)
{
    (void)arg;
    (void)id;
    return true;
}

static int tell_resubmit(struct group *group, uint64_t stored)
{
    struct json j;
    jsonw_init(&j, &group->run->text, false);
    jsonw_object_begin(&j);
    jsonw_key(&j, "tried");
    jsonw_u64(&j, group->tried);
    jsonw_key(&j, "stored");
    jsonw_u64(&j, stored);
    jsonw_key(&j, "refused");
    jsonw_u64(&j, group->tried - stored);
    jsonw_key(&j, "reasons");
    jsonw_string(&j, group->rejects.text.data, group->rejects.text.len);
    jsonw_object_end(&j);
    jsonw_newline(&j);
    return j.err;
}

/** What has been stored is dropped from the log even when a later group fails. */
static int ask_resubmit(struct admin_run *run, struct server *server)
{
    struct group group = {.run = run, .server = server};
    struct bb_error err = {0};
    uint64_t dropped = 0;
    buf_init(&group.lines, (size_t)16 << 20, NULL);
    buf_init(&group.ids, SIZE_MAX, NULL);
    buf_init(&group.stored, SIZE_MAX, NULL);
    buf_init(&group.refused, SIZE_MAX, NULL);
    buf_init(&group.database, SIZE_MAX, NULL);
    rejects_init(&group.rejects);
    int rc = reject_log_each(&server->reject_log, resubmit_one, &group, &run->err);
    if (rc == BB_OK)
        rc = write_group(&group);
    if (group.stored.len > 0) {
        int drop_rc = reject_log_drop(&server->reject_log, is_listed, &group.stored, &dropped,
                                      &err);
        if (rc == BB_OK && drop_rc != BB_OK)
            run->err = err;
        rc = rc == BB_OK ? drop_rc : rc;
    }
    if (rc == BB_OK) {
        run->err.code = BB_OK;
        rc = tell_resubmit(&group, group.stored.len / sizeof(uint64_t));
    }
    buf_fini(&group.lines);
    buf_fini(&group.ids);
    buf_fini(&group.stored);
    buf_fini(&group.refused);
    buf_fini(&group.database);
    rejects_fini(&group.rejects);
    return rc;
}

static int ask_drop(struct admin_run *run, struct server *server)
{
    uint64_t dropped;
    bool all = run->ids.len == 0;
    int rc = reject_log_drop(&server->reject_log, all ? is_any : is_listed, &run->ids, &dropped,
                             &run->err);
    return rc == BB_OK ? buf_printf(&run->text, "{\"dropped\":%" PRIu64 "}\n", dropped) : rc;
}

/* ---- the request ---- */

struct options {
    struct buf ids, after, limit, format, resubmit;
};

static bool get_options(struct http_conn *conn, struct options *o)
{
    buf_init(&o->ids, (size_t)1 << 20, NULL);
    buf_init(&o->after, 64, NULL);
    buf_init(&o->limit, 64, NULL);
    buf_init(&o->format, 64, NULL);
    buf_init(&o->resubmit, 64, NULL);
    return http_url_param(conn, "id", &o->ids) == BB_OK &&
           http_url_param(conn, "after", &o->after) == BB_OK &&
           http_url_param(conn, "limit", &o->limit) == BB_OK &&
           http_url_param(conn, "format", &o->format) == BB_OK &&
           http_url_param(conn, "resubmit", &o->resubmit) == BB_OK;
}

static void start(struct http_conn *conn, const struct options *o)
{
    bool lines = strcmp(o->format.data, "lp") == 0;
    bool post = conn->request.method == HTTP_POST;
    if (post && strcmp(o->resubmit.data, "true") != 0) {
        http_error(conn, 400, "say what to do: resubmit=true");
        return;
    }
    struct admin_run *run = admin_run_make(conn,
                                           conn->request.method == HTTP_DELETE ? ask_drop
                                           : post                              ? ask_resubmit
                                           : lines                             ? ask_lines
                                                                               : ask_list,
                                           lines ? "text/plain; charset=utf-8" : "application/json",
                                           200);
    if (run == NULL)
        return;
    run->after_id = strtoull(o->after.data, NULL, 10);
    run->limit = o->limit.len > 0 ? strtoull(o->limit.data, NULL, 10) : LIMIT_DEFAULT;
    if (!parse_ids(o->ids.data, &run->ids)) {
        run->base.destroy(&run->base);
        http_error(conn, 400, "id: not a list of numbers");
        return;
    }
    http_job_submit(&run->base, conn, &conn->client.loop->server->admin_pool);
}

void http_rejects_run(struct http_conn *conn)
{
    struct options options;
    if (get_options(conn, &options))
        start(conn, &options);
    buf_fini(&options.ids);
    buf_fini(&options.after);
    buf_fini(&options.limit);
    buf_fini(&options.format);
    buf_fini(&options.resubmit);
}
