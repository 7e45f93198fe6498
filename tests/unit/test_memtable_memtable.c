#include "engine/memtable/memtable.h"

#include <stdio.h>

#include "engine/memtable/internal.h"
#include "tests/lib/unit.h"
#include "tests/unit/batch_gen.h"

static struct bb_error err;

static struct bbi_memtable *make(uint64_t base_lsn)
{
    struct bbi_memtable *mt;
    assert_ok(bbi_memtable_create(NULL, base_lsn, &mt, &err), &err);
    return mt;
}

static void write_batch(struct bbi_memtable *mt, const struct gen *g, uint64_t lsn)
{
    assert_ok(bbi_memtable_prepare(mt, &g->batch, &err), &err);
    bbi_memtable_apply(mt, &g->batch, lsn);
}

/* Every time of a field, as seen at visible_lsn. */
static void read_all(const struct bbi_memspace *space, uint32_t series_id, uint32_t field_id,
                     uint64_t visible_lsn, struct bbi_memrows *rows)
{
    assert_ok(bbi_memspace_read(space, series_id, field_id, INT64_MIN, INT64_MAX, visible_lsn, rows,
                                &err),
              &err);
}

/* ---- one thing at a time ---- */

static void test_empty(void **state)
{
    (void)state;
    struct bbi_memtable *mt = make(64);
    assert_null(bbi_memtable_space(mt, 1, 1));
    assert_null(bbi_memtable_next_space(mt, NULL));
    assert_int_equal(bbi_memtable_last_lsn(mt), 64);
    assert_int_equal(bbi_memtable_base_lsn(mt), 64);
    assert_int_equal(bbi_memtable_values(mt), 0);
    bbi_memtable_unref(&mt);
    assert_null(mt);
    bbi_memtable_unref(&mt);
}

static void test_refs(void **state)
{
    (void)state;
    uint64_t used = bbi_account_server()->used_bytes;
    struct bbi_memtable *mt = make(0);
    struct bbi_memtable *other = bbi_memtable_ref(mt);
    bbi_memtable_unref(&mt);
    assert_int_equal(bbi_memtable_base_lsn(other), 0);
    bbi_memtable_unref(&other);
    assert_int_equal(bbi_account_server()->used_bytes, used);
}

/* A later batch replaces a row; whoever reads at the earlier position still sees the old one. */
static void test_overwrite_and_visibility(void **state)
{
    (void)state;
    struct bbi_memtable *mt = make(800);
    struct gen *g = gen_create();
    for (uint32_t k = 1; k <= 3; k++) {
        gen_start(g, 1, 2);
        gen_point(g, 7, 5, 1000);
        gen_cell(g, 9, BBI_INT, k);
        gen_point(g, 7, 5, 1000);
        gen_cell(g, 9, BBI_INT, k * 10);
        write_batch(mt, g, 800 + 8 * k);
    }
    const struct bbi_memspace *space = bbi_memtable_space(mt, 1, 2);
    struct bbi_memrows rows;
    bbi_memrows_init(&rows, NULL);
    for (uint32_t k = 0; k <= 4; k++) {
        read_all(space, 5, 9, 800 + 8 * k, &rows);
        assert_int_equal(rows.count, k > 0);
        if (k > 0) {
            uint32_t newest = k < 3 ? k : 3;
            assert_int_equal(rows.bits[0], newest * 10);
            assert_int_equal(rows.lsns[0], 800 + 8 * newest);
        }
    }
    assert_int_equal(bbi_memtable_values(mt), 6);
    assert_int_equal(bbi_memtable_last_lsn(mt), 824);
    bbi_memrows_fini(&rows);
    free(g);
    bbi_memtable_unref(&mt);
}

/* What was prepared and never applied leaves nothing to be seen, and its room is used again. */
static void test_abandoned_prepare(void **state)
{
    (void)state;
    struct bbi_memtable *mt = make(0);
    struct gen *g = gen_create();
    gen_start(g, 1, 1);
    for (uint32_t i = 0; i < 600; i++) {
        gen_point(g, 1, 3, 100 + i);
        gen_cell(g, 4, BBI_FLOAT, i);
        gen_string(g, 5, GEN_TEXT, 40);
    }
    assert_ok(bbi_memtable_prepare(mt, &g->batch, &err), &err);
    const struct bbi_memspace *space = bbi_memtable_space(mt, 1, 1);
    int64_t tmin;
    int64_t tmax;
    assert_false(bbi_memspace_series_range(space, 3, &tmin, &tmax));
    struct bbi_memseries *series;
    size_t count;
    assert_ok(bbi_memspace_series(space, NULL, &series, &count, &err), &err);
    assert_int_equal(count, 0);
    bbi_mem_free(series);
    uint64_t bytes = bbi_memtable_bytes(mt);
    for (int i = 0; i < 100; i++) {
        assert_ok(bbi_memtable_prepare(mt, &g->batch, &err), &err);
    }
    assert_int_equal(bbi_memtable_bytes(mt), bytes);
    bbi_memtable_apply(mt, &g->batch, 8);
    assert_int_equal(bbi_memtable_bytes(mt), bytes);
    assert_true(bbi_memspace_series_range(space, 3, &tmin, &tmax));
    assert_int_equal(tmin, 100);
    assert_int_equal(tmax, 699);
    struct bbi_memfield fields[4];
    assert_int_equal(bbi_memspace_fields(space, 3, fields, 4), 2);
    assert_int_equal(fields[0].row_count, 600);
    assert_int_equal(bbi_memspace_fields(space, 3, fields, 0), 2);
    assert_int_equal(bbi_memspace_fields(space, 99, fields, 4), 0);
    free(g);
    bbi_memtable_unref(&mt);
}

static void test_series_are_sorted(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct bbi_memtable *mt = make(0);
    struct gen *g = gen_create();
    uint64_t lsn = 0;
    for (int b = 0; b < 20; b++) {
        gen_start(g, 1, 1);
        for (uint32_t i = 0; i < 1000; i++) {
            uint32_t sid = (uint32_t)rng_below(&r, 100000);
            gen_point(g, 1 + sid % 300, sid, (int64_t)i);
            gen_cell(g, 1, BBI_FLOAT, i);
        }
        write_batch(mt, g, lsn += 8);
    }
    struct bbi_memseries *series;
    size_t count;
    const struct bbi_memspace *space = bbi_memtable_space(mt, 1, 1);
    assert_ok(bbi_memspace_series(space, NULL, &series, &count, &err), &err);
    struct bbi_memspace_info info;
    bbi_memspace_info(space, &info);
    assert_int_equal(info.series_count, count);
    assert_int_equal(info.point_count, 20000);
    assert_int_equal(info.value_count, 20000);
    assert_int_equal(info.tmin, 0);
    assert_int_equal(info.tmax, 999);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(series[i].measurement_id, 1 + series[i].series_id % 300);
        assert_true(i == 0 || series[i].measurement_id > series[i - 1].measurement_id ||
                    (series[i].measurement_id == series[i - 1].measurement_id &&
                     series[i].series_id > series[i - 1].series_id));
    }
    bbi_mem_free(series);
    free(g);
    bbi_memtable_unref(&mt);
}

static void test_far_series_ids(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 1, 511, 512, 40000000, 39999999};
    struct bbi_memtable *mt = make(0);
    struct gen *g = gen_create();
    gen_start(g, 1, 1);
    for (size_t i = 0; i < 6; i++) {
        gen_point(g, 1, ids[i], 5);
        gen_cell(g, 1, BBI_UINT, ids[i]);
    }
    write_batch(mt, g, 8);
    struct bbi_memrows rows;
    bbi_memrows_init(&rows, NULL);
    for (size_t i = 0; i < 6; i++) {
        read_all(bbi_memtable_space(mt, 1, 1), ids[i], 1, 8, &rows);
        assert_int_equal(rows.count, 1);
        assert_int_equal(rows.bits[0], ids[i]);
    }
    read_all(bbi_memtable_space(mt, 1, 1), UINT32_MAX, 1, 8, &rows);
    assert_int_equal(rows.count, 0);
    bbi_memrows_fini(&rows);
    free(g);
    bbi_memtable_unref(&mt);
}

/* ---- against a list of everything that was written ---- */

#define MODEL_SERIES 6U
#define MODEL_FIELDS 24U
#define MODEL_MAX    200000U

struct model_value {
    uint64_t lsn;
    int64_t time;
    uint32_t rp_id;
    uint32_t series_id;
    uint32_t field_id;
    uint32_t length;
    uint64_t bits;
};

struct model {
    struct bbi_memtable *mt;
    struct model_value *values;
    size_t count;
    uint64_t base;
    uint64_t lsn;
    struct bbi_memrows rows;
    struct bbi_memmerge merge;
};

static void model_add(struct model *m, const struct gen *g)
{
    for (size_t i = 0; i < g->batch.point_count; i++) {
        const struct bbi_point *p = &g->points[i];
        for (uint32_t k = 0; k < p->cell_count; k++) {
            const struct bbi_cell *c = &g->cells[p->cell_first + k];
            assert_true(m->count < MODEL_MAX);
            m->values[m->count++] = (struct model_value){.lsn = m->lsn,
                                                         .time = p->time_ns,
                                                         .rp_id = g->batch.rp_id,
                                                         .series_id = p->series_id,
                                                         .field_id = c->field_id,
                                                         .length = c->length,
                                                         .bits = c->type == BBI_STRING ? 0
                                                                                       : c->v.bits};
        }
    }
}

/* What a reader asks for. */
struct view {
    int64_t tmin;
    int64_t tmax;
    uint64_t visible_lsn;
};

static int by_time_then_age(const void *a, const void *b)
{
    const struct model_value *x = *(const struct model_value *const *)a;
    const struct model_value *y = *(const struct model_value *const *)b;
    if (x->time != y->time) {
        return x->time < y->time ? -1 : 1;
    }
    return x < y ? -1 : 1;
}

/* What a reader must see of a field, into out; returns how many. */
static size_t model_read(const struct model *m, uint32_t rp_id, uint32_t series_id,
                         uint32_t field_id, const struct view *view, const struct model_value **out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct model_value *v = &m->values[i];
        if (v->rp_id == rp_id && v->series_id == series_id && v->field_id == field_id &&
            v->lsn <= view->visible_lsn && v->time >= view->tmin && v->time <= view->tmax) {
            out[n++] = v;
        }
    }
    qsort(out, n, sizeof(*out), by_time_then_age);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || out[i]->time != out[i + 1]->time) {
            out[kept++] = out[i];
        }
    }
    return kept;
}

static void assert_value(const struct model_value *want, int64_t time, uint64_t lsn, uint8_t type,
                         uint64_t bits)
{
    assert_int_equal(time, want->time);
    assert_int_equal(lsn, want->lsn);
    assert_int_equal(type, gen_type(want->field_id));
    if (type != BBI_STRING) {
        assert_int_equal(bits, want->bits);
        return;
    }
    struct bbi_memstr str = bbi_memtable_str(bits);
    assert_int_equal(str.len, want->length);
    assert_memory_equal(str.ptr, GEN_TEXT, want->length);
}

static void check_rows(struct model *m, const struct bbi_memspace *space, uint32_t rp_id,
                       uint32_t sid, uint32_t fid, const struct view *view,
                       const struct model_value **want)
{
    size_t n = model_read(m, rp_id, sid, fid, view, want);
    assert_ok(bbi_memspace_read(space, sid, fid, view->tmin, view->tmax, view->visible_lsn,
                                &m->rows, &err),
              &err);
    assert_int_equal(m->rows.count, n);
    for (size_t i = 0; i < n; i++) {
        assert_value(want[i], m->rows.times[i], m->rows.lsns[i], m->rows.type, m->rows.bits[i]);
    }
}

static void check_column(const struct bbi_memmerge *merge, const struct bbi_memcolumn *col,
                         const struct model_value **want, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < merge->count; i++) {
        if ((col->valid[i / 8] >> (i % 8) & 1) == 0) {
            continue;
        }
        assert_true(at < n);
        assert_value(want[at++], merge->times[i], col->lsns[i], col->type, col->bits[i]);
    }
    assert_int_equal(at, n);
    assert_int_equal(col->valid_count, n);
}

/* Each time stands in some column. */
static void check_no_empty_time(const struct bbi_memmerge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        bool any = false;
        for (size_t c = 0; c < merge->column_count; c++) {
            any = any || (merge->columns[c].valid[i / 8] >> (i % 8) & 1) != 0;
        }
        assert_true(any);
        assert_true(i == 0 || merge->times[i] > merge->times[i - 1]);
    }
}

/* One part of a series, up to its last time. */
static void check_part(struct model *m, uint32_t rp_id, uint32_t sid, const struct view *view,
                       const struct model_value **want)
{
    size_t col = 0;
    for (uint32_t fid = 0; fid < MODEL_FIELDS; fid++) {
        size_t n = model_read(m, rp_id, sid, fid, view, want);
        if (n == 0) {
            continue;
        }
        assert_true(col < m->merge.column_count);
        assert_int_equal(m->merge.columns[col].field_id, fid);
        check_column(&m->merge, &m->merge.columns[col], want, n);
        col++;
    }
    assert_int_equal(col, m->merge.column_count);
    check_no_empty_time(&m->merge);
}

/* A whole series, in parts of at most max_cells. */
static void check_merge(struct model *m, const struct bbi_memspace *space, uint32_t rp_id,
                        uint32_t sid, const struct view *whole, const struct model_value **want)
{
    struct view part = *whole;
    for (;;) {
        assert_ok(bbi_memspace_read_series(space, sid, part.tmin, whole->tmax, part.visible_lsn,
                                           &m->merge, &err),
                  &err);
        size_t cells = m->merge.count * m->merge.column_count;
        assert_true(m->merge.max_cells == 0 || m->merge.count <= 1 || cells <= m->merge.max_cells);
        if (!m->merge.more) {
            break;
        }
        assert_true(m->merge.count > 0);
        part.tmax = m->merge.times[m->merge.count - 1];
        check_part(m, rp_id, sid, &part, want);
        part.tmin = part.tmax + 1;
    }
    part.tmax = whole->tmax;
    check_part(m, rp_id, sid, &part, want);
}

static struct view random_view(struct rng *r, const struct model *m)
{
    struct view view = {.tmin = INT64_MIN, .tmax = INT64_MAX};
    view.visible_lsn = m->base + 8 * rng_below(r, (m->lsn - m->base) / 8 + 2);
    if (rng_one_in(r, 2)) {
        view.tmin = (int64_t)rng_below(r, 600) - 50;
        view.tmax = view.tmin + (int64_t)rng_below(r, 300);
    }
    return view;
}

/* Series 0 rises in time, 1 jumps, 2 has few fields, 5 many. */
static void random_batch(struct rng *r, struct model *m, struct gen *g)
{
    gen_start(g, 3, 1 + (uint32_t)rng_below(r, 2));
    size_t points = 1 + rng_below(r, rng_one_in(r, 10) ? 300 : 8);
    for (size_t i = 0; i < points; i++) {
        uint32_t sid = (uint32_t)rng_below(r, MODEL_SERIES);
        int64_t time = (int64_t)rng_below(r, 500);
        time = sid == 0 ? (int64_t)m->lsn * 300 + (int64_t)i : time;
        if (!gen_point(g, sid % 3, sid, time)) {
            break;
        }
        uint32_t spread = sid == 5 ? MODEL_FIELDS : 1 + sid;
        uint32_t first = (uint32_t)rng_below(r, spread);
        uint32_t count = 1 + (uint32_t)rng_below(r, spread);
        for (uint32_t k = 0; k < count; k++) {
            uint32_t step = sid == 5 ? 7 : 1;
            gen_random_cell(g, r, (first + k * step) % spread);
        }
    }
}

static void check_model(struct rng *r, struct model *m, const struct model_value **want)
{
    for (uint32_t rp = 1; rp <= 2; rp++) {
        const struct bbi_memspace *space = bbi_memtable_space(m->mt, 3, rp);
        uint32_t sid = (uint32_t)rng_below(r, MODEL_SERIES);
        struct view view = random_view(r, m);
        if (space == NULL) {
            continue;
        }
        for (uint32_t i = 0; i < 4; i++) {
            check_rows(m, space, rp, sid, (uint32_t)rng_below(r, MODEL_FIELDS), &view, want);
        }
        m->merge.max_cells = rng_one_in(r, 2) ? 0 : 1 + rng_below(r, 200);
        check_merge(m, space, rp, sid, &view, want);
    }
}

static void run_model(struct rng *r)
{
    struct model m = {.base = 8 * rng_below(r, 1000000)};
    m.lsn = m.base;
    m.mt = make(m.base);
    m.values = calloc(MODEL_MAX, sizeof(*m.values));
    bbi_memrows_init(&m.rows, NULL);
    bbi_memmerge_init(&m.merge, NULL);
    const struct model_value **want = calloc(MODEL_MAX, sizeof(*want));
    struct gen *g = gen_create();
    for (int b = 0; b < 120; b++) {
        if (rng_one_in(r, 4)) {
            random_batch(r, &m, g);
            assert_ok(bbi_memtable_prepare(m.mt, &g->batch, &err), &err);
        }
        random_batch(r, &m, g);
        m.lsn += 8 * (1 + rng_below(r, 3));
        write_batch(m.mt, g, m.lsn);
        model_add(&m, g);
        check_model(r, &m, want);
    }
    bbi_memmerge_fini(&m.merge);
    bbi_memrows_fini(&m.rows);
    free(want);
    free(m.values);
    free(g);
    bbi_memtable_unref(&m.mt);
}

static void test_model(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int i = 0; i < 8; i++) {
        run_model(&r);
    }
}

/* The model above reads at random positions; here each batch is read at each position. */
static void test_every_visibility_cut(void **state)
{
    (void)state;
    struct bbi_memtable *mt = make(0);
    struct gen *g = gen_create();
    enum {
        BATCHES = 400
    };
    for (uint32_t b = 1; b <= BATCHES; b++) {
        gen_start(g, 1, 1);
        for (uint32_t s = 0; s < 3; s++) {
            gen_point(g, 1, s, s == 1 ? 1000 - (int64_t)b : (int64_t)b);
            gen_cell(g, 1, BBI_UINT, b);
        }
        write_batch(mt, g, 8 * b);
    }
    const struct bbi_memspace *space = bbi_memtable_space(mt, 1, 1);
    struct bbi_memrows rows;
    bbi_memrows_init(&rows, NULL);
    for (uint32_t b = 0; b <= BATCHES; b++) {
        for (uint32_t s = 0; s < 3; s++) {
            read_all(space, s, 1, 8 * b + b % 8, &rows);
            assert_int_equal(rows.count, b);
            for (uint32_t i = 0; i < b; i++) {
                assert_int_equal(rows.bits[i], s == 1 ? b - i : i + 1);
            }
        }
    }
    bbi_memrows_fini(&rows);
    free(g);
    bbi_memtable_unref(&mt);
}

/* ---- memory ---- */

/* A batch that takes new series, new fields, new blocks and strings. */
static void grow_batch(struct gen *g, uint32_t round)
{
    gen_start(g, 1, round % 3);
    for (uint32_t i = 0; i < 40; i++) {
        gen_point(g, 1, i * 700, round);
        for (uint32_t f = 0; f < 20; f++) {
            gen_cell(g, f * 5, BBI_FLOAT, round + f);
        }
        gen_string(g, 204, GEN_TEXT, 60);
    }
}

/* Fail the n-th allocation of a prepare for every n: nothing changes for readers, and the same
 * batch goes in afterwards. */
static void test_failing_allocations(void **state)
{
    (void)state;
    struct gen *g = gen_create();
    struct bbi_memrows rows;
    bbi_memrows_init(&rows, NULL);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct bbi_memtable *mt = make(0);
        uint64_t lsn = 0;
        failed = false;
        bbi_mem_fail_at(n);
        for (uint32_t round = 0; round < 9; round++) {
            grow_batch(g, round);
            int rc = bbi_memtable_prepare(mt, &g->batch, &err);
            if (rc != BB_OK) {
                assert_int_equal(rc, BB_ENOMEM);
                failed = true;
                assert_int_equal(bbi_memtable_values(mt), (uint64_t)round * 40 * 21);
                assert_ok(bbi_memtable_prepare(mt, &g->batch, &err), &err);
            }
            bbi_memtable_apply(mt, &g->batch, lsn += 8);
        }
        bbi_mem_fail_at(0);
        for (uint32_t rp = 0; rp < 3; rp++) {
            const struct bbi_memspace *space = bbi_memtable_space(mt, 1, rp);
            read_all(space, 39 * 700, 95, lsn, &rows);
            assert_int_equal(rows.count, 3);
            for (uint32_t i = 0; i < 3; i++) {
                assert_int_equal(rows.bits[i], rp + 3 * i + 19);
            }
        }
        bbi_memtable_unref(&mt);
    }
    bbi_memrows_fini(&rows);
    free(g);
}

static void test_failing_reads(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct model m = {.mt = make(0)};
    struct gen *g = gen_create();
    for (int b = 0; b < 60; b++) {
        random_batch(&r, &m, g);
        write_batch(m.mt, g, m.lsn += 8);
    }
    const struct bbi_memspace *space = bbi_memtable_next_space(m.mt, NULL);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        bbi_memrows_init(&m.rows, NULL);
        bbi_memmerge_init(&m.merge, NULL);
        struct bbi_memseries *series;
        size_t count;
        bbi_mem_fail_at(n);
        int a = bbi_memspace_read(space, 1, 1, INT64_MIN, INT64_MAX, m.lsn, &m.rows, &err);
        int b = bbi_memspace_read_series(space, 5, INT64_MIN, INT64_MAX, m.lsn, &m.merge, &err);
        int c = bbi_memspace_series(space, NULL, &series, &count, &err);
        bbi_mem_fail_at(0);
        failed = a != BB_OK || b != BB_OK || c != BB_OK;
        assert_true(a == BB_OK || (a == BB_ENOMEM && m.rows.count == 0));
        assert_true(b == BB_OK || (b == BB_ENOMEM && m.merge.count == 0));
        assert_true(c == BB_OK || (c == BB_ENOMEM && series == NULL));
        assert_ok(bbi_memspace_read_series(space, 5, INT64_MIN, INT64_MAX, m.lsn, &m.merge, &err),
                  &err);
        assert_true(m.merge.count > 0);
        bbi_mem_free(series);
        bbi_memmerge_fini(&m.merge);
        bbi_memrows_fini(&m.rows);
    }
    free(g);
    bbi_memtable_unref(&m.mt);
}

/* One field, 10 rows, in batches of 4,000 points: the budget of a memtable rests on this. */
static void test_memory_per_series(void **state)
{
    (void)state;
    enum {
        SERIES = 100000,
        ROWS = 10
    };
    struct bbi_memtable *mt = make(0);
    struct gen *g = gen_create();
    uint64_t lsn = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        for (uint32_t s = 0; s < SERIES;) {
            gen_start(g, 1, 1);
            for (; s < SERIES && gen_point(g, 1, s, row); s++) {
                gen_cell(g, 1, BBI_FLOAT, s);
            }
            write_batch(mt, g, lsn += 8);
        }
    }
    double per_series = (double)bbi_memtable_bytes(mt) / SERIES;
    printf("%.1f bytes a series of %d rows\n", per_series, ROWS);
    assert_true(per_series <= 360);
    free(g);
    bbi_memtable_unref(&mt);
}

static void test_sort_keys(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    uint64_t keys[500];
    uint64_t spare[500];
    for (int round = 0; round < 200; round++) {
        size_t n = rng_below(&r, 500);
        uint64_t mask = rng_u64(&r) & rng_u64(&r);
        uint64_t sum = 0;
        for (size_t i = 0; i < n; i++) {
            keys[i] = rng_u64(&r) & mask;
            sum += keys[i];
        }
        mem_sort_keys(keys, spare, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(i == 0 || keys[i] >= keys[i - 1]);
            sum -= keys[i];
        }
        assert_int_equal(sum, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_overwrite_and_visibility),
        cmocka_unit_test(test_abandoned_prepare),
        cmocka_unit_test(test_series_are_sorted),
        cmocka_unit_test(test_far_series_ids),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_every_visibility_cut),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_failing_reads),
        cmocka_unit_test(test_memory_per_series),
        cmocka_unit_test(test_sort_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
