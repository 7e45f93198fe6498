#include "engine/compact/pick.h"

#include <stdlib.h>
#include <string.h>

#define RUNS_MIN        4  /* a window of fewer runs is not worth a merge */
#define WINDOW_MAX      32 /* nor are more merged at once: each holds pages in memory */
#define WEIGHT_FACTOR   3  /* a window weighs so many times its heaviest run */
#define TOMBS_DUE       8  /* deletions on a segment that make rewriting it worthwhile */
#define TOMBS_DUE_BYTES (UINT64_C(16) << 20) /* or one, on a segment no larger */

/* A segment, and what lane it is of. */
struct member {
    bool shared;
    int64_t t0; /* of its partition; 0 if it is shared */
    int64_t t1;
    size_t at; /* in the list of segments */
};

struct lane {
    size_t first; /* of the members */
    size_t count;
    size_t at; /* its first segment */
};

/* Files of one job in one lane. */
struct run {
    size_t first; /* of the members */
    size_t count;
    uint64_t bytes;
    size_t stretch; /* of another one there is a segment between that stays where it is */
};

struct picker {
    const struct bbi_live_segment *segs; /* [count] */
    size_t count;
    int64_t shard_ns;
    struct member *members; /* [count] by lane, then as the segments, which come by lsn_hi */
    struct lane *lanes;     /* [lane_count] as their first segments come */
    size_t lane_count;
    struct run *runs; /* of the lane that is looked at */
    size_t run_count;
    bool *chosen; /* [count] */
    uint64_t budget_bytes;
    uint64_t too_large_bytes;
};

/* Whether there is room for the outputs; remembers the smallest job for which there is none. */
static bool fits(struct picker *p, uint64_t bytes)
{
    if (bytes <= p->budget_bytes) {
        return true;
    }
    if (p->too_large_bytes == 0 || bytes < p->too_large_bytes) {
        p->too_large_bytes = bytes;
    }
    return false;
}

/* Not to be merged: unreadable, or known to be damaged somewhere. */
static bool is_out(const struct picker *p, size_t i)
{
    return p->segs[i].quarantined || p->segs[i].left_alone;
}

/* Damaged somewhere, and read where it is not: nothing may be merged past it. */
static bool is_barrier(const struct picker *p, size_t i)
{
    return p->segs[i].left_alone && !p->segs[i].quarantined;
}

static bool is_shared(const struct picker *p, const struct bbi_segment_meta *m)
{
    uint64_t span = (uint64_t)m->span_t1 - (uint64_t)m->span_t0;
    return span > (uint64_t)p->shard_ns;
}

static bool same_lane(const struct picker *p, const struct bbi_segment_meta *a,
                      const struct bbi_segment_meta *b)
{
    bool shared = is_shared(p, a);
    return shared == is_shared(p, b) &&
           (shared || (a->span_t0 == b->span_t0 && a->span_t1 == b->span_t1));
}

static bool overlap(const struct bbi_segment_meta *a, const struct bbi_segment_meta *b)
{
    return a->tmin <= b->tmax && b->tmin <= a->tmax;
}

/* Whether the job that wrote a shared segment wrote another for this span: then the shared one has
 * no rows there. */
static bool has_sibling(const struct picker *p, const struct bbi_segment_meta *shared,
                        const struct bbi_segment_meta *own)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct bbi_segment_meta *m = &p->segs[i].meta;
        if (m->job_id == shared->job_id && m->span_t0 == own->span_t0 &&
            m->span_t1 == own->span_t1) {
            return true;
        }
    }
    return false;
}

/* Whether two segments may hold the same series and time. */
static bool meets(const struct picker *p, const struct bbi_segment_meta *a,
                  const struct bbi_segment_meta *b)
{
    if (!overlap(a, b) || a->job_id == b->job_id) {
        return false;
    }
    bool a_shared = is_shared(p, a);
    bool b_shared = is_shared(p, b);
    return a_shared == b_shared || !(a_shared ? has_sibling(p, a, b) : has_sibling(p, b, a));
}

static int by_lane(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;
    if (x->shared != y->shared) {
        return x->shared ? -1 : 1;
    }
    if (x->t0 != y->t0) {
        return x->t0 < y->t0 ? -1 : 1;
    }
    if (x->t1 != y->t1) {
        return x->t1 < y->t1 ? -1 : 1;
    }
    return x->at < y->at ? -1 : 1;
}

static int by_first(const void *a, const void *b)
{
    const struct lane *x = a;
    const struct lane *y = b;
    return x->at < y->at ? -1 : 1;
}

static void gather_lanes(struct picker *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct bbi_segment_meta *m = &p->segs[i].meta;
        bool shared = is_shared(p, m);
        p->members[i] = (struct member){.shared = shared,
                                        .t0 = shared ? 0 : m->span_t0,
                                        .t1 = shared ? 0 : m->span_t1,
                                        .at = i};
    }
    qsort(p->members, p->count, sizeof(p->members[0]), by_lane);
    p->lane_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct member *m = &p->members[i];
        if (i == 0 || m->shared != m[-1].shared || m->t0 != m[-1].t0 || m->t1 != m[-1].t1) {
            p->lanes[p->lane_count++] = (struct lane){.first = i, .at = m->at};
        }
        p->lanes[p->lane_count - 1].count++;
    }
    qsort(p->lanes, p->lane_count, sizeof(p->lanes[0]), by_first);
}

/* The runs of a lane; the files of a run are neighbours. */
static void gather_runs(struct picker *p, const struct lane *lane)
{
    uint64_t job_id = 0;
    size_t stretch = 0;
    p->run_count = 0;
    for (size_t i = lane->first; i < lane->first + lane->count; i++) {
        size_t at = p->members[i].at;
        const struct bbi_segment_meta *m = &p->segs[at].meta;
        struct run *last = p->run_count == 0 ? NULL : &p->runs[p->run_count - 1];
        stretch += is_barrier(p, at);
        if (is_out(p, at)) {
            continue;
        }
        if (last != NULL && job_id == m->job_id && last->first + last->count == i) {
            last->count++;
            last->bytes += m->file_bytes;
        } else {
            p->runs[p->run_count++] = (struct run){i, 1, m->file_bytes, stretch};
        }
        job_id = m->job_id;
    }
}

/*
 * Whether rows of two chosen segments may end up in one output, which then counts as new as the
 * newer of them: all shared ones do, and whatever reaches into the other's partition
 * (bbi_split_range).
 */
static bool share_output(const struct picker *p, const struct bbi_segment_meta *a,
                         const struct bbi_segment_meta *b)
{
    bool a_shared = is_shared(p, a);
    bool b_shared = is_shared(p, b);
    if (a_shared && b_shared) {
        return true;
    }
    int64_t a_first = bbi_span_of(a->tmin, p->shard_ns).t0;
    int64_t b_first = bbi_span_of(b->tmin, p->shard_ns).t0;
    return a_first < bbi_span_of(b->tmax, p->shard_ns).t1 &&
           b_first < bbi_span_of(a->tmax, p->shard_ns).t1;
}

/* Whether an output of the chosen segments would count as newer than m with rows that are older. */
static bool is_between(const struct picker *p, const struct bbi_segment_meta *m)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct bbi_segment_meta *older = &p->segs[i].meta;
        if (!p->chosen[i] || older->lsn_hi > m->lsn_hi || !meets(p, m, older)) {
            continue;
        }
        for (size_t k = 0; k < p->count; k++) {
            const struct bbi_segment_meta *newer = &p->segs[k].meta;
            if (p->chosen[k] && k != i && newer->lsn_hi >= m->lsn_hi &&
                share_output(p, older, newer)) {
                return true;
            }
        }
    }
    return false;
}

static bool spans_barrier(const struct picker *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (is_barrier(p, i) && is_between(p, &p->segs[i].meta)) {
            return true;
        }
    }
    return false;
}

/* Add whatever stands in the log between chosen segments. Returns the bytes chosen. */
static uint64_t close_over(struct picker *p)
{
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < p->count; i++) {
            if (!p->chosen[i] && !is_out(p, i) && is_between(p, &p->segs[i].meta)) {
                p->chosen[i] = true;
                grew = true;
            }
        }
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->count; i++) {
        bytes += p->chosen[i] ? p->segs[i].meta.file_bytes : 0;
    }
    return bytes;
}

/* Choose the runs [from, to) of the lane and what must join them. */
static uint64_t choose(struct picker *p, size_t from, size_t to)
{
    memset(p->chosen, 0, p->count * sizeof(p->chosen[0]));
    for (size_t r = from; r < to; r++) {
        for (size_t i = 0; i < p->runs[r].count; i++) {
            p->chosen[p->members[p->runs[r].first + i].at] = true;
        }
    }
    return close_over(p);
}

/* The window of runs to merge: the lightest that is balanced, as long as it stays so. */
static bool find_window(struct picker *p, size_t *from, size_t *to)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i + RUNS_MIN <= p->run_count; i++) {
        uint64_t total = 0;
        uint64_t heaviest = 0;
        for (size_t j = i; j < p->run_count; j++) {
            if (j - i >= WINDOW_MAX || p->runs[j].stretch != p->runs[i].stretch) {
                break;
            }
            total += p->runs[j].bytes;
            heaviest = p->runs[j].bytes > heaviest ? p->runs[j].bytes : heaviest;
            if (j - i + 1 >= RUNS_MIN && total >= WEIGHT_FACTOR * heaviest && heaviest <= best &&
                (heaviest < best || j - i > *to - *from - 1) && fits(p, total)) {
                best = heaviest;
                *from = i;
                *to = j + 1;
            }
        }
    }
    return best != UINT64_MAX;
}

/* The RUNS_MIN neighbours that weigh least. */
static bool lightest_window(const struct picker *p, size_t *from, size_t *to)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i + RUNS_MIN <= p->run_count; i++) {
        uint64_t total = 0;
        for (size_t j = i; j < i + RUNS_MIN; j++) {
            total += p->runs[j].bytes;
        }
        if (total < best && p->runs[i].stretch == p->runs[i + RUNS_MIN - 1].stretch) {
            best = total;
            *from = i;
            *to = i + RUNS_MIN;
        }
    }
    return best != UINT64_MAX;
}

/* Whether the runs [from, to) can be merged with what must join them. */
static bool take_window(struct picker *p, size_t from, size_t to, uint64_t bytes_max)
{
    uint64_t bytes = choose(p, from, to);
    return bytes <= bytes_max && !spans_barrier(p) && fits(p, bytes);
}

static bool pick_in_lane(struct picker *p, const struct lane *lane)
{
    size_t from = 0;
    size_t to = 0;
    gather_runs(p, lane);
    if (find_window(p, &from, &to)) {
        uint64_t own = 0;
        for (size_t r = from; r < to; r++) {
            own += p->runs[r].bytes;
        }
        if (take_window(p, from, to, 2 * own)) {
            return true;
        }
    }
    return p->run_count > BBI_COMPACT_RUNS_MAX && lightest_window(p, &from, &to) &&
           take_window(p, from, to, UINT64_MAX);
}

static size_t tombs_on(const struct bbi_segment_meta *m, const struct bbi_tombset *tombs,
                       uint64_t lsn)
{
    size_t n = 0;
    for (size_t i = 0; i < tombs->count; i++) {
        const struct bbi_tomb *t = tombs->tombs[i];
        n += t->t.lsn > m->tombs_lsn && t->t.lsn <= lsn && t->t.db_id == m->db_id &&
             (t->t.rp_id == 0 || t->t.rp_id == m->rp_id) && t->t.tmin <= m->tmax &&
             m->tmin <= t->t.tmax && t->series_min <= m->series_max &&
             m->series_min <= t->series_max;
    }
    return n;
}

/* A segment that deletions have hollowed out is rewritten by itself. */
static bool pick_deleted(struct picker *p, const struct bbi_tombset *tombs, uint64_t lsn, bool full)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct bbi_segment_meta *m = &p->segs[i].meta;
        size_t n = is_out(p, i) ? 0 : tombs_on(m, tombs, lsn);
        bool due = n >= TOMBS_DUE || (n > 0 && (full || m->file_bytes <= TOMBS_DUE_BYTES));
        if (due && fits(p, m->file_bytes)) {
            memset(p->chosen, 0, p->count * sizeof(p->chosen[0]));
            p->chosen[i] = true;
            return true;
        }
    }
    return false;
}

/* Whether full compaction brings two segments together: those of one lane, and those that may hold
 * the same rows. */
static bool belongs(const struct picker *p, const struct bbi_segment_meta *a,
                    const struct bbi_segment_meta *b)
{
    return a->job_id != b->job_id && (same_lane(p, a, b) || meets(p, a, b));
}

/* That two segments of one job do not meet is known by their job: where the shared one is merged,
 * the others go along, or they would have to be merged with its output, again and again. */
static bool goes_along(const struct picker *p, const struct bbi_segment_meta *a,
                       const struct bbi_segment_meta *b)
{
    return a->job_id == b->job_id && (is_shared(p, a) || is_shared(p, b));
}

/* All that is connected to segment `at`, and its bytes. False: it is of one job, and stays. */
static bool choose_connected(struct picker *p, size_t at, uint64_t *bytes)
{
    bool mixed = false;
    memset(p->chosen, 0, p->count * sizeof(p->chosen[0]));
    p->chosen[at] = true;
    *bytes = p->segs[at].meta.file_bytes;
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < p->count; i++) {
            for (size_t k = 0; p->chosen[i] && k < p->count; k++) {
                const struct bbi_segment_meta *a = &p->segs[i].meta;
                const struct bbi_segment_meta *b = &p->segs[k].meta;
                if (!p->chosen[k] && !is_out(p, k) && (belongs(p, a, b) || goes_along(p, a, b))) {
                    p->chosen[k] = true;
                    mixed |= a->job_id != b->job_id;
                    *bytes += b->file_bytes;
                    grew = true;
                }
            }
        }
    }
    return mixed;
}

static bool pick_full(struct picker *p)
{
    for (size_t i = 0; i < p->count; i++) {
        uint64_t bytes;
        if (!is_out(p, i) && choose_connected(p, i, &bytes) && !spans_barrier(p) &&
            fits(p, bytes)) {
            return true;
        }
    }
    return false;
}

static bool pick_any(struct picker *p, const struct bbi_tombset *tombs, uint64_t lsn, bool full)
{
    if (full && pick_full(p)) {
        return true;
    }
    gather_lanes(p);
    for (size_t i = 0; i < p->lane_count; i++) {
        if (pick_in_lane(p, &p->lanes[i])) {
            return true;
        }
    }
    return pick_deleted(p, tombs, lsn, full);
}

static int fill_pick(const struct picker *p, size_t first, struct bbi_account *acct,
                     struct bbi_compact_pick *pick, struct bb_error *err)
{
    pick->members = bbi_mem_alloc(acct, p->count * sizeof(pick->members[0]));
    if (pick->members == NULL) {
        return bbi_error_nomem(err, "compaction");
    }
    for (size_t i = 0; i < p->count; i++) {
        if (p->chosen[i]) {
            pick->members[pick->count++] = first + i;
        }
    }
    return BB_OK;
}

int bbi_compact_pick(const struct bbi_version *version, size_t first, size_t count,
                     int64_t shard_ns, const struct bbi_tombset *tombs, uint64_t lsn, bool full,
                     uint64_t budget_bytes, struct bbi_account *acct, struct bbi_compact_pick *pick,
                     struct bb_error *err)
{
    struct picker p = {.segs = version->segments + first,
                       .count = count,
                       .shard_ns = shard_ns,
                       .budget_bytes = budget_bytes};
    int rc = BB_OK;
    pick->members = NULL;
    pick->count = 0;
    p.runs = bbi_mem_alloc(acct, count * sizeof(p.runs[0]));
    p.lanes = bbi_mem_alloc(acct, count * sizeof(p.lanes[0]));
    p.members = bbi_mem_alloc(acct, count * sizeof(p.members[0]));
    p.chosen = bbi_mem_zalloc(acct, count, sizeof(p.chosen[0]));
    if (p.runs == NULL || p.lanes == NULL || p.members == NULL || p.chosen == NULL) {
        rc = bbi_error_nomem(err, "compaction");
    } else if (pick_any(&p, tombs, lsn, full)) {
        rc = fill_pick(&p, first, acct, pick, err);
    }
    pick->too_large_bytes = p.too_large_bytes;
    bbi_mem_free(p.runs);
    bbi_mem_free(p.lanes);
    bbi_mem_free(p.members);
    bbi_mem_free(p.chosen);
    return rc;
}
