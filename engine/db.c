/*
 * Opening and closing a data directory, snapshots, numbers.
 *
 *     FORMAT  LOCK  catalog.mdb  catalog.log  wal/  segments/  quarantine/
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/db_impl.h"

#define FORMAT_VERSION 1
#define FORMAT_NAME    "FORMAT"
#define FORMAT_PREFIX  "busbar data format "

#define MIB (UINT64_C(1) << 20)

void bb_options_init(struct bb_options *options)
{
    *options = (struct bb_options){.create_if_missing = true};
}

static void fill_defaults(struct bb_options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
    if (o->memory_bytes == 0) {
        o->memory_bytes = machine / 2 < 1024 * MIB ? 1024 * MIB : machine / 2;
    }
    if (o->memtable_bytes == 0) {
        o->memtable_bytes = o->memory_bytes / 8 > 256 * MIB ? 256 * MIB : o->memory_bytes / 8;
    }
    if (o->query_memory_bytes == 0) {
        o->query_memory_bytes = o->memory_bytes / 4;
    }
    if (o->wal_buffer_bytes == 0) {
        o->wal_buffer_bytes = 32 * MIB;
    }
    if (o->query_threads == 0) {
        o->query_threads = cores < 1 ? 1 : cores > 256 ? 256 : (uint32_t)cores;
    }
    if (o->cq_interval_ms == 0) {
        o->cq_interval_ms = 1000;
    }
    if (o->query_timeout_ms == 0) {
        o->query_timeout_ms = 60000;
    }
}

static int make_paths(struct bb_db *db, const char *dir, struct bb_error *err)
{
    if (strlen(dir) >= sizeof(db->dir)) {
        return bbi_error_set(err, BB_EINVAL, "data directory: path too long");
    }
    memcpy(db->dir, dir, strlen(dir) + 1);
    int rc = bbi_fs_join(db->segment_dir, dir, "segments", err);
    rc = rc == BB_OK ? bbi_fs_join(db->wal_dir, dir, "wal", err) : rc;
    return rc == BB_OK ? bbi_fs_join(db->quarantine_dir, dir, "quarantine", err) : rc;
}

static int make_dirs(struct bb_db *db, struct bb_error *err)
{
    const char *dirs[] = {db->segment_dir, db->wal_dir, db->quarantine_dir};
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        int rc = bbi_fs_mkdir(db->fs, dirs[i], err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return bbi_fs_sync_dir(db->fs, db->dir, err);
}

/* Make the data directory's own name durable. */
static int sync_parent(struct bb_db *db, struct bb_error *err)
{
    char parent[BBI_FS_PATH_MAX];
    memcpy(parent, db->dir, sizeof(parent));
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/') {
        parent[--len] = '\0';
    }
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        memcpy(parent, ".", 2);
    } else {
        slash[slash == parent] = '\0';
    }
    return bbi_fs_sync_dir(db->fs, parent, err);
}

/* The directory's own: made if it may be, and locked before anything in it is looked at. */
static int claim_dir(struct bb_db *db, struct bb_error *err)
{
    char lock[BBI_FS_PATH_MAX];
    struct bbi_fs_stat st;
    int rc = bbi_fs_stat(db->fs, db->dir, &st, err);
    if (rc == BB_OK && !st.exists) {
        if (!db->options.create_if_missing) {
            return bbi_error_set(err, BB_ENOTFOUND, "data directory %s does not exist", db->dir);
        }
        rc = bbi_fs_mkdir(db->fs, db->dir, err);
        rc = rc == BB_OK ? sync_parent(db, err) : rc;
    }
    rc = rc == BB_OK ? bbi_fs_join(lock, db->dir, "LOCK", err) : rc;
    return rc == BB_OK ? bbi_fs_lock(db->fs, lock, &db->lock, err) : rc;
}

static int parse_format(const char *path, const struct bbi_buf *text, struct bb_error *err)
{
    size_t prefix = strlen(FORMAT_PREFIX);
    unsigned long version = 0;
    if (text->len > prefix && memcmp(text->data, FORMAT_PREFIX, prefix) == 0) {
        for (size_t i = prefix; i < text->len && text->data[i] >= '0' && text->data[i] <= '9';
             i++) {
            version = version > 100000 ? version : version * 10 + (text->data[i] - '0');
        }
    }
    if (version == 0) {
        return bbi_error_set(err, BB_ECORRUPT, "%s: not a Busbar data directory's format file",
                             path);
    }
    if (version > FORMAT_VERSION) {
        return bbi_error_set(err, BB_EVERSION,
                             "%s: data format %lu, written by a newer Busbar; this one knows "
                             "formats up to %d",
                             path, version, FORMAT_VERSION);
    }
    return BB_OK;
}

/* A new directory gets its format file last of all that makes it one, so that it is whole or not
 * there. */
static int check_format(struct bb_db *db, struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    char line[64];
    struct bbi_fs_stat st;
    struct bbi_buf text;
    int rc = bbi_fs_join(path, db->dir, FORMAT_NAME, err);
    rc = rc == BB_OK ? bbi_fs_stat(db->fs, path, &st, err) : rc;
    if (rc != BB_OK) {
        return rc;
    }
    if (!st.exists) {
        int n = snprintf(line, sizeof(line), FORMAT_PREFIX "%d\n", FORMAT_VERSION);
        rc = make_dirs(db, err);
        return rc == BB_OK
                   ? bbi_fs_write_file_atomic(db->fs, db->dir, FORMAT_NAME, line, (size_t)n, err)
                   : rc;
    }
    bbi_buf_init(&text, &db->acct, 4096);
    rc = bbi_fs_read_file(db->fs, path, 4096, &text, err);
    if (rc == BB_OK) {
        rc = parse_format(path, &text, err);
    }
    bbi_buf_fini(&text);
    return rc == BB_OK ? make_dirs(db, err) : rc;
}

static void init_accounts(struct bb_db *db)
{
    const struct bb_options *o = &db->options;
    bbi_account_init(&db->acct, "engine", 0, bbi_account_server());
    bbi_account_init(&db->write_acct, "write", 0, &db->acct);
    bbi_account_init(&db->memtable_acct, "memtable", 0, &db->acct);
    bbi_account_init(&db->segment_acct, "segment", 0, &db->acct);
    bbi_account_init(&db->catalog_acct, "catalog", 0, &db->acct);
    bbi_account_init(&db->background_acct, "background", 0, &db->acct);
    bbi_account_init(&db->query_acct, "query", o->memory_bytes / 2, &db->acct);
    bbi_forward_init(&db->forward, o, &db->acct);
}

static void init_locks(struct bb_db *db)
{
    pthread_mutex_t *locks[] = {&db->flush_lock, &db->compact_lock, &db->publish_lock,
                                &db->write_lock, &db->state_lock,   &db->points_lock};
    pthread_condattr_t attr;
    bbi_running_init(&db->running, db->options.query_count_max);
    for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++) {
        BB_ASSERT(pthread_mutex_init(locks[i], NULL) == 0);
    }
    BB_ASSERT(pthread_condattr_init(&attr) == 0);
    BB_ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    BB_ASSERT(pthread_cond_init(&db->state_changed, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

static void query_stats(void *arg, struct bb_stats *stats)
{
    bb_stats_get(arg, stats);
}

static void init_query_env(struct bb_db *db)
{
    db->query_env = (struct bbi_query_env){.catalog = db->catalog,
                                           .pool = db->pool,
                                           .acct = &db->query_acct,
                                           .query_memory_bytes = db->options.query_memory_bytes,
                                           .timeout_ms = db->options.query_timeout_ms,
                                           .points_max = db->options.select_points_max,
                                           .series_max = db->options.select_series_max,
                                           .buckets_max = db->options.select_buckets_max,
                                           .no_autogen = db->options.no_autogen,
                                           .more_stats = db->options.more_stats,
                                           .more_stats_arg = db->options.more_stats_arg,
                                           .subscription_numbers = db->options.subscription_numbers,
                                           .forward_arg = db->options.forward_arg,
                                           .counters = &db->query_counters,
                                           .running = &db->running,
                                           .zones = db->zones,
                                           .started_mono_ns = bbi_clock_mono_ns(),
                                           .arg = db,
                                           .stats = query_stats,
                                           .snapshot = bbi_db_snapshot,
                                           .schema_changed = bbi_db_schema_changed,
                                           .delete_rows = bbi_db_delete_rows,
                                           .drop_series = bbi_db_drop_series,
                                           .forget_series = bbi_db_forget_series,
                                           .write_lines = bbi_db_write_lines};
}

struct log_route {
    bb_log_fn fn;
    void *arg;
};

static struct log_route log_route;

static void route_log(void *arg, enum bbi_log_level level, const char *event, const char *pairs)
{
    char line[BBI_LOG_TEXT_MAX + 128];
    const struct log_route *route = arg;
    (void)snprintf(line, sizeof(line), "%s %s", event, pairs);
    route->fn(route->arg, (int)level, line);
}

/* Everything of db but its memory and its directory's lock. */
static void release(struct bb_db *db)
{
    bbi_pool_destroy(&db->pool);
    struct bb_error ignored;
    int rc = bbi_wal_close(&db->wal, &ignored);
    (void)rc;
    bbi_memtable_unref(&db->active);
    bbi_memtable_unref(&db->flushing);
    bbi_version_unref(&db->version);
    bbi_tombset_unref(&db->tombs);
    bbi_continuous_fini(&db->continuous);
    bbi_logins_fini(&db->logins);
    bbi_catalog_close(&db->catalog);
    bbi_series_cache_destroy(&db->cache);
    while (db->free_points != NULL) {
        struct bbi_points *points = db->free_points;
        db->free_points = points->next;
        bbi_points_destroy(&points);
    }
    bbi_buf_fini(&db->pending);
    bbi_running_fini(&db->running);
    bbi_zones_destroy(&db->zones);
    bbi_file_close(&db->lock);
}

static int open_parts(struct bb_db *db, const char *dir, struct bb_error *err)
{
    int rc = make_paths(db, dir, err);
    rc = rc == BB_OK ? claim_dir(db, err) : rc;
    rc = rc == BB_OK ? check_format(db, err) : rc;
    rc = rc == BB_OK ? bbi_series_cache_create(&db->write_acct, db->options.memory_bytes / 16,
                                               &db->cache, err)
                     : rc;
    rc = rc == BB_OK ? bbi_zones_create(&db->query_acct, &db->zones, err) : rc;
    rc = rc == BB_OK ? bbi_pool_create(db->options.query_threads, &db->acct, &db->pool, err) : rc;
    rc = rc == BB_OK ? bbi_db_recover(db, err) : rc;
    rc = rc == BB_OK ? bbi_logins_init(&db->logins, db->catalog, &db->query_acct, err) : rc;
    if (rc == BB_OK) {
        init_query_env(db);
        bbi_forward_start(&db->forward, db->catalog, db->wal);
        bbi_continuous_init(&db->continuous, &db->query_env, db->options.cq_interval_ms,
                            !db->options.quiet_cq);
        rc = db->options.manual_background ? BB_OK : bbi_db_start_background(db, err);
    }
    return rc;
}

int bbi_db_open_on(const struct bbi_fs *fs, const char *dir, const struct bb_options *options,
                   struct bb_db **out, struct bb_error *err)
{
    *out = NULL;
    struct bb_db *db = bbi_mem_zalloc(NULL, 1, sizeof(*db));
    if (db == NULL) {
        return bbi_error_nomem(err, "engine");
    }
    db->fs = fs;
    if (options != NULL) {
        db->options = *options;
    } else {
        bb_options_init(&db->options);
    }
    fill_defaults(&db->options);
    db->disk.option_bytes = db->options.disk_reserve_bytes;
    init_accounts(db);
    init_locks(db);
    bbi_buf_init(&db->pending, &db->write_acct, BBI_WAL_PAYLOAD_MAX);
    if (db->options.log != NULL) {
        log_route = (struct log_route){db->options.log, db->options.log_arg};
        bbi_log_set(route_log, &log_route, BBI_LOG_INFO);
    }
    int rc = open_parts(db, dir, err);
    if (rc != BB_OK) {
        release(db);
        bbi_mem_free(db);
        return rc;
    }
    *out = db;
    return BB_OK;
}

int bb_db_open(const char *dir, const struct bb_options *options, struct bb_db **db,
               struct bb_error *err)
{
    return bbi_db_open_on(bbi_fs_posix(), dir, options, db, err);
}

int bb_db_close(struct bb_db **handle, struct bb_error *err)
{
    struct bb_db *db = *handle;
    *handle = NULL;
    bbi_error_clear(err);
    if (db == NULL) {
        return BB_OK;
    }
    bbi_db_stop_background(db);
    int rc = bb_flush(db, err);
    release(db);
    bbi_mem_free(db);
    return rc;
}

void bbi_db_abandon(struct bb_db **handle)
{
    struct bb_db *db = *handle;
    *handle = NULL;
    if (db != NULL) {
        bbi_db_stop_background(db);
        release(db);
        bbi_mem_free(db);
    }
}

int bbi_db_snapshot(void *arg, struct bbi_snapshot *out, struct bb_error *err)
{
    struct bb_db *db = arg;
    (void)err;
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&db->state_lock);
    uint64_t applied = atomic_load_explicit(&db->applied_lsn, memory_order_acquire);
    out->lsn = bbi_wal_durable(db->wal);
    out->lsn = applied < out->lsn ? applied : out->lsn;
    if (db->flushing != NULL) {
        out->memtables[out->memtable_count++] = bbi_memtable_ref(db->flushing);
    }
    out->memtables[out->memtable_count++] = bbi_memtable_ref(db->active);
    out->version = bbi_version_ref(db->version);
    out->tombs = bbi_tombset_ref(db->tombs);
    pthread_mutex_unlock(&db->state_lock);
    return BB_OK;
}

int bb_query(struct bb_db *db, const struct bb_query *query, const struct bb_sink *sink,
             struct bb_error *err)
{
    return bbi_query_run(&db->query_env, query, sink, err);
}

struct running_call {
    int (*fn)(void *arg, const struct bb_running *query);
    void *arg;
    int64_t now_ns;
};

static int tell_running(void *arg, const struct bbi_running_query *q, struct bb_error *err)
{
    const struct running_call *call = arg;
    struct bb_running running = {.qid = q->qid,
                                 .text = q->text,
                                 .text_length = q->text_length,
                                 .database = q->database,
                                 .duration_ns = (uint64_t)(call->now_ns - q->started_ns),
                                 .killed = atomic_load(&q->killed)};
    return call->fn(call->arg, &running) == 0 ? BB_OK : bbi_error_set(err, BB_ECANCELED, "enough");
}

void bb_running_each(struct bb_db *db, int (*fn)(void *arg, const struct bb_running *query),
                     void *arg)
{
    struct running_call call = {fn, arg, bbi_clock_mono_ns()};
    struct bb_error ignored;
    int rc = bbi_running_each(&db->running, tell_running, &call, &ignored);
    (void)rc;
}

int bb_running_kill(struct bb_db *db, uint64_t qid, struct bb_error *err)
{
    return bbi_running_kill(&db->running, qid, err);
}
