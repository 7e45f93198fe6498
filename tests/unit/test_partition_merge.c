/*
 * Flushing, merging and compacting against a model: random rows of three types over several
 * partitions, with overwrites, nulls and deletions, in several segments and a memtable, must read
 * as the newest value of each cell.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compact/job.h"
#include "engine/partition/flush.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

#define SERIES       7
#define SLOTS        4000
#define FIELDS       3
#define SHARD_NS     INT64_C(1000000)
#define SLOT_NS      INT64_C(1000)
#define SEGMENTS_MAX 32

struct cell {
    uint64_t lsn; /* 0: none */
    uint64_t number;
};

struct model {
    struct cell cells[SERIES][SLOTS][FIELDS];
};

struct world {
    struct rng rng;
    char dir[64];
    struct model *model;
    struct bbi_memtable *mt;
    struct bbi_tombset *tombs;
    struct bbi_live_segment segs[SEGMENTS_MAX];
    size_t seg_count;
    uint64_t lsn;
    uint64_t next_id;
    uint64_t next_number;
};

static const uint8_t field_types[FIELDS] = {BBI_FLOAT, BBI_INT, BBI_STRING};

static uint64_t bits_of(unsigned field, uint64_t number)
{
    double v = (double)number / 8;
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return field == 0 ? bits : number;
}

static uint64_t new_id(void *arg)
{
    struct world *w = arg;
    return w->next_id++;
}

static void write_batch(struct world *w, unsigned slot_from, unsigned slot_to)
{
    struct bbi_point points[256];
    struct bbi_cell cells[256 * FIELDS];
    static char texts[256 * FIELDS][24];
    struct bbi_batch batch = {.db_id = 1, .rp_id = 1, .points = points, .cells = cells};
    struct bb_error err;
    size_t rows = 1 + rng_below(&w->rng, 256);
    w->lsn += 64;
    for (size_t i = 0; i < rows; i++) {
        unsigned s = (unsigned)rng_below(&w->rng, SERIES);
        unsigned slot = slot_from + (unsigned)rng_below(&w->rng, slot_to - slot_from);
        unsigned mask = 1 + (unsigned)rng_below(&w->rng, (1u << FIELDS) - 1);
        struct bbi_point *p = &points[batch.point_count++];
        *p = (struct bbi_point){.time_ns = slot * SLOT_NS,
                                .series_id = s + 1,
                                .measurement_id = 1 + s / 4,
                                .cell_first = (uint32_t)batch.cell_count};
        for (unsigned f = 0; f < FIELDS; f++) {
            if ((mask >> f & 1) == 0) {
                continue;
            }
            uint64_t number = ++w->next_number;
            struct bbi_cell *c = &cells[batch.cell_count];
            *c = (struct bbi_cell){.field_id = f + 1 + 10 * (s / 4), .type = field_types[f]};
            if (field_types[f] == BBI_STRING) {
                char *text = texts[batch.cell_count];
                c->length = (uint32_t)snprintf(text, sizeof(texts[0]), "%" PRIu64, number);
                c->v.str = (const uint8_t *)text;
            } else {
                c->v.bits = bits_of(f, number);
            }
            batch.cell_count++;
            p->cell_count++;
            w->model->cells[s][slot][f] = (struct cell){w->lsn, number};
        }
    }
    assert_ok(bbi_memtable_prepare(w->mt, &batch, &err), &err);
    bbi_memtable_apply(w->mt, &batch, w->lsn);
}

static void delete_some(struct world *w)
{
    struct bb_error err;
    struct bbi_tombset *set;
    unsigned from = (unsigned)rng_below(&w->rng, SLOTS);
    unsigned to = from + (unsigned)rng_below(&w->rng, SLOTS / 4);
    w->lsn += 64;
    struct bbi_tombstone t = {.lsn = w->lsn,
                              .db_id = 1,
                              .rp_id = (uint32_t)rng_below(&w->rng, 2),
                              .tmin = from * SLOT_NS,
                              .tmax = to * SLOT_NS,
                              .series = roaring_bitmap_create()};
    for (unsigned s = 0; s < SERIES; s++) {
        if (!rng_one_in(&w->rng, 2)) {
            continue;
        }
        roaring_bitmap_add(t.series, s + 1);
        for (unsigned slot = from; slot <= to && slot < SLOTS; slot++) {
            memset(w->model->cells[s][slot], 0, sizeof(w->model->cells[s][slot]));
        }
    }
    if (roaring_bitmap_is_empty(t.series)) {
        roaring_bitmap_free(t.series);
        return;
    }
    assert_ok(bbi_tombset_create(NULL, w->tombs, &t, NULL, 0, &set, &err), &err);
    bbi_tombset_unref(&w->tombs);
    w->tombs = set;
}

static struct bbi_split_job job_of(struct world *w)
{
    return (struct bbi_split_job){.fs = bbi_fs_posix(),
                                  .dir = w->dir,
                                  .new_id = new_id,
                                  .new_id_arg = w,
                                  .db_id = 1,
                                  .rp_id = 1,
                                  .shard_ns = SHARD_NS,
                                  .tombs_lsn = w->lsn,
                                  .job_id = w->next_id++};
}

static void add_outputs(struct world *w, const struct bbi_segment_meta *metas, size_t count)
{
    struct bb_error err;
    for (size_t i = 0; i < count; i++) {
        char path[BBI_FS_PATH_MAX];
        assert_true(w->seg_count < SEGMENTS_MAX);
        struct bbi_live_segment *live = &w->segs[w->seg_count++];
        live->meta = metas[i];
        assert_ok(bbi_segment_path(path, w->dir, metas[i].id, &err), &err);
        assert_ok(bbi_segment_open(bbi_fs_posix(), path, NULL, &live->segment, &err), &err);
        assert_ok(bbi_segment_verify(live->segment, NULL, &err), &err);
    }
}

static void flush(struct world *w)
{
    struct bb_error err;
    struct bbi_splitter *splitter;
    const struct bbi_segment_meta *metas;
    size_t count;
    const struct bbi_memspace *space = bbi_memtable_space(w->mt, 1, 1);
    if (space != NULL) {
        struct bbi_split_job job = job_of(w);
        job.lsn_lo = bbi_memtable_base_lsn(w->mt);
        job.lsn_hi = w->lsn;
        assert_ok(bbi_flush_space(space, &job, w->tombs, &splitter, &err), &err);
        assert_ok(bbi_splitter_finish(splitter, &metas, &count, &err), &err);
        add_outputs(w, metas, count);
        bbi_splitter_destroy(&splitter, true);
    }
    bbi_memtable_unref(&w->mt);
    assert_ok(bbi_memtable_create(NULL, w->lsn, &w->mt, &err), &err);
}

static void compact_all(struct world *w)
{
    const struct bbi_live_segment *inputs[SEGMENTS_MAX];
    const struct bbi_segment_meta *metas[SEGMENTS_MAX];
    struct bbi_live_segment old[SEGMENTS_MAX];
    const struct bbi_segment_meta *outputs;
    struct bbi_splitter *splitter;
    struct bb_error err;
    const _Atomic int stopping = 0;
    size_t count = w->seg_count;
    size_t output_count;
    memcpy(old, w->segs, sizeof(old));
    for (size_t i = 0; i < count; i++) {
        inputs[i] = &old[i];
        metas[i] = &old[i].meta;
    }
    if (count == 0) {
        return;
    }
    struct bbi_split_job job = job_of(w);
    job.inputs = metas;
    job.input_count = count;
    job.reserve_bytes = 100000;
    assert_ok(bbi_compact_run(inputs, count, &job, w->tombs, w->lsn, &stopping, &splitter, &outputs,
                              &output_count, &err),
              &err);
    w->seg_count = 0;
    add_outputs(w, outputs, output_count);
    bbi_splitter_destroy(&splitter, true);
    for (size_t i = 0; i < count; i++) {
        bbi_segment_drop(old[i].segment);
        bbi_segment_unref(&old[i].segment);
    }
}

static void check_column(const struct world *w, unsigned s, const struct bbi_window *window,
                         size_t row, const struct bbi_column *c, bool *seen)
{
    unsigned f = (c->field_id - 1) % 10;
    unsigned slot = (unsigned)(window->times[row] / SLOT_NS);
    const struct cell *cell = &w->model->cells[s][slot][f];
    assert_int_equal(c->type, field_types[f]);
    if (c->valid != NULL && (c->valid[row / 64] >> (row % 64) & 1) == 0) {
        return;
    }
    seen[f] = true;
    assert_int_not_equal(cell->lsn, 0);
    if (c->type == BBI_STRING) {
        char text[24];
        size_t n = (size_t)snprintf(text, sizeof(text), "%" PRIu64, cell->number);
        assert_int_equal(c->strs[row].len, n);
        assert_memory_equal(c->strs[row].ptr, text, n);
    } else {
        assert_int_equal(c->bits[row], bits_of(f, cell->number));
    }
}

/* Read each series in a random range of slots and compare. */
static void check(struct world *w)
{
    struct bbi_merge merge;
    struct bb_error err;
    const struct bbi_memspace *space = bbi_memtable_space(w->mt, 1, 1);
    bbi_merge_init(&merge, NULL, 1, 1, NULL, 0, w->tombs, w->lsn);
    for (size_t i = 0; i < w->seg_count; i++) {
        assert_ok(bbi_merge_add_segment(&merge, w->segs[i].segment, &err), &err);
    }
    if (space != NULL) {
        assert_ok(bbi_merge_add_memspace(&merge, space, &err), &err);
    }
    for (unsigned s = 0; s < SERIES; s++) {
        struct bbi_window window;
        unsigned from = rng_one_in(&w->rng, 2) ? 0 : (unsigned)rng_below(&w->rng, SLOTS);
        unsigned to = rng_one_in(&w->rng, 2) ? SLOTS
                                             : from + (unsigned)rng_below(&w->rng, SLOTS - from);
        unsigned next = from;
        assert_ok(
            bbi_merge_series(&merge, 1 + s / 4, s + 1, from * SLOT_NS, to * SLOT_NS - 1, &err),
            &err);
        for (;;) {
            assert_ok(bbi_merge_next(&merge, &window, &err), &err);
            for (size_t row = 0; row < window.rows; row++) {
                unsigned slot = (unsigned)(window.times[row] / SLOT_NS);
                bool seen[FIELDS] = {false};
                assert_in_range(slot, next, to - 1);
                for (; next < slot; next++) {
                    for (unsigned f = 0; f < FIELDS; f++) {
                        assert_int_equal(w->model->cells[s][next][f].lsn, 0);
                    }
                }
                next = slot + 1;
                for (size_t k = 0; k < window.column_count; k++) {
                    check_column(w, s, &window, row, &window.columns[k], seen);
                }
                for (unsigned f = 0; f < FIELDS; f++) {
                    assert_int_equal(seen[f], w->model->cells[s][slot][f].lsn != 0);
                }
            }
            if (window.rows == 0) {
                break;
            }
        }
        for (; next < to; next++) {
            for (unsigned f = 0; f < FIELDS; f++) {
                assert_int_equal(w->model->cells[s][next][f].lsn, 0);
            }
        }
    }
    bbi_merge_fini(&merge);
}

static void one_world(uint64_t seed)
{
    struct world w = {.rng = rng_of(seed), .next_id = 1, .lsn = 64};
    struct bb_error err;
    (void)snprintf(w.dir, sizeof(w.dir), "/tmp/busbar-merge-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    w.model = calloc(1, sizeof(*w.model));
    assert_non_null(w.model);
    assert_ok(bbi_memtable_create(NULL, w.lsn, &w.mt, &err), &err);
    assert_ok(bbi_tombset_create(NULL, NULL, NULL, NULL, 0, &w.tombs, &err), &err);
    for (unsigned i = 0; i < 120; i++) {
        unsigned from = rng_one_in(&w.rng, 3) ? 0 : (unsigned)rng_below(&w.rng, SLOTS - 600);
        uint64_t kind = rng_below(&w.rng, 20);
        if (kind < 14) {
            write_batch(&w, from, from == 0 ? SLOTS : from + 600);
        } else if (kind < 16) {
            delete_some(&w);
        } else if (kind < 18 && w.seg_count + 5 < SEGMENTS_MAX) {
            flush(&w);
        } else if (kind < 19) {
            compact_all(&w);
        } else {
            check(&w);
        }
    }
    check(&w);
    for (size_t i = 0; i < w.seg_count; i++) {
        bbi_segment_drop(w.segs[i].segment);
        bbi_segment_unref(&w.segs[i].segment);
    }
    bbi_memtable_unref(&w.mt);
    bbi_tombset_unref(&w.tombs);
    free(w.model);
    assert_int_equal(remove(w.dir), 0);
}

static void test_model(void **state)
{
    struct rng seeds = rng_from_env();
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        one_world(rng_u64(&seeds));
    }
}

/* Lines that each bring a field of their own: what has fields times times cells is read in bounded
 * pieces. */
static void test_wide_series(void **state)
{
    (void)state;
    enum {
        WIDE = 4000
    };
    struct bb_error err;
    struct bbi_account acct;
    struct bbi_memtable *mt;
    struct bbi_merge merge;
    struct bbi_window window;
    bbi_account_init(&acct, "test", 64 << 20, NULL);
    assert_ok(bbi_memtable_create(NULL, 0, &mt, &err), &err);
    for (uint32_t i = 0; i < WIDE; i++) {
        struct bbi_cell cell = {.field_id = i, .type = BBI_UINT, .v.bits = i * 3};
        struct bbi_point point = {
            .time_ns = i, .series_id = 1, .measurement_id = 1, .cell_count = 1};
        struct bbi_batch batch = {1, 1, &point, 1, &cell, 1};
        assert_ok(bbi_memtable_prepare(mt, &batch, &err), &err);
        bbi_memtable_apply(mt, &batch, 8 * (i + 1));
    }
    bbi_merge_init(&merge, &acct, 1, 1, NULL, 0, NULL, UINT64_MAX);
    assert_ok(bbi_merge_add_memspace(&merge, bbi_memtable_space(mt, 1, 1), &err), &err);
    assert_ok(bbi_merge_series(&merge, 1, 1, INT64_MIN, INT64_MAX, &err), &err);
    size_t rows = 0;
    do {
        assert_ok(bbi_merge_next(&merge, &window, &err), &err);
        assert_int_equal(window.column_count, window.rows);
        for (size_t i = 0; i < window.rows; i++) {
            const struct bbi_column *column = &window.columns[i];
            assert_int_equal(window.times[i], rows + i);
            assert_int_equal(column->field_id, rows + i);
            assert_int_equal(column->bits[i], (rows + i) * 3);
        }
        rows += window.rows;
    } while (window.rows > 0);
    assert_int_equal(rows, WIDE);
    bbi_merge_fini(&merge);
    bbi_memtable_unref(&mt);
    assert_int_equal(acct.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_wide_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
