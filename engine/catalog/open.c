/* Opening and closing the catalog. */
#include <stdio.h>
#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/recover.h"

/* New series and fields that wait for a frame of the log: a few frames' worth. */
#define PENDING_MAX ((size_t)256 << 20)

static int paths(struct bbi_catalog *cat, const char *dir, struct bb_error *err)
{
    int rc = bbi_fs_join(cat->log_path, dir, "catalog.log", err);
    if (rc == BB_OK) {
        rc = bbi_fs_join(cat->index_path, dir, "catalog.mdb", err);
    }
    (void)snprintf(cat->dir, sizeof(cat->dir), "%s", dir);
    return rc;
}

static struct bbi_catalog *create(const struct bbi_fs *fs, struct bbi_account *acct)
{
    struct bbi_catalog *cat = bbi_mem_zalloc(acct, 1, sizeof(*cat));
    if (cat == NULL) {
        return NULL;
    }
    cat->fs = fs;
    cat->acct = acct;
    cat->active = bbi_overlay_create(acct);
    if (cat->active == NULL) {
        bbi_mem_free(cat);
        return NULL;
    }
    bbi_schema_init(&cat->schema, acct);
    bbi_buf_init(&cat->pending.records, acct, PENDING_MAX);
    bbi_series_writer_init(&cat->pending.series, acct);
    (void)pthread_mutex_init(&cat->commit_lock, NULL);
    (void)pthread_mutex_init(&cat->drop_lock, NULL);
    /* Readers come all the time; a writer that waits lets no more of them in. */
    pthread_rwlockattr_t attr;
    (void)pthread_rwlockattr_init(&attr);
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&cat->lock, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
    return cat;
}

void bbi_catalog_close(struct bbi_catalog **out)
{
    struct bbi_catalog *cat = *out;
    *out = NULL;
    if (cat == NULL) {
        return;
    }
    bbi_index_close(&cat->index);
    bbi_catlog_close(&cat->log);
    bbi_overlay_unref(cat->active);
    while (cat->frozen != NULL) {
        struct bbi_overlay *o = cat->frozen;
        cat->frozen = o->next;
        bbi_overlay_unref(o);
    }
    bbi_schema_fini(&cat->schema);
    bbi_buf_fini(&cat->pending.records);
    bbi_series_writer_fini(&cat->pending.series);
    bbi_mem_free(cat->committed_ids);
    pthread_rwlock_destroy(&cat->lock);
    pthread_mutex_destroy(&cat->commit_lock);
    pthread_mutex_destroy(&cat->drop_lock);
    bbi_mem_free(cat);
}

/* A first commit notes a segment id beyond those that an earlier life may have given to files that
 * it never published. A full disk leaves that to a later one: then no file can be written either.
 * */
static int first_commit(struct bbi_recovery *r, struct bb_error *err)
{
    struct bbi_catalog *cat = r->cat;
    const struct bbi_catalog_edit nothing = {.checkpoint_lsn = 0};
    uint64_t lsn = cat->committed.lsn;
    int rc = bbi_catalog_counters(cat, &cat->committed, &cat->committed_ids, err);
    if (rc != BB_OK) {
        return rc;
    }
    cat->committed.lsn = lsn;
    atomic_store(&cat->next_segment_id, r->next_segment_id);
    rc = bbi_catalog_commit_always(cat, &nothing, err);
    if (rc == BB_OK) {
        rc = bbi_fs_sync_dir(cat->fs, cat->dir, err);
    }
    if (rc == BB_OK || r->is_fresh || rc == BB_ENOMEM) {
        return rc;
    }
    bbi_buf_printf(&r->messages, "catalog: %s\n", err->text);
    return BB_OK;
}

/* Without space for a new log queries still run; nothing may be added to the bad one. */
static int replace_bad_log(struct bbi_recovery *r, struct bb_error *err)
{
    int rc = bbi_catalog_rewrite_log(r->cat, true, err);
    if (rc == BB_OK) {
        bbi_buf_str(&r->messages,
                    "catalog.log was written anew; what was there is in quarantine/\n");
    } else if (rc != BB_ENOMEM) {
        bbi_buf_printf(&r->messages, "catalog.log cannot be written anew: %s\n", err->text);
        r->cat->in_doubt = true;
        rc = BB_OK;
    }
    return rc;
}

static int open_all(struct bbi_recovery *r, bbi_catalog_list_segments_fn list, void *arg,
                    struct bbi_catalog_state *state, struct bb_error *err)
{
    int rc = bbi_recover(r, err);
    if (rc == BB_OK) {
        rc = bbi_recover_segments(r, list, arg, err);
    }
    if (rc == BB_OK && r->log_is_bad) {
        rc = replace_bad_log(r, err);
    }
    if (rc == BB_OK) {
        rc = first_commit(r, err);
    }
    return rc == BB_OK ? bbi_recover_state(r, state, err) : rc;
}

int bbi_catalog_open(const struct bbi_fs *fs, const char *dir,
                     const struct bbi_catalog_options *options, struct bbi_account *acct,
                     bbi_catalog_list_segments_fn list, void *arg, struct bbi_catalog **out,
                     struct bbi_catalog_state *state, struct bb_error *err)
{
    struct bbi_recovery r;
    *out = NULL;
    *state = (struct bbi_catalog_state){.segment_count = 0};
    struct bbi_catalog *cat = create(fs, acct);
    if (cat == NULL) {
        return bbi_error_nomem(err, "catalog");
    }
    bbi_recovery_init(&r, cat);
    r.map_bytes = options->map_bytes;
    int rc = paths(cat, dir, err);
    if (rc == BB_OK) {
        rc = open_all(&r, list, arg, state, err);
    }
    bbi_recovery_fini(&r);
    if (rc != BB_OK) {
        bbi_catalog_close(&cat);
        return bbi_error_wrap(err, "open the catalog");
    }
    *out = cat;
    return BB_OK;
}

int bbi_catalog_replay(struct bbi_catalog *cat, const struct bbi_record *record,
                       struct bb_error *err)
{
    bool is_later = record->type >= BBI_RECORD_SERIES_DROP && record->type <= BBI_RECORD_TASK_DROP;
    if (!is_later &&
        (record->type < BBI_RECORD_DATABASE_NEW || record->type > BBI_RECORD_SERIES_NEW)) {
        return bbi_error_set(err, BB_EINVAL, "record %s: not of the schema",
                             bbi_record_type_name(record->type));
    }
    bbi_catalog_write_lock(cat);
    int rc = bbi_catalog_absorb(cat, record, err);
    bbi_catalog_unlock(cat);
    return rc;
}

void bbi_catalog_stats_get(struct bbi_catalog *cat, struct bbi_catalog_stats *stats)
{
    *stats = (struct bbi_catalog_stats){.log_bytes = atomic_load(&cat->log_bytes),
                                        .commits = atomic_load(&cat->commit_count)};
    bbi_catalog_read_lock(cat);
    stats->databases = cat->schema.db_count;
    for (size_t i = 0; i < cat->schema.db_count; i++) {
        stats->measurements += cat->schema.dbs[i]->measurements.count;
        stats->series += cat->schema.dbs[i]->next.sid - 1;
    }
    for (const struct bbi_overlay *o = cat->active; o != NULL;
         o = o == cat->active ? cat->frozen : o->next) {
        stats->overlay_series += o->series_count;
    }
    stats->pending_bytes = cat->pending.records.len + cat->pending.series.body.len;
    bbi_catalog_unlock(cat);
}
