/*
 * Compaction in an open engine: pick a job among the policies, run it on a snapshot, publish its
 * outputs in place of its inputs. Segments of databases and policies that are gone are removed here
 * as well.
 */
#include <string.h>

#include "engine/base/log.h"
#include "engine/compact/job.h"
#include "engine/compact/pick.h"
#include "engine/db_impl.h"

/* What to do next, on the snapshot that it was found in. */
struct task {
    struct bbi_snapshot snapshot;
    struct bbi_rp rp;
    struct bbi_compact_pick pick;
    bool is_orphan; /* the picked segments belong to nothing any more */
};

static void end_task(struct task *t)
{
    bbi_mem_free(t->pick.members);
    bbi_snapshot_release(&t->snapshot);
}

static int pick_orphans(struct bb_db *db, size_t first, size_t count, struct bbi_compact_pick *pick,
                        struct bb_error *err)
{
    pick->members = bbi_mem_alloc(&db->background_acct, count * sizeof(pick->members[0]));
    if (pick->members == NULL) {
        return bbi_error_nomem(err, "compaction");
    }
    for (size_t i = 0; i < count; i++) {
        pick->members[pick->count++] = first + i;
    }
    return BB_OK;
}

/* What finding a task goes through. */
struct search {
    bool full;
    bool orphans; /* look for these alone */
    uint64_t free_bytes;
    uint64_t too_large_bytes; /* of the smallest task that there is no space for */
};

/* Look at one policy's segments. */
static int pick_policy(struct bb_db *db, size_t first, size_t count, struct search *search,
                       struct task *t, struct bb_error *err)
{
    const struct bbi_version *version = t->snapshot.version;
    const struct bbi_segment_meta *m = &version->segments[first].meta;
    int rc = bbi_db_is_gone(db, m->db_id, m->rp_id, &t->is_orphan, &t->rp, err);
    if (rc != BB_OK || t->is_orphan != search->orphans) {
        return rc;
    }
    if (t->is_orphan) {
        return pick_orphans(db, first, count, &t->pick, err);
    }
    rc = bbi_compact_pick(version, first, count, t->rp.shard_ns, t->snapshot.tombs, t->snapshot.lsn,
                          search->full, search->free_bytes, &db->background_acct, &t->pick, err);
    uint64_t bytes = t->pick.too_large_bytes;
    if (bytes != 0 && (search->too_large_bytes == 0 || bytes < search->too_large_bytes)) {
        search->too_large_bytes = bytes;
    }
    return rc;
}

static int search_policies(struct bb_db *db, struct search *search, struct task *t,
                           struct bb_error *err)
{
    const struct bbi_version *version = t->snapshot.version;
    size_t at = 0;
    int rc = BB_OK;
    while (rc == BB_OK && at < version->count && t->pick.count == 0) {
        size_t first;
        size_t count;
        bbi_version_range(version, version->segments[at].meta.db_id,
                          version->segments[at].meta.rp_id, &first, &count);
        bbi_mem_free(t->pick.members);
        t->pick.members = NULL;
        rc = pick_policy(db, first, count, search, t, err);
        at = first + count;
    }
    return rc;
}

/* What frees space without taking any comes first; what there is no space for keeps nothing else
 * from being done. */
static int find_task(struct bb_db *db, bool full, struct task *t, struct bb_error *err)
{
    struct bbi_fs_space space = {0, 0};
    struct search search = {.full = full, .orphans = true};
    memset(t, 0, sizeof(*t));
    int rc = bbi_db_snapshot(db, &t->snapshot, err);
    if (rc == BB_OK) {
        rc = search_policies(db, &search, t, err);
    }
    if (rc == BB_OK && t->pick.count == 0) {
        rc = bbi_fs_space(db->fs, db->dir, &space, err);
        search.orphans = false;
        uint64_t kept = bbi_disk_flush_bytes(bbi_db_memtable_bytes(db));
        search.free_bytes = space.free_bytes > kept ? space.free_bytes - kept : 0;
        rc = rc == BB_OK ? search_policies(db, &search, t, err) : rc;
    }
    if (rc == BB_OK && t->pick.count == 0 && search.too_large_bytes != 0) {
        rc = bbi_error_set(err, BB_ENOSPC, "no space left on device: %llu bytes free, %llu needed",
                           (unsigned long long)space.free_bytes,
                           (unsigned long long)search.too_large_bytes);
    }
    return rc;
}

static uint64_t new_segment_id(void *arg)
{
    return bbi_catalog_segment_id_new(arg);
}

/* What the outputs have in common, from the inputs. */
static struct bbi_split_job describe(struct bb_db *db, const struct task *t,
                                     const struct bbi_segment_meta *const *metas)
{
    struct bbi_split_job job = {.fs = db->fs,
                                .dir = db->segment_dir,
                                .new_id = new_segment_id,
                                .new_id_arg = db->catalog,
                                .acct = &db->background_acct,
                                .db_id = t->rp.db_id,
                                .rp_id = t->rp.id,
                                .shard_ns = t->rp.shard_ns,

                                .inputs = metas,
                                .input_count = t->pick.count,
                                .tombs_lsn = t->snapshot.lsn,
                                .job_id = bbi_catalog_segment_id_new(db->catalog)};
    for (size_t i = 0; i < t->pick.count; i++) {
        job.level = metas[i]->level >= job.level ? metas[i]->level + 1 : job.level;
        job.reserve_bytes += metas[i]->file_bytes;
    }
    return job;
}

static void count_compaction(struct bb_db *db, const struct bbi_segment_meta *const *inputs,
                             size_t input_count, const struct bbi_segment_meta *outputs,
                             size_t output_count)
{
    uint64_t bytes_read = 0;
    uint64_t bytes_written = 0;
    uint64_t removed = 0;
    for (size_t i = 0; i < input_count; i++) {
        bytes_read += inputs[i]->file_bytes;
        removed += inputs[i]->value_count;
    }
    for (size_t i = 0; i < output_count; i++) {
        bytes_written += outputs[i].file_bytes;
        removed -= outputs[i].value_count;
    }
    atomic_fetch_add(&db->counters.compactions, 1);
    atomic_fetch_add(&db->counters.compaction_bytes_read, bytes_read);
    atomic_fetch_add(&db->counters.compaction_bytes_written, bytes_written);
    atomic_fetch_add(&db->counters.values_removed, removed);
}

static int run_task(struct bb_db *db, struct task *t, struct bb_error *err)
{
    const struct bbi_live_segment *segs = t->snapshot.version->segments;
    struct bbi_splitter *splitter = NULL;
    struct bbi_publish publish = {.added_count = 0};
    int rc = BB_OK;
    uint64_t *removed = bbi_mem_alloc(&db->background_acct, t->pick.count * sizeof(removed[0]));
    const struct bbi_live_segment **inputs = bbi_mem_alloc(&db->background_acct,
                                                           t->pick.count * sizeof(inputs[0]));
    const struct bbi_segment_meta **metas = bbi_mem_alloc(&db->background_acct,
                                                          t->pick.count * sizeof(metas[0]));
    if (removed == NULL || inputs == NULL || metas == NULL) {
        rc = bbi_error_nomem(err, "compaction");
    }
    for (size_t i = 0; rc == BB_OK && i < t->pick.count; i++) {
        inputs[i] = &segs[t->pick.members[i]];
        metas[i] = &inputs[i]->meta;
        removed[i] = metas[i]->id;
    }
    publish.removed = removed;
    publish.removed_count = t->pick.count;
    if (rc == BB_OK && !t->is_orphan) {
        struct bbi_split_job job = describe(db, t, metas);
        rc = bbi_compact_run(inputs, t->pick.count, &job, t->snapshot.tombs, t->snapshot.lsn,
                             &db->compaction_stops, &splitter, &publish.added, &publish.added_count,
                             err);
        if (rc == BB_OK) {
            count_compaction(db, metas, t->pick.count, publish.added, publish.added_count);
        }
    }
    rc = rc == BB_OK ? bbi_db_publish(db, &publish, err) : rc;
    bbi_splitter_destroy(&splitter, rc == BB_OK || atomic_load(&db->in_doubt));
    bbi_mem_free(removed);
    bbi_mem_free(inputs);
    bbi_mem_free(metas);
    return rc;
}

/* A job failed on what it read. So that the others go on, those of its inputs that do not verify
 * are left alone from now on, or all of them if none is found out. They still answer queries as far
 * as they can be read. */
static void leave_alone(struct bb_db *db, const struct task *t)
{
    const struct bbi_live_segment *segs = t->snapshot.version->segments;
    bool any = false;
    pthread_mutex_lock(&db->publish_lock);
    for (int pass = 0; pass < 2 && !any; pass++) {
        for (size_t i = 0; i < t->pick.count; i++) {
            const struct bbi_live_segment *input = &segs[t->pick.members[i]];
            struct bb_error why;
            if (pass == 0 &&
                bbi_segment_verify(input->segment, &db->background_acct, &why) == BB_OK) {
                continue;
            }
            any = true;
            pthread_mutex_lock(&db->state_lock);
            bbi_version_leave_alone(db->version, input->meta.id);
            pthread_mutex_unlock(&db->state_lock);
            bbi_log(BBI_LOG_ERROR, "segment_damaged", "id=%llu reason=\"%s\"",
                    (unsigned long long)input->meta.id, pass == 0 ? why.text : "unreadable");
        }
    }
    pthread_mutex_unlock(&db->publish_lock);
}

static uint64_t current_seq(struct bb_db *db)
{
    pthread_mutex_lock(&db->state_lock);
    uint64_t seq = db->state_seq;
    pthread_mutex_unlock(&db->state_lock);
    return seq;
}

static void settle(struct bb_db *db, uint64_t seq)
{
    pthread_mutex_lock(&db->state_lock);
    db->settled_seq = seq;
    pthread_mutex_unlock(&db->state_lock);
}

int bbi_db_compact_once(struct bb_db *db, bool full, bool *done, struct bb_error *err)
{
    struct task t;
    uint64_t seq = current_seq(db);
    *done = false;
    if (atomic_load(&db->compaction_paused)) {
        return bbi_error_set(err, BB_ECANCELED, "compaction is paused");
    }
    int rc = find_task(db, full, &t, err);
    if (rc == BB_OK && t.pick.count != 0) {
        atomic_store(&db->compacting, true);
        rc = run_task(db, &t, err);
        atomic_store(&db->compacting, false);
        *done = rc == BB_OK;
        if (rc == BB_ECORRUPT || rc == BB_EIO) {
            leave_alone(db, &t);
        }
    } else if (rc == BB_OK) {
        settle(db, seq);
    }
    end_task(&t);
    return rc == BB_OK ? BB_OK : bbi_error_wrap(err, "compact");
}
