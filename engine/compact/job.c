#include "engine/compact/job.h"

#include "engine/partition/merge.h"

/* Estimate the rows of each partition from the chunks' times in a shared segment. */
static int count_shared(struct bbi_segment *seg, const struct bbi_split_job *job,
                        struct bbi_split_counts *counts, struct bb_error *err)
{
    struct bbi_timepage tp;
    size_t group_count;
    int rc = bbi_segment_pin(seg, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_timepage_init(&tp, job->acct);
    (void)bbi_segment_groups(seg, &group_count);
    for (size_t g = 0; rc == BB_OK && g < group_count; g++) {
        rc = bbi_segment_read_time(seg, g, &tp, err);
        for (size_t k = 0; rc == BB_OK && k < tp.chunk_count; k++) {
            size_t row = 0;
            while (rc == BB_OK && row < tp.rows[k]) {
                int64_t time;
                size_t next = tp.rows[k];
                rc = bbi_timepage_times(&tp, k, row, row + 1, &time, err);
                struct bbi_span span = bbi_span_of(time, job->shard_ns);
                if (rc == BB_OK && tp.tmax[k] >= span.t1) {
                    rc = bbi_timepage_lower_bound(&tp, k, span.t1, &next, err);
                }
                rc = rc == BB_OK ? bbi_split_counts_add(counts, span, next - row, false, err) : rc;
                row = next;
            }
        }
    }
    bbi_timepage_fini(&tp);
    bbi_segment_unpin(seg);
    return rc;
}

static int count_inputs(const struct bbi_live_segment *const *inputs, size_t count,
                        const struct bbi_split_job *job, struct bbi_split_counts *counts,
                        struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        const struct bbi_segment_meta *m = &inputs[i]->meta;
        struct bbi_span span = bbi_span_of(m->tmin, job->shard_ns);
        if (m->row_count != 0 && m->tmax < span.t1) {
            bool own = m->span_t0 >= span.t0 && m->span_t1 <= span.t1;
            rc = bbi_split_counts_add(counts, span, m->row_count, own, err);
        } else if (m->row_count != 0) {
            rc = count_shared(inputs[i]->segment, job, counts, err);
        }
    }
    return rc;
}

static int copy_series(struct bbi_merge *merge, uint32_t mid, uint32_t sid,
                       struct bbi_splitter *splitter, struct bb_error *err)
{
    struct bbi_window window;
    int rc = bbi_merge_series(merge, mid, sid, INT64_MIN, INT64_MAX, err);
    while (rc == BB_OK) {
        rc = bbi_merge_next(merge, &window, err);
        if (rc != BB_OK || window.rows == 0) {
            break;
        }
        rc = bbi_splitter_add(splitter, mid, sid, &window, err);
    }
    return rc;
}

static int copy_all(struct bbi_merge *merge, const _Atomic int *stopping,
                    struct bbi_splitter *splitter, struct bb_error *err)
{
    uint32_t mid = 0;
    uint32_t sid = 0;
    for (;;) {
        bool found;
        uint32_t next_mid;
        uint32_t next_sid;
        int rc = bbi_merge_find(merge, mid, sid, &found, &next_mid, &next_sid, err);
        if (rc != BB_OK || !found) {
            return rc;
        }
        if (atomic_load_explicit(stopping, memory_order_relaxed) != 0) {
            return bbi_error_set(err, BB_ECANCELED, "compaction stopped");
        }
        rc = copy_series(merge, next_mid, next_sid, splitter, err);
        if (rc != BB_OK) {
            return rc;
        }
        mid = next_mid + (next_sid == UINT32_MAX);
        sid = next_sid + 1;
    }
}

static int merge_inputs(const struct bbi_live_segment *const *inputs, size_t count,
                        const struct bbi_split_job *job, const struct bbi_tombset *tombs,
                        uint64_t lsn, const _Atomic int *stopping, struct bbi_splitter *splitter,
                        struct bb_error *err)
{
    struct bbi_merge merge;
    int rc = BB_OK;
    bbi_merge_init(&merge, job->acct, job->db_id, job->rp_id, NULL, 0, tombs, lsn);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        rc = bbi_merge_add_segment(&merge, inputs[i]->segment, err);
    }
    rc = rc == BB_OK ? copy_all(&merge, stopping, splitter, err) : rc;
    bbi_merge_fini(&merge);
    return rc;
}

int bbi_compact_run(const struct bbi_live_segment *const *inputs, size_t count,
                    const struct bbi_split_job *job, const struct bbi_tombset *tombs, uint64_t lsn,
                    const _Atomic int *stopping, struct bbi_splitter **out,
                    const struct bbi_segment_meta **metas, size_t *meta_count, struct bb_error *err)
{
    struct bbi_split_counts counts;
    *out = NULL;
    bbi_split_counts_init(&counts, job->acct);
    int rc = count_inputs(inputs, count, job, &counts, err);
    if (rc == BB_OK) {
        bbi_split_counts_decide(&counts);
        rc = bbi_splitter_create(job, &counts, out, err);
    }
    if (rc == BB_OK) {
        rc = merge_inputs(inputs, count, job, tombs, lsn, stopping, *out, err);
    }
    if (rc == BB_OK) {
        rc = bbi_splitter_finish(*out, metas, meta_count, err);
    }
    if (rc != BB_OK) {
        bbi_splitter_destroy(out, false);
    }
    bbi_split_counts_fini(&counts);
    return rc;
}
