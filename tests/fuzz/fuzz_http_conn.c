/*
 * The machine of an HTTP connection on any bytes: server/http*.c, llhttp and server/loop.c as they
 * are, between a fake network, fake threads and a fake engine.
 *
 * The first bytes choose limits, pieces, the order in which jobs end and what fails; the rest is
 * what the client sends. Each input runs three times: all at once; in random pieces, with jobs that
 * end late and bodies taken in small pieces, where the same requests must get through to the engine
 * and the same replies come back; and with a client that goes, memory that is short, jobs that do
 * not start and an engine that fails, where everything must have been let go of in the end.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http.h"
#include "server/log.h"
#include "server/settings_table.h"
#include "tests/fuzz/fake_uv.h"
#include "tests/lib/rng.h"

#define HEAD_BYTES     8
#define INPUT_MAX      ((size_t)64 << 10)
#define OUT_MAX        ((size_t)1 << 20)
#define HEARD_MAX      ((size_t)1 << 20)
#define MAX_BODY       8192
#define NOTICES_MAX    64
#define PIECE_MIN      16
#define STEPS_MAX      1000000
#define MANY_BYTES     (UINT64_C(1) << 40)
#define STEP_MS        20
#define STATUSES_MAX   4096
#define CONTINUE_BYTES 25 /* of "100 Continue", for which an idle socket has room */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum mode {
    AT_ONCE,
    IN_PIECES,
    HOSTILE
};

struct notice {
    bb_durable_fn fn;
    void *arg;
};

/* What the engine was told: the texts of finished requests, one behind the other. */
struct heard {
    char bytes[HEARD_MAX];
    size_t len;
};

static struct server server;
static struct loop loop;
static struct rng rng;
static enum mode mode;
static struct job *waiting_jobs;
static struct notice notices[NOTICES_MAX];
static size_t notice_count;
static struct heard heard[2];
static unsigned char out[2][OUT_MAX];
static struct buf open_text; /* of the write that is under way */

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* In HOSTILE mode, one time in n. */
static bool fails(uint64_t n)
{
    return mode == HOSTILE && rng_one_in(&rng, n);
}

static void hear(const void *bytes, size_t n)
{
    struct heard *h = &heard[mode == IN_PIECES];
    if (mode == HOSTILE)
        return;
    n = n < HEARD_MAX - h->len ? n : HEARD_MAX - h->len;
    if (n > 0)
        memcpy(h->bytes + h->len, bytes, n);
    h->len += n;
}

/* ---- threads (server/pool.h) ---- */

bool pool_submit(struct pool *pool, struct job *job)
{
    (void)pool;
    if (fails(8))
        return false;
    struct job **at = &waiting_jobs;
    while (*at != NULL)
        at = &(*at)->next;
    job->next = NULL;
    job->waiting = true;
    *at = job;
    return true;
}

bool pool_cancel(struct pool *pool, struct job *job)
{
    (void)pool;
    for (struct job **at = &waiting_jobs; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            job->waiting = false;
            return true;
        }
    }
    return false;
}

struct pool_load pool_look(struct pool *pool)
{
    (void)pool;
    return (struct pool_load){0, 0};
}

bool pool_lend(struct pool *pool)
{
    (void)pool;
    return false;
}

void pool_take_back(struct pool *pool)
{
    (void)pool;
}

static bool run_job(void)
{
    struct job *job = waiting_jobs;
    if (job == NULL)
        return false;
    waiting_jobs = job->next;
    job->waiting = false;
    job->run(job);
    return true;
}

/* ---- the engine (engine/busbar.h) ---- */

static int engine_fails(uint64_t why, struct bb_error *err)
{
    static const int codes[] = {BB_EBUSY, BB_ENOSPC, BB_EREADONLY, BB_ENOTFOUND, BB_EPARSE};
    err->code = codes[why % (sizeof(codes) / sizeof(codes[0]))];
    snprintf(err->text, sizeof(err->text), "%s", bb_code_text(err->code));
    return err->code;
}

int bb_write_piece(struct bb_db *db, const struct bb_write *write, struct bb_write_text *text,
                   bool last, struct bb_write_result *result, struct bb_error *err)
{
    size_t n = write->lines_length;
    (void)db;
    if (fails(6))
        return engine_fails(rng_u64(&rng), err);
    while (!last && n > 0 && write->lines[n - 1] != '\n')
        n--;
    memset(result, 0, sizeof(*result));
    if (text->lines == 0 && text->lsn == 0)
        open_text.len = 0;
    for (size_t i = 0; i < n; i++) {
        if (write->lines[i] != '\n' && i + 1 < n)
            continue;
        text->lines++;
        if (write->lines[i] == 'x')
            result->points_written++;
    }
    must(buf_put(&open_text, write->lines, n) == BB_OK, "memory");
    text->bytes_taken = n;
    text->lsn += result->points_written > 0;
    if (last) {
        hear(write->database, strlen(write->database) + 1);
        hear(write->retention_policy, strlen(write->retention_policy) + 1);
        hear(&write->precision_ns, sizeof(write->precision_ns));
        hear(open_text.data, open_text.len);
        hear("\n", 1);
    }
    return BB_OK;
}

int bb_write_scan(struct bb_db *db, const struct bb_write *write, struct bb_write_text *text,
                  bool last, struct bb_write_result *result, struct bb_error *err)
{
    size_t n = write->lines_length;
    (void)db;
    (void)err;
    while (!last && n > 0 && write->lines[n - 1] != '\n')
        n--;
    memset(result, 0, sizeof(*result));
    for (size_t i = 0; i < n; i++)
        result->points_written += write->lines[i] == 'x';
    text->lines += n > 0;
    text->bytes_taken = n;
    return BB_OK;
}

int bb_durable_notify(struct bb_db *db, uint64_t lsn, bb_durable_fn durable, void *arg,
                      struct bb_error *err)
{
    (void)db;
    (void)lsn;
    if (fails(8))
        return engine_fails(rng_u64(&rng), err);
    if (notice_count == NOTICES_MAX || rng_one_in(&rng, 2))
        durable(arg, NULL);
    else
        notices[notice_count++] = (struct notice){durable, arg};
    return BB_OK;
}

static bool tell_notice(void)
{
    struct bb_error err = {.code = BB_OK};
    if (notice_count == 0)
        return false;
    struct notice n = notices[--notice_count];
    bool failed = fails(4);
    if (failed)
        engine_fails(rng_u64(&rng), &err);
    n.fn(n.arg, failed ? &err : NULL);
    return true;
}

int bb_write_submit(struct bb_db *db, const struct bb_write *write, struct bb_write_result *result,
                    bb_durable_fn durable, void *arg, struct bb_error *err)
{
    struct bb_write_text text = {0};
    int rc = bb_write_piece(db, write, &text, true, result, err);
    return rc == BB_OK ? bb_durable_notify(db, text.lsn, durable, arg, err) : rc;
}

int bb_write(struct bb_db *db, const struct bb_write *write, struct bb_write_result *result,
             struct bb_error *err)
{
    struct bb_write_text text = {0};
    return bb_write_piece(db, write, &text, true, result, err);
}

/* A few rows, or an error, depending on the text alone. */
int bb_query(struct bb_db *db, const struct bb_query *query, const struct bb_sink *sink,
             struct bb_error *err)
{
    static const char *const columns[] = {"time", "value"};
    const struct bb_series series = {.name = "m", .column_count = 2, .columns = columns};
    (void)db;
    hear(query->text, query->text_length);
    hear(query->database, query->database == NULL ? 0 : strlen(query->database));
    if (query->text_length % 5 == 0 || fails(8))
        return engine_fails(query->text_length / 5, err);
    size_t rows = query->text_length % 40;
    int rc = sink->statement_begin(sink->arg, 0);
    rc = rc == 0 ? sink->series(sink->arg, &series) : rc;
    for (size_t i = 0; rc == 0 && i < rows; i++) {
        struct bb_value values[2] = {{.kind = BB_VALUE_TIME, .v.time_ns = (int64_t)i},
                                     {.kind = BB_VALUE_FLOAT, .v.f = 0.5}};
        rc = sink->rows(sink->arg, values, 1);
    }
    return rc == 0 ? sink->statement_end(sink->arg, NULL) : BB_ECANCELED;
}

void bb_stats_get(struct bb_db *db, struct bb_stats *stats)
{
    (void)db;
    memset(stats, 0, sizeof(*stats));
}

int bb_stats_databases(struct bb_db *db, bb_database_stats_fn fn, void *arg, struct bb_error *err)
{
    (void)db;
    (void)fn;
    (void)arg;
    (void)err;
    return BB_OK;
}

int bb_flush(struct bb_db *db, struct bb_error *err)
{
    (void)db;
    (void)err;
    return BB_OK;
}

int bb_compact(struct bb_db *db, bool full, struct bb_error *err)
{
    (void)db;
    (void)full;
    (void)err;
    return BB_OK;
}

void bb_compact_pause(struct bb_db *db, bool paused)
{
    (void)db;
    (void)paused;
}

/* The password is the user's name, but for that of nobody; half of the time it has to be hashed. */
int bb_user_check(struct bb_db *db, const char *user, const char *password, struct bb_error *err)
{
    (void)db;
    if (strcmp(user, password) == 0 && strcmp(user, "nobody") != 0)
        return BB_OK;
    snprintf(err->text, sizeof(err->text), "authorization failed");
    return err->code = BB_EUNAUTHORIZED;
}

int bb_user_check_at_once(struct bb_db *db, const char *user, const char *password,
                          struct bb_error *err)
{
    return rng_one_in(&rng, 2) ? BB_EBUSY : bb_user_check(db, user, password, err);
}

int bb_user_may_write(struct bb_db *db, const char *user, const char *database,
                      struct bb_error *err)
{
    (void)db;
    if (user != NULL && database[0] != 'z')
        return BB_OK;
    snprintf(err->text, sizeof(err->text), "not authorized");
    return err->code = BB_EFORBIDDEN;
}

bool bb_user_is_admin(struct bb_db *db, const char *user)
{
    (void)db;
    return strcmp(user, "root") == 0;
}

bool bb_user_admin_exists(struct bb_db *db)
{
    (void)db;
    return true;
}

/* ---- a server ---- */

static void set_up(const uint8_t *head)
{
    struct bb_error err;
    struct settings *s = &server.settings;
    memset(&server, 0, sizeof(server));
    for (size_t i = 0; i < SETTING_COUNT; i++)
        must(settings_set(s, &settings_table[i], "preset", settings_table[i].preset, &err) == BB_OK,
             "presets are good");
    snprintf(s->auth_enabled, sizeof(s->auth_enabled), "%s", head[3] % 2 == 0 ? "true" : "false");
    s->max_body = MAX_BODY;
    s->max_head = 2048;
    s->max_connections = 4;
    s->write_piece = mode == AT_ONCE ? MAX_BODY : PIECE_MIN + head[1] * 4U;
    server.request_budget.limit_bytes = mode == HOSTILE ? (uint64_t)head[2] << 12 : MANY_BYTES;
    request_profiles_init(&server.request_profiles);
    log_set_level("error");
    must(reject_log_open(&server.reject_log, "/nonexistent", 0, &server.admin_pool, &err) == BB_OK,
         "a reject log of nothing");
    fake_uv_reset(out[mode == IN_PIECES], OUT_MAX);
    waiting_jobs = NULL;
    notice_count = 0;
    buf_init(&open_text, SIZE_MAX, NULL);
    if (mode != HOSTILE)
        heard[mode == IN_PIECES].len = 0;
    must(loop_init(&loop, &server, 1, -1, -1, &err) == BB_OK, "a loop");
    loop.id_seed = 1;
    loop.http.loop = &loop;
    http_accept(&loop.http, -1);
}

/* One thing that can happen without the client, or in HOSTILE mode time. */
static bool happen(void)
{
    bool (*const things[])(void) = {fake_uv_turn, run_job, tell_notice, fake_uv_take_writes};
    size_t first = mode == AT_ONCE ? 0 : (size_t)rng_below(&rng, 4);
    for (size_t i = 0; i < 4; i++)
        if (things[(first + i) % 4]())
            return true;
    return false;
}

static size_t next_piece(size_t left)
{
    size_t n = rng_one_in(&rng, 3) ? 1 + (size_t)rng_below(&rng, 7)
                                   : 1 + (size_t)rng_below(&rng, 2000);
    return mode == AT_ONCE || n > left ? left : n;
}

static void be_hostile(void)
{
    fake_uv.window = rng_one_in(&rng, 3) ? (size_t)rng_below(&rng, 100) : SIZE_MAX;
    if (rng_one_in(&rng, 8))
        fake_uv_sleep(rng_below(&rng, 30000));
    if (rng_one_in(&rng, 100))
        fake_uv.broken = true;
    if (rng_one_in(&rng, 100))
        loop_stop(&loop);
}

/* Send it all, as far as the server takes it. */
static void send_all(const uint8_t *data, size_t size)
{
    size_t at = 0;
    unsigned steps = 0;
    while (at < size && fake_uv.stream != NULL) {
        must(++steps < STEPS_MAX, "it comes to an end");
        if (mode == HOSTILE)
            be_hostile();
        else if (mode == IN_PIECES)
            fake_uv.window = rng_one_in(&rng, 2) ? CONTINUE_BYTES + (size_t)rng_below(&rng, 300)
                                                 : SIZE_MAX;
        if (mode != AT_ONCE && rng_one_in(&rng, 2) && happen())
            continue;
        size_t took = fake_uv_deliver(data + at, next_piece(size - at));
        at += took;
        if (took == 0 && !happen()) {
            must(mode == HOSTILE, "a server that is idle reads");
            fake_uv_sleep(STEP_MS);
        }
    }
    if (mode == HOSTILE && rng_one_in(&rng, 2))
        return;
    while (happen())
        must(++steps < STEPS_MAX, "it comes to rest");
}

/* The client goes; nothing of it may be left. */
static void tear_down(void)
{
    unsigned steps = 0;
    (void)fake_uv_end(rng_one_in(&rng, 2) || mode != HOSTILE ? UV_EOF : UV_ECONNRESET);
    while (loop.clients != NULL) {
        must(++steps < STEPS_MAX, "a client that has gone is let go of");
        if (!happen())
            fake_uv_sleep(1000);
    }
    loop_stop(&loop);
    while (happen() || !loop.ending) {
        must(++steps < STEPS_MAX, "the loop ends");
        fake_uv_sleep(100);
    }
    loop_fini(&loop);
    buf_fini(&open_text);
    reject_log_close(&server.reject_log);
    request_profiles_fini(&server.request_profiles);
    must(waiting_jobs == NULL && notice_count == 0, "nothing waits");
    must(server.request_budget.used_bytes == 0, "all memory is given back");
    must(server.connections_http == 0, "no connection is counted");
}

static void run(const uint8_t *data, size_t size, enum mode how)
{
    uint64_t seed;
    memcpy(&seed, data, sizeof(seed));
    mode = how;
    rng = rng_of(seed + how);
    set_up(data);
    send_all(data + HEAD_BYTES, size - HEAD_BYTES);
    tear_down();
}

struct replies {
    unsigned codes[STATUSES_MAX];
    size_t count;
    bool closed; /* the last one says so */
};

/* The status codes of all replies. A head that is both too long and malformed is refused for what
 * is seen first, which depends on the pieces: those reasons count as one. Whether "100 Continue"
 * is still of use depends on them as well. */
static void read_replies(const unsigned char *text, size_t n, struct replies *r)
{
    static const char start[] = "HTTP/1.1 ", closing[] = "\r\nConnection: close\r\n";
    r->count = 0;
    r->closed = false;
    for (size_t i = 0; i < n && r->count < STATUSES_MAX; i++) {
        if (n - i >= sizeof(closing) - 1 && memcmp(text + i, closing, sizeof(closing) - 1) == 0)
            r->closed = true;
        if (n - i < sizeof(start) + 2 || memcmp(text + i, start, sizeof(start) - 1) != 0)
            continue;
        unsigned code = (unsigned)strtoul((const char *)text + i + sizeof(start) - 1, NULL, 10);
        if (code != 100)
            r->codes[r->count++] = code == 414 || code == 431 ? 400 : code;
    }
}

/* A body in pieces may be refused before its end is there, which closes the connection; at once,
 * the end has been seen and what is behind it is answered as well. */
static void compare(size_t out_len)
{
    static struct replies whole, pieces;
    read_replies(out[0], out_len, &whole);
    read_replies(out[1], fake_uv.out_len, &pieces);
    bool cut = pieces.closed && pieces.count < whole.count;
    must(cut || whole.count == pieces.count, "as many replies");
    must(memcmp(whole.codes, pieces.codes, pieces.count * sizeof(pieces.codes[0])) == 0,
         "the same replies");
    must(cut ? heard[0].len >= heard[1].len : heard[0].len == heard[1].len, "as much gets through");
    must(memcmp(heard[0].bytes, heard[1].bytes, heard[1].len) == 0, "the same gets through");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES || size > INPUT_MAX)
        return 0;
    run(data, size, AT_ONCE);
    size_t out_len = fake_uv.out_len;
    run(data, size, IN_PIECES);
    compare(out_len);
    run(data, size, HOSTILE);
    return 0;
}
