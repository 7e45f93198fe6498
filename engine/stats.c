/*
 * Numbers of an open database, for operators and metrics.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/db_impl.h"

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What deletions have still to take from the disk. */
static void deletion_stats(const struct bbi_version *version, const struct bbi_tombset *tombs,
                           struct bb_stats *stats)
{
    stats->deletions_pending = tombs->count;
    for (size_t i = 0; tombs->count != 0 && i < version->count; i++) {
        const struct bbi_segment_meta *m = &version->segments[i].meta;
        if (bbi_tombset_touches_range(tombs, UINT64_MAX, m->db_id, m->rp_id, m->series_min,
                                      m->series_max, m->tmin, m->tmax, m->tombs_lsn)) {
            stats->deletion_segments++;
            stats->deletion_bytes += m->file_bytes;
        }
    }
}

static void state_stats(struct bb_db *db, struct bb_stats *stats)
{
    pthread_mutex_lock(&db->state_lock);
    stats->memtable_bytes = bbi_memtable_bytes(db->active);
    stats->memtable_rows = bbi_memtable_values(db->active);
    if (db->flushing != NULL) {
        stats->memtable_bytes += bbi_memtable_bytes(db->flushing);
        stats->memtable_rows += bbi_memtable_values(db->flushing);
    }
    stats->checkpoint_lsn = db->checkpoint_lsn;
    stats->background_idle = db->flushing == NULL && db->settled_seq == db->state_seq &&
                             !atomic_load(&db->compacting);
    struct bbi_version *version = bbi_version_ref(db->version);
    struct bbi_tombset *tombs = bbi_tombset_ref(db->tombs);
    pthread_mutex_unlock(&db->state_lock);
    deletion_stats(version, tombs, stats);
    bbi_tombset_unref(&tombs);
    for (size_t i = 0; i < version->count; i++) {
        stats->segments++;
        stats->segment_bytes += version->segments[i].meta.file_bytes;
        stats->segment_values += version->segments[i].meta.value_count;
        stats->segments_quarantined += version->segments[i].quarantined;
    }
    bbi_version_unref(&version);
}

void bb_stats_get(struct bb_db *db, struct bb_stats *stats)
{
    struct bbi_wal_stats wal;
    struct bbi_catalog_stats catalog;
    struct bb_error err;
    memset(stats, 0, sizeof(*stats));
    bbi_wal_get_stats(db->wal, &wal);
    bbi_catalog_stats_get(db->catalog, &catalog);
    stats->points_written = load(&db->counters.points_written);
    stats->points_rejected = load(&db->counters.points_rejected);
    stats->batches_written = load(&db->counters.batches);
    stats->wal_bytes_written = wal.bytes;
    stats->wal_syncs = wal.syncs;
    stats->wal_bytes_on_disk = bbi_wal_bytes(db->wal);
    stats->durable_lsn = bbi_wal_durable(db->wal);
    stats->flushes = load(&db->counters.flushes);
    stats->compactions = load(&db->counters.compactions);
    stats->compaction_bytes_read = load(&db->counters.compaction_bytes_read);
    stats->compaction_bytes_written = load(&db->counters.compaction_bytes_written);
    stats->flush_bytes_written = load(&db->counters.flush_bytes_written);
    stats->values_removed = load(&db->counters.values_removed);
    stats->compaction_paused = atomic_load(&db->compaction_paused);
    stats->wal_corruptions = load(&db->counters.wal_corruptions);
    stats->queries = load(&db->query_counters.queries);
    stats->query_errors = load(&db->query_counters.errors);
    stats->cq_runs = load(&db->continuous.runs);
    stats->cq_failures = load(&db->continuous.failures);
    stats->lines_stored = load(&db->forward.ok);
    stats->lines_dropped = load(&db->forward.dropped);
    for (size_t i = 0; i < BB_STATEMENT_COUNT; i++) {
        bb_latency_read(&db->query_counters.statements[i], &stats->statements[i]);
    }
    for (size_t i = 0; i < BB_CODE_COUNT; i++) {
        stats->statement_errors[i] = load(&db->query_counters.errors_by_code[i]);
    }
    stats->wal_sync = wal.sync;
    stats->series = catalog.series;
    stats->measurements = catalog.measurements;
    stats->databases = catalog.databases;
    stats->memory_used_bytes = load(&db->acct.used_bytes);
    stats->memory_peak_bytes = load(&db->acct.peak_bytes);
    stats->read_only = atomic_load(&db->in_doubt) || bbi_wal_status(db->wal, &err) != BB_OK;
    state_stats(db, stats);
}

/* ---- by database ---- */

struct span {
    uint32_t rp_id;
    int64_t t0;
};

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    if (x->rp_id != y->rp_id) {
        return x->rp_id < y->rp_id ? -1 : 1;
    }
    return x->t0 < y->t0 ? -1 : x->t0 > y->t0;
}

/* Segments of one partition start at the same time; so do those that hold several together. */
static int count_partitions(struct bb_db *db, const struct bbi_live_segment *segments, size_t count,
                            uint64_t *partitions, struct bb_error *err)
{
    *partitions = 0;
    if (count == 0) {
        return BB_OK;
    }
    struct span *spans = bbi_mem_alloc(&db->background_acct, count * sizeof(*spans));
    if (spans == NULL) {
        return bbi_error_nomem(err, "statistics");
    }
    for (size_t i = 0; i < count; i++) {
        spans[i] = (struct span){segments[i].meta.rp_id, segments[i].meta.span_t0};
    }
    qsort(spans, count, sizeof(*spans), compare_spans);
    for (size_t i = 0; i < count; i++) {
        *partitions += i == 0 || compare_spans(&spans[i - 1], &spans[i]) != 0;
    }
    bbi_mem_free(spans);
    return BB_OK;
}

/* The segments of a database stand together in a version. */
static int segment_stats(struct bb_db *db, const struct bbi_version *version, uint32_t db_id,
                         struct bb_database_stats *stats, struct bb_error *err)
{
    size_t first = 0;
    while (first < version->count && version->segments[first].meta.db_id != db_id) {
        first++;
    }
    size_t end = first;
    for (; end < version->count && version->segments[end].meta.db_id == db_id; end++) {
        const struct bbi_segment_meta *meta = &version->segments[end].meta;
        stats->segments_quarantined += version->segments[end].quarantined;
        stats->segment_bytes += meta->file_bytes;
        stats->segment_values += meta->value_count;
        if (!stats->has_times || meta->tmin < stats->time_min) {
            stats->time_min = meta->tmin;
        }
        if (!stats->has_times || meta->tmax > stats->time_max) {
            stats->time_max = meta->tmax;
        }
        stats->has_times = true;
    }
    stats->segments = end - first;
    return count_partitions(db, version->segments + first, end - first, &stats->partitions, err);
}

static int schema_stats(struct bb_db *db, uint32_t db_id, struct bb_database_stats *stats,
                        struct bb_error *err)
{
    struct bbi_names names;
    struct bbi_rp *policies;
    size_t policy_count;
    int rc = bbi_catalog_rps(db->catalog, db_id, &db->background_acct, &policies, &policy_count,
                             err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_mem_free(policies);
    stats->policies = policy_count;
    rc = bbi_catalog_measurements(db->catalog, db_id, &db->background_acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    stats->measurements = names.count;
    bbi_names_fini(&names);
    rc = bbi_catalog_fields(db->catalog, db_id, 0, &db->background_acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    stats->fields = names.count;
    bbi_names_fini(&names);
    return bbi_catalog_series_count(db->catalog, db_id, 0, &stats->series, err);
}

static int tell_database(struct bb_db *db, const struct bbi_version *version,
                         const struct bbi_name *name, bb_database_stats_fn fn, void *arg,
                         struct bb_error *err)
{
    char text[BBI_DB_NAME_MAX + 1];
    struct bb_database_stats stats = {.name = text};
    memcpy(text, name->name, name->len);
    text[name->len] = '\0';
    int rc = segment_stats(db, version, name->id, &stats, err);
    rc = rc == BB_OK ? schema_stats(db, name->id, &stats, err) : rc;
    if (rc == BB_ENOTFOUND) {
        return BB_OK; /* dropped meanwhile */
    }
    return rc == BB_OK ? fn(arg, &stats) : rc;
}

int bb_stats_databases(struct bb_db *db, bb_database_stats_fn fn, void *arg, struct bb_error *err)
{
    struct bbi_names names;
    bbi_error_clear(err);
    int rc = bbi_catalog_databases(db->catalog, &db->background_acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    pthread_mutex_lock(&db->state_lock);
    struct bbi_version *version = bbi_version_ref(db->version);
    pthread_mutex_unlock(&db->state_lock);
    for (size_t i = 0; i < names.count && rc == BB_OK; i++) {
        rc = tell_database(db, version, &names.list[i], fn, arg, err);
    }
    bbi_version_unref(&version);
    bbi_names_fini(&names);
    return rc;
}
