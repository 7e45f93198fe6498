/*
 * Picking compactions, on a model: thousands of flushes of random partitions, each followed by all
 * jobs that are due. Checks that what is merged is contiguous in the log, that the number of
 * segments stays bounded, how often a byte is rewritten, and that full compaction ends.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compact/pick.h"
#include "engine/partition/splitter.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define PARTITIONS 24
#define SHARD_NS   INT64_C(1000)
#define LIVE_MAX   512

/* A segment: per partition its rows, and the first and last flush they came from. */
struct seg {
    struct bbi_segment_meta meta;
    uint64_t rows[PARTITIONS];
    unsigned first[PARTITIONS];
    unsigned last[PARTITIONS];
};

struct model {
    struct seg live[LIVE_MAX];
    size_t count;
    uint64_t next_id;
    uint64_t flushed_bytes;
    uint64_t rewritten_bytes;
    size_t most;
};

static uint64_t bytes_of(uint64_t rows)
{
    return 300 + rows * 5 / 4;
}

/* Lay rows out as the splitter does, all with one job and range of the log. */
static void lay_out(struct model *m, const struct seg *all, const bool *had_own,
                    const struct bbi_segment_meta *const *inputs, size_t input_count,
                    uint32_t level)
{
    struct bbi_span owns[PARTITIONS];
    size_t own_count = 0;
    struct seg shared;
    size_t partitions = 0;
    uint64_t job_id = m->next_id++;
    memset(&shared, 0, sizeof(shared));
    for (size_t p = 0; p < PARTITIONS; p++) {
        partitions += all->rows[p] != 0;
    }
    struct bbi_segment_meta base = {.db_id = 1, .rp_id = 1, .job_id = job_id, .level = level};
    bool any_shared = false;
    for (size_t p = 0; p < PARTITIONS; p++) {
        if (all->rows[p] != 0 &&
            (had_own[p] || all->rows[p] >= BBI_SPLIT_OWN_ROWS || partitions == 1)) {
            owns[own_count++] = (struct bbi_span){(int64_t)p * SHARD_NS,
                                                  (int64_t)(p + 1) * SHARD_NS};
        }
    }
    size_t lane = 0;
    for (size_t p = 0; p < PARTITIONS; p++) {
        if (all->rows[p] == 0) {
            continue;
        }
        bool own = had_own[p] || all->rows[p] >= BBI_SPLIT_OWN_ROWS || partitions == 1;
        struct seg *to = &shared;
        if (own) {
            assert_true(m->count < LIVE_MAX);
            to = &m->live[m->count++];
            memset(to, 0, sizeof(*to));
        }
        to->rows[p] = all->rows[p];
        to->first[p] = all->first[p];
        to->last[p] = all->last[p];
        int64_t t0 = (int64_t)p * SHARD_NS;
        if (own || !any_shared) {
            to->meta = base;
            to->meta.id = m->next_id++;
            bbi_split_range(inputs, input_count, owns, own_count, own ? lane : own_count,
                            &to->meta.lsn_lo, &to->meta.lsn_hi);
            lane += own;
            to->meta.span_t0 = t0;
            to->meta.tmin = t0;
        }
        any_shared |= !own;
        to->meta.span_t1 = t0 + SHARD_NS;
        to->meta.tmax = t0 + SHARD_NS - 1;
        to->meta.row_count += all->rows[p];
        to->meta.file_bytes = bytes_of(to->meta.row_count);
    }
    if (any_shared) {
        assert_true(m->count < LIVE_MAX);
        m->live[m->count++] = shared;
    }
}

/* What a flush leaves of these rows. */
static void add_flush(struct model *m, struct seg *all, unsigned n)
{
    bool had_own[PARTITIONS] = {false};
    for (size_t p = 0; p < PARTITIONS; p++) {
        all->first[p] = n;
        all->last[p] = n;
        m->flushed_bytes += all->rows[p] == 0 ? 0 : bytes_of(all->rows[p]);
    }
    struct bbi_segment_meta all_time = {
        .tmin = INT64_MIN, .tmax = INT64_MAX, .lsn_lo = n * 100, .lsn_hi = n * 100 + 100};
    const struct bbi_segment_meta *input = &all_time;
    lay_out(m, all, had_own, &input, 1, 0);
}

static void flush(struct model *m, struct rng *rng, unsigned n)
{
    struct seg all;
    memset(&all, 0, sizeof(all));
    unsigned now = (n / 40) % PARTITIONS;
    all.rows[now] = 20000 + rng_below(rng, 200000);
    for (unsigned late = (unsigned)rng_below(rng, 8); late > 0; late--) {
        all.rows[rng_below(rng, PARTITIONS)] += rng_below(rng, 9000);
    }
    add_flush(m, &all, n);
}

/* Rows of one partition alone, or some of many, a few of them with a file of their own. */
static void flush_few(struct model *m, struct rng *rng, unsigned n)
{
    struct seg all;
    memset(&all, 0, sizeof(all));
    for (unsigned spots = rng_one_in(rng, 2) ? 1 : 2 + (unsigned)rng_below(rng, 6); spots > 0;
         spots--) {
        all.rows[rng_below(rng, PARTITIONS)] += 1 + rng_below(rng, 2 * BBI_SPLIT_OWN_ROWS);
    }
    add_flush(m, &all, n);
}

static int by_lsn(const void *a, const void *b)
{
    const struct bbi_segment_meta *x = &((const struct seg *)a)->meta;
    const struct bbi_segment_meta *y = &((const struct seg *)b)->meta;
    if (x->lsn_hi != y->lsn_hi) {
        return x->lsn_hi < y->lsn_hi ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

/* No two segments have rows of one partition whose flushes interleave, and the higher lsn_hi has
 * the later ones. */
static void check_order(const struct model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        for (size_t k = i + 1; k < m->count; k++) {
            const struct seg *a = &m->live[i];
            const struct seg *b = &m->live[k];
            for (size_t p = 0; p < PARTITIONS; p++) {
                if (a->rows[p] != 0 && b->rows[p] != 0) {
                    assert_true(a->last[p] < b->first[p]);
                }
            }
        }
    }
}

static bool compact(struct model *m, const struct bbi_version *v, const struct bbi_tombset *tombs,
                    bool full)
{
    struct bbi_compact_pick pick;
    struct bb_error err;
    struct seg all;
    bool had_own[PARTITIONS] = {false};
    static struct bbi_segment_meta metas[LIVE_MAX];
    const struct bbi_segment_meta *inputs[LIVE_MAX];
    uint32_t level = 0;
    assert_ok(
        bbi_compact_pick(v, 0, v->count, SHARD_NS, tombs, 1, full, UINT64_MAX, NULL, &pick, &err),
        &err);
    if (pick.count == 0) {
        bbi_mem_free(pick.members);
        return false;
    }
    memset(&all, 0, sizeof(all));
    for (size_t i = pick.count; i-- > 0;) {
        struct seg *s = &m->live[pick.members[i]];
        metas[i] = s->meta;
        inputs[i] = &metas[i];
        level = s->meta.level >= level ? s->meta.level + 1 : level;
        m->rewritten_bytes += s->meta.file_bytes;
        for (size_t p = 0; p < PARTITIONS; p++) {
            if (s->rows[p] == 0) {
                continue;
            }
            bool first = all.rows[p] == 0;
            all.rows[p] += s->rows[p];
            all.first[p] = first || s->first[p] < all.first[p] ? s->first[p] : all.first[p];
            all.last[p] = first || s->last[p] > all.last[p] ? s->last[p] : all.last[p];
            had_own[p] |= s->meta.span_t1 - s->meta.span_t0 == SHARD_NS;
        }
        memmove(s, s + 1, (m->count - pick.members[i] - 1) * sizeof(*s));
        m->count--;
    }
    bbi_mem_free(pick.members);
    lay_out(m, &all, had_own, inputs, pick.count, level);
    return true;
}

static void to_version(struct model *m, struct bbi_version *v)
{
    qsort(m->live, m->count, sizeof(m->live[0]), by_lsn);
    v->count = m->count;
    for (size_t i = 0; i < m->count; i++) {
        v->segments[i] = (struct bbi_live_segment){.meta = m->live[i].meta};
    }
}

static void settle(struct model *m, struct bbi_version *v, const struct bbi_tombset *tombs,
                   bool full)
{
    unsigned jobs = 0;
    do {
        to_version(m, v);
        check_order(m);
        assert_true(jobs++ < 1000);
    } while (compact(m, v, tombs, full));
    m->most = m->count > m->most ? m->count : m->most;
}

static void test_model(void **state)
{
    struct rng rng = rng_from_env();
    struct bbi_tombset tombs = {.count = 0};
    struct model *m = calloc(1, sizeof(*m));
    struct bbi_version *v = calloc(1, sizeof(*v) + LIVE_MAX * sizeof(v->segments[0]));
    (void)state;
    assert_non_null(m);
    assert_non_null(v);
    m->next_id = 1;
    for (unsigned n = 1; n <= 2000; n++) {
        flush(m, &rng, n);
        settle(m, v, &tombs, false);
    }
    print_message("segments at most %zu, rewritten %.2f times\n", m->most,
                  (double)m->rewritten_bytes / (double)m->flushed_bytes);
    assert_in_range(m->most, 1, (BBI_COMPACT_RUNS_MAX + 2) * (PARTITIONS + 1));
    assert_true(m->rewritten_bytes < 6 * m->flushed_bytes);
    settle(m, v, &tombs, true);
    assert_in_range(m->count, 1, PARTITIONS + 1);
    free(m);
    free(v);
}

/* However partitions are spread over a few flushes, full compaction ends. */
static void test_full(void **state)
{
    struct rng rng = rng_from_env();
    struct bbi_tombset tombs = {.count = 0};
    struct model *m = calloc(1, sizeof(*m));
    struct bbi_version *v = calloc(1, sizeof(*v) + LIVE_MAX * sizeof(v->segments[0]));
    (void)state;
    assert_non_null(m);
    assert_non_null(v);
    for (unsigned round = 0; round < 5000; round++) {
        m->count = 0;
        m->next_id = 1;
        for (unsigned n = 1 + (unsigned)rng_below(&rng, 8); n > 0; n--) {
            flush_few(m, &rng, (unsigned)m->next_id);
            if (rng_one_in(&rng, 3)) {
                settle(m, v, &tombs, rng_one_in(&rng, 2));
            }
        }
        settle(m, v, &tombs, true);
        settle(m, v, &tombs, false);
    }
    free(m);
    free(v);
}

static struct bbi_version *version_of(const uint64_t *bytes, const int64_t *partitions,
                                      size_t count)
{
    struct bbi_version *v = calloc(1, sizeof(*v) + count * sizeof(v->segments[0]));
    assert_non_null(v);
    v->count = count;
    for (size_t i = 0; i < count; i++) {
        int64_t t0 = partitions[i] * SHARD_NS;
        v->segments[i].meta = (struct bbi_segment_meta){.id = i + 1,
                                                        .job_id = i + 1,
                                                        .db_id = 1,
                                                        .rp_id = 1,
                                                        .lsn_lo = i * 100,
                                                        .lsn_hi = i * 100 + 100,
                                                        .span_t0 = t0,
                                                        .span_t1 = t0 + SHARD_NS,
                                                        .tmin = t0,
                                                        .tmax = t0 + 1,
                                                        .row_count = 1,
                                                        .file_bytes = bytes[i]};
    }
    return v;
}

/* Of one partition; members: as letters, "" nothing. */
static void expect_pick(const struct bbi_version *v, bool full, const char *members)
{
    struct bbi_tombset tombs = {.count = 0};
    struct bbi_compact_pick pick;
    struct bb_error err;
    char got[LIVE_MAX] = "";
    assert_ok(
        bbi_compact_pick(v, 0, v->count, SHARD_NS, &tombs, 1, full, UINT64_MAX, NULL, &pick, &err),
        &err);
    for (size_t i = 0; i < pick.count; i++) {
        got[i] = (char)('a' + pick.members[i]);
    }
    assert_string_equal(got, members);
    bbi_mem_free(pick.members);
}

/* Damage to one segment ends neither the merging of its partition nor the order of its rows. */
static void test_damaged(void **state)
{
    static const uint64_t bytes[] = {100, 100, 100, 100, 100, 100, 100, 100, 100};
    static const int64_t partitions[9] = {0};
    struct bbi_version *v = version_of(bytes, partitions, 9);
    (void)state;
    expect_pick(v, false, "abcdefghi");
    v->segments[0].quarantined = true;
    expect_pick(v, false, "bcdefghi");
    expect_pick(v, true, "bcdefghi");
    v->segments[0].quarantined = false;
    v->segments[0].left_alone = true;
    expect_pick(v, false, "bcdefghi");
    v->segments[0].left_alone = false;
    v->segments[3].left_alone = true;
    expect_pick(v, false, "efghi");
    expect_pick(v, true, "efghi");
    v->segments[3].quarantined = true; /* nobody reads it */
    expect_pick(v, false, "abcefghi");
    expect_pick(v, true, "abcefghi");
    free(v);
}

/* Lanes are looked at as their first segments come. */
static void test_lanes(void **state)
{
    static const uint64_t bytes[] = {100, 100, 100, 100, 100, 100, 100, 100};
    static const int64_t partitions[] = {7, 2, 2, 7, 2, 7, 7, 2};
    struct bbi_version *v = version_of(bytes, partitions, 8);
    (void)state;
    expect_pick(v, false, "adfg");
    v->segments[3].meta.file_bytes = 1000;
    expect_pick(v, false, "bceh");
    free(v);
}

/* Where the merge that would be best does not fit on the disk, a smaller one is made. */
static void test_budget(void **state)
{
    static const uint64_t bytes[] = {9000, 9000, 9000, 9000, 100, 100, 100, 100};
    static const int64_t partitions[] = {0, 0, 0, 0, 1, 1, 1, 1};
    const size_t count = sizeof(bytes) / sizeof(bytes[0]);
    struct bbi_tombset tombs = {.count = 0};
    struct bbi_compact_pick pick;
    struct bb_error err;
    struct bbi_version *v = version_of(bytes, partitions, count);
    (void)state;
    for (int full = 0; full < 2; full++) {
        assert_ok(
            bbi_compact_pick(v, 0, count, SHARD_NS, &tombs, 1, full != 0, 40000, NULL, &pick, &err),
            &err);
        assert_int_equal(pick.count, 4);
        assert_int_equal(pick.members[0], 0);
        assert_int_equal(pick.too_large_bytes, 0);
        bbi_mem_free(pick.members);
        assert_ok(
            bbi_compact_pick(v, 0, count, SHARD_NS, &tombs, 1, full != 0, 400, NULL, &pick, &err),
            &err);
        assert_int_equal(pick.count, 4);
        assert_int_equal(pick.members[0], 4);
        bbi_mem_free(pick.members);
        assert_ok(
            bbi_compact_pick(v, 0, count, SHARD_NS, &tombs, 1, full != 0, 399, NULL, &pick, &err),
            &err);
        assert_int_equal(pick.count, 0);
        assert_int_equal(pick.too_large_bytes, 400);
        bbi_mem_free(pick.members);
    }
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model), cmocka_unit_test(test_full), cmocka_unit_test(test_budget),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_lanes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
