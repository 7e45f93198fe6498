/* Writing catalog.log anew from LMDB: to keep it short, and to replace one that is damaged. */
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/catalog/apply.h"
#include "engine/catalog/internal.h"
#include "engine/catalog/scan.h"

#define STAGE_BYTES ((size_t)256 << 10)
#define STAGE_MAX   ((size_t)1 << 31)

int bbi_catalog_quarantine(struct bbi_catalog *cat, const char *path, struct bbi_buf *out,
                           struct bb_error *err)
{
    char dir[BBI_FS_PATH_MAX];
    char to[BBI_FS_PATH_MAX];
    char name[128];
    const char *base = strrchr(path, '/');
    base = base == NULL ? path : base + 1;
    (void)snprintf(name, sizeof(name), "%.60s-%016llx", base,
                   (unsigned long long)bbi_clock_wall_ns());
    int rc = bbi_fs_join(dir, cat->dir, "quarantine", err);
    if (rc == BB_OK) {
        rc = bbi_fs_mkdir(cat->fs, dir, err);
    }
    if (rc == BB_OK) {
        rc = bbi_fs_join(to, dir, name, err);
    }
    if (rc == BB_OK) {
        rc = bbi_fs_rename(cat->fs, path, to, err);
    }
    if (rc == BB_OK) {
        rc = bbi_fs_sync_dir(cat->fs, dir, err);
    }
    if (rc == BB_OK) {
        rc = bbi_fs_sync_dir(cat->fs, cat->dir, err);
    }
    if (rc == BB_OK) {
        bbi_buf_printf(out, "quarantine/%s", name);
    }
    return rc;
}

/* The records of misc from the first to the last of these kinds, as they are. */
static int log_misc(struct bbi_catalog *cat, struct bbi_catlog *log, enum bbi_index_misc first,
                    enum bbi_index_misc last, struct bb_error *err)
{
    int rc = BB_OK;
    for (unsigned kind = first; rc == BB_OK && kind <= last; kind++) {
        uint8_t prefix = (uint8_t)kind;
        struct bbi_scan scan;
        struct bbi_index_entry e;
        bool found = true;
        bbi_scan_init(&scan, cat->index, cat->acct, BBI_INDEX_MISC, &prefix, 1);
        while (rc == BB_OK && found) {
            rc = bbi_scan_next(&scan, &e, &found, err);
            if (rc == BB_OK && found) {
                rc = bbi_catlog_add(log, e.value, e.value_len, err);
            }
        }
        bbi_scan_fini(&scan);
    }
    return rc;
}

static int log_one_series(const struct bbi_index_entry *e, struct bbi_series_writer *writer,
                          struct bbi_buf *stage, struct bb_error *err)
{
    struct bbi_record_series series;
    struct bbi_cursor c;
    bbi_cursor_init(&c, e->key, e->key_len);
    uint32_t db_id = bbi_index_get_uint(&c);
    const uint8_t *sid = bbi_cursor_bytes(&c, 4);
    if (sid == NULL || bbi_cursor_left(&c) != 0) {
        return bbi_error_set(err, BB_ECORRUPT, "series record: malformed key");
    }
    series.sid = bbi_get_be32(sid);
    int rc = bbi_series_value_get(e, &series.mid, &series.key, &series.key_len, err);
    if (rc == BB_OK && series.key_len > BBI_SERIES_KEY_MAX) {
        rc = bbi_error_set(err, BB_ECORRUPT, "series record: key of %zu bytes", series.key_len);
    }
    if (rc == BB_OK) {
        bbi_series_writer_add(writer, db_id, &series, stage);
        rc = bbi_buf_check(&writer->body, "series records", err);
    }
    return rc;
}

static int log_series(struct bbi_catalog *cat, struct bbi_catlog *log, struct bb_error *err)
{
    struct bbi_series_writer writer;
    struct bbi_buf stage;
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    int rc = BB_OK;
    bbi_series_writer_init(&writer, cat->acct);
    bbi_buf_init(&stage, cat->acct, STAGE_MAX);
    bbi_scan_init(&scan, cat->index, cat->acct, BBI_INDEX_SERIES, NULL, 0);
    while (rc == BB_OK && found) {
        rc = bbi_scan_next(&scan, &e, &found, err);
        if (rc == BB_OK && found) {
            rc = log_one_series(&e, &writer, &stage, err);
        }
        if (rc == BB_OK) {
            rc = bbi_catalog_log_stage(log, &stage, STAGE_BYTES, err);
        }
    }
    bbi_series_writer_close(&writer, &stage);
    if (rc == BB_OK) {
        rc = bbi_catalog_log_stage(log, &stage, 0, err);
    }
    bbi_scan_fini(&scan);
    bbi_series_writer_fini(&writer);
    bbi_buf_fini(&stage);
    return rc;
}

static int fill(struct bbi_catalog *cat, struct bbi_catlog *log, struct bb_error *err)
{
    int rc = log_misc(cat, log, BBI_MISC_DATABASE, BBI_MISC_FIELD, err);
    if (rc == BB_OK) {
        rc = log_misc(cat, log, BBI_MISC_USER, BBI_MISC_TASK_GONE, err);
    }
    if (rc == BB_OK) {
        rc = log_series(cat, log, err);
    }
    if (rc == BB_OK) {
        rc = log_misc(cat, log, BBI_MISC_SEGMENT, BBI_MISC_CHECKPOINT, err);
    }
    return rc == BB_OK ? bbi_catlog_commit(log, err) : rc;
}

/* Put the new file in the place of the old one. */
static int replace(struct bbi_catalog *cat, const char *new_path, bool keep_old,
                   struct bb_error *err)
{
    struct bbi_fs_stat st;
    struct bbi_buf name;
    int rc = bbi_fs_stat(cat->fs, cat->log_path, &st, err);
    if (rc == BB_OK && keep_old && st.exists) {
        bbi_buf_init(&name, cat->acct, BBI_FS_PATH_MAX);
        rc = bbi_catalog_quarantine(cat, cat->log_path, &name, err);
        bbi_buf_fini(&name);
    }
    return rc == BB_OK ? bbi_fs_rename(cat->fs, new_path, cat->log_path, err) : rc;
}

/* Tell LMDB which log it follows now. If that fails, the new log's header tells it later. */
static int follow(struct bbi_catalog *cat, struct bb_error *err)
{
    struct bbi_index_writer *writer;
    struct bbi_index_about about = {
        .log_id = cat->log.id.id, .log_end = cat->log.end, .seed = cat->seed};
    int rc = bbi_index_write_begin(cat->index, &writer, err);
    return rc == BB_OK ? bbi_index_write_commit(&writer, &about, err) : rc;
}

int bbi_catalog_rewrite_log(struct bbi_catalog *cat, bool keep_old, struct bb_error *err)
{
    char new_path[BBI_FS_PATH_MAX];
    struct bbi_catlog log;
    const struct bbi_index_about *about = bbi_index_about(cat->index);
    struct bbi_catlog_id id = {
        .id = bbi_catlog_new_id(), .base_id = about->log_id, .base_end = about->log_end};
    int rc = bbi_fs_join(new_path, cat->dir, "catalog.log.new", err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_catlog_create(cat->fs, new_path, &id, cat->acct, &log, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = fill(cat, &log, err);
    if (rc == BB_OK) {
        rc = replace(cat, new_path, keep_old, err);
    }
    if (rc != BB_OK) {
        struct bb_error ignored;
        bbi_catlog_close(&log);
        (void)!bbi_fs_unlink(cat->fs, new_path, &ignored);
        return rc;
    }
    bbi_catlog_close(&cat->log);
    cat->log = log;
    (void)snprintf(cat->log.path, sizeof(cat->log.path), "%s", cat->log_path);
    cat->rewritten_bytes = cat->log.end;
    atomic_store(&cat->log_bytes, cat->log.end);
    rc = bbi_fs_sync_dir(cat->fs, cat->dir, err);
    if (rc != BB_OK) {
        /* A power cut might bring the old log back, without what the new one gets. */
        cat->in_doubt = true;
        return rc;
    }
    return follow(cat, err);
}
