#include "tests/unit/segment_model.h"

#include "tests/lib/unit.h"

#define MINUTE INT64_C(60000000000)
#define START  INT64_C(1235865600000000000)

static const enum bbi_type TYPES[MODEL_FIELDS] = {BBI_FLOAT, BBI_FLOAT,  BBI_INT,  BBI_UINT,
                                                  BBI_BOOL,  BBI_STRING, BBI_FLOAT};

void model_init(struct model *m, struct rng *rng)
{
    *m = (struct model){.rng = rng};
    bbi_arena_init(&m->arena, NULL);
}

void model_fini(struct model *m)
{
    bbi_arena_fini(&m->arena);
    bbi_mem_free(m->series);
}

static void *take(struct model *m, size_t count, size_t size)
{
    void *p = bbi_arena_zalloc(&m->arena, count, size);
    assert_non_null(p);
    return p;
}

/* ---- making ---- */

static void make_times(struct model *m, int64_t *t, size_t n, enum model_style style)
{
    uint64_t kind = style == MODEL_PLAIN ? 0 : rng_below(m->rng, 5);
    int64_t at = START + (kind > 0 ? (int64_t)rng_below(m->rng, 100) * MINUTE : 0);
    int64_t step = kind == 4 ? 1 : 30 * MINUTE;
    for (size_t i = 0; i < n; i++) {
        t[i] = at + (kind == 2 ? (int64_t)rng_below(m->rng, 3000) * 1000000 : 0);
        at += step * (kind == 1 && rng_one_in(m->rng, 50) ? 4 : 1);
        at += kind == 3 ? (int64_t)rng_below(m->rng, 1000000007) : 0;
    }
    if (kind == 4 && n > 2) {
        t[0] = BBI_TIME_MIN;
        t[n - 1] = BBI_TIME_MAX;
    }
}

static uint64_t make_double(struct model *m, size_t field)
{
    static const double odd[] = {0.0, -0.0, 1e300, -1e-300, 1.0 / 3, 1.0 / 0.0, -1.0 / 0.0};
    double v = (double)rng_below(m->rng, 5000) / 1000;
    uint64_t r = rng_below(m->rng, 100);
    if (field == 1 && r < 30) {
        v = r < 7 ? odd[r] : rng_finite(m->rng);
    } else if (field == 6) {
        v = 230.3 + (double)rng_below(m->rng, 2);
    }
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return field == 1 && r == 99 ? UINT64_C(0x7ff8000000000123) : bits;
}

static uint64_t make_bits(struct model *m, size_t field)
{
    uint64_t r = rng_u64(m->rng);
    switch (TYPES[field]) {
    case BBI_FLOAT:
        return make_double(m, field);
    case BBI_BOOL:
        return r & 1;
    default:
        return rng_one_in(m->rng, 100) ? r : (TYPES[field] == BBI_INT ? r % 1000 - 500 : r % 1000);
    }
}

static struct bbi_string make_string(struct model *m)
{
    static const char *const words[] = {"ok", "", "estimated", "missing"};
    if (!rng_one_in(m->rng, 10)) {
        const char *word = words[rng_below(m->rng, 4)];
        return (struct bbi_string){(const uint8_t *)word, (uint32_t)strlen(word)};
    }
    size_t len = rng_below(m->rng, 40);
    uint8_t *p = take(m, len + 1, 1);
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)rng_u64(m->rng);
    }
    return (struct bbi_string){p, (uint32_t)len};
}

/* NULL: all there. */
static uint64_t *make_valid(struct model *m, size_t n)
{
    uint64_t kind = rng_below(m->rng, 5);
    if (kind == 0) {
        return NULL;
    }
    uint64_t *valid = take(m, BBI_BITMAP_WORDS(n), sizeof(*valid));
    bool on = rng_one_in(m->rng, 2);
    for (size_t i = 0; i < n; i++) {
        on = kind == 3 && rng_one_in(m->rng, 300) ? !on : on;
        bool has = kind == 1   ? !rng_one_in(m->rng, 60)
                   : kind == 2 ? rng_one_in(m->rng, 2)
                   : kind == 3 ? on
                               : i < n / 2;
        valid[i / 64] |= (uint64_t)has << i % 64;
    }
    return valid;
}

static void make_column(struct model *m, struct model_series *s, size_t field,
                        enum model_style style)
{
    struct bbi_column *c = &s->columns[field];
    *c = (struct bbi_column){.field_id = s->measurement_id * 100 + (uint32_t)field,
                             .type = (uint8_t)TYPES[field]};
    if (style == MODEL_PLAIN ? field != 0 : rng_one_in(m->rng, 5)) {
        return;
    }
    c->valid = style == MODEL_PLAIN ? NULL : make_valid(m, s->rows);
    if (TYPES[field] == BBI_STRING) {
        struct bbi_string *strs = take(m, s->rows, sizeof(*strs));
        for (size_t i = 0; i < s->rows; i++) {
            strs[i] = make_string(m);
        }
        c->strs = strs;
        return;
    }
    uint64_t *bits = take(m, s->rows, sizeof(*bits));
    for (size_t i = 0; i < s->rows; i++) {
        bits[i] = make_bits(m, field);
    }
    c->bits = bits;
}

void model_add(struct model *m, uint32_t measurement_id, uint32_t series_id, size_t rows,
               enum model_style style)
{
    if (m->count == m->cap) {
        m->cap = m->cap == 0 ? 16 : m->cap * 2;
        m->series = bbi_mem_realloc(NULL, m->series, m->cap * sizeof(*m->series));
        assert_non_null(m->series);
    }
    struct model_series *s = &m->series[m->count++];
    *s = (struct model_series){
        .measurement_id = measurement_id, .series_id = series_id, .rows = rows};
    s->times = take(m, rows, sizeof(*s->times));
    make_times(m, s->times, rows, style);
    for (size_t field = 0; field < MODEL_FIELDS; field++) {
        make_column(m, s, field, style);
    }
}

bool model_has(const struct bbi_column *column, size_t row)
{
    if (column->bits == NULL && column->strs == NULL) {
        return false;
    }
    return column->valid == NULL || (column->valid[row / 64] >> row % 64 & 1) != 0;
}

/* ---- writing ---- */

static int write_rows(const struct model *m, const struct model_series *s, size_t from, size_t to,
                      struct bbi_segment_writer *w, struct bb_error *err)
{
    struct bbi_column columns[MODEL_FIELDS];
    uint64_t *valid[MODEL_FIELDS] = {NULL};
    size_t n = 0;
    for (size_t f = 0; f < MODEL_FIELDS; f++) {
        const struct bbi_column *c = &s->columns[f];
        if (c->bits == NULL && c->strs == NULL) {
            continue;
        }
        columns[n] = *c;
        columns[n].bits = c->bits == NULL ? NULL : c->bits + from;
        columns[n].strs = c->strs == NULL ? NULL : c->strs + from;
        if (c->valid != NULL) {
            valid[f] = calloc(BBI_BITMAP_WORDS(to - from) + 1, sizeof(uint64_t));
            assert_non_null(valid[f]);
            for (size_t i = from; i < to; i++) {
                valid[f][(i - from) / 64] |= (uint64_t)model_has(c, i) << (i - from) % 64;
            }
            columns[n].valid = valid[f];
        }
        n++;
    }
    int code = bbi_segment_writer_add(w, s->measurement_id, s->series_id, s->times + from,
                                      to - from, columns, n, err);
    for (size_t f = 0; f < MODEL_FIELDS; f++) {
        free(valid[f]);
    }
    (void)m;
    return code;
}

int model_write(const struct model *m, const struct bbi_fs *fs, const char *dir, uint64_t id,
                bool split, struct bbi_account *acct, struct bbi_segment_meta *meta,
                struct bb_error *err)
{
    struct bbi_segment_meta identity = {.id = id,
                                        .db_id = 3,
                                        .rp_id = 4,
                                        .lsn_lo = 800,
                                        .lsn_hi = 1600,
                                        .tombs_lsn = 1608,
                                        .span_t0 = START,
                                        .span_t1 = START + 7 * 24 * 60 * MINUTE,
                                        .job_id = 9,
                                        .job_part = 1,
                                        .job_parts = 2,
                                        .level = 5};
    struct bbi_segment_writer *w = NULL;
    int code = bbi_segment_writer_create(fs, dir, &identity, acct, &w, err);
    for (size_t i = 0; code == BB_OK && i < m->count; i++) {
        const struct model_series *s = &m->series[i];
        for (size_t from = 0; code == BB_OK && from < s->rows;) {
            size_t left = s->rows - from;
            size_t n = split ? 1 + rng_below(m->rng, rng_one_in(m->rng, 2) ? 9 : 3000) : left;
            n = n < left ? n : left;
            code = write_rows(m, s, from, from + n, w, err);
            from += n;
        }
    }
    if (code == BB_OK) {
        uint64_t estimate = bbi_segment_writer_bytes(w);
        code = bbi_segment_writer_finish(w, meta, err);
        assert_true(code != BB_OK || estimate * 2 >= meta->file_bytes);
    }
    bbi_segment_writer_destroy(&w);
    assert_null(w);
    return code;
}

/* ---- checking ---- */

/* Rows [from, from + rows) of a series are a chunk. */
struct view {
    const struct model *m;
    const struct model_series *s;
    const struct bbi_column *column; /* NULL: not in the model */
    size_t from, rows;
    struct bbi_fieldpage *fp;
    size_t chunk;
};

static bool has(const struct view *v, size_t row)
{
    return v->column != NULL && model_has(v->column, v->from + row);
}

static void check_strings(const struct view *v, size_t from, size_t to)
{
    struct bbi_string strs[BBI_SEGMENT_CHUNK_ROWS];
    uint64_t valid[BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS)];
    size_t count = 0;
    struct bb_error err;
    assert_ok(bbi_fieldpage_strings(v->fp, v->chunk, from, to, strs, valid, &count, &err), &err);
    size_t want = 0;
    for (size_t i = 0; i < to - from; i++) {
        bool there = has(v, from + i);
        assert_int_equal(valid[i / 64] >> i % 64 & 1, there);
        if (!there) {
            assert_true(strs[i].ptr == NULL && strs[i].len == 0);
            continue;
        }
        const struct bbi_string *s = &v->column->strs[v->from + from + i];
        want++;
        assert_int_equal(strs[i].len, s->len);
        assert_true(s->len == 0 || memcmp(strs[i].ptr, s->ptr, s->len) == 0);
    }
    assert_int_equal(count, want);
}

/* What the window's statistics must be. */
struct expected {
    size_t count;
    struct bbi_sum floats;
    __int128 integers;
    struct bbi_fieldpage_extremes e;
};

static double as_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static bool is_less(enum bbi_type type, uint64_t a, uint64_t b)
{
    return type == BBI_FLOAT ? as_double(a) < as_double(b)
           : type == BBI_INT ? (int64_t)a < (int64_t)b
                             : a < b;
}

static void add_expected(struct expected *x, enum bbi_type type, uint64_t bits, size_t row)
{
    x->count++;
    if (type == BBI_FLOAT) {
        double v = as_double(bits);
        assert_int_equal(bbi_sum_add(&x->floats, v), BB_OK);
        x->e.non_finite |= v != v || v - v != 0;
        if (v != v) {
            return;
        }
    } else {
        x->integers += type == BBI_INT ? (__int128)(int64_t)bits : (__int128)bits;
    }
    if (x->e.count == 0 || is_less(type, bits, x->e.min_bits)) {
        x->e.min_bits = bits;
        x->e.min_row = row;
    }
    if (x->e.count == 0 || is_less(type, x->e.max_bits, bits)) {
        x->e.max_bits = bits;
        x->e.max_row = row;
    }
    x->e.count++;
}

static void check_same_sum(const struct bbi_sum *a, const struct bbi_sum *b)
{
    struct bbi_buf x;
    struct bbi_buf y;
    bbi_buf_init(&x, NULL, 4096);
    bbi_buf_init(&y, NULL, 4096);
    bbi_sum_encode(a, &x);
    bbi_sum_encode(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    bbi_buf_fini(&x);
    bbi_buf_fini(&y);
}

static void check_aggregates(const struct view *v, size_t from, size_t to, struct expected *x)
{
    struct bb_error err;
    struct bbi_sum floats;
    __int128 integers = 0;
    size_t count = 0;
    bbi_sum_init(&floats, NULL);
    assert_ok(bbi_fieldpage_sum(v->fp, v->chunk, from, to, &floats, &integers, &count, &err), &err);
    assert_int_equal(count, x->count);
    assert_true(integers == x->integers);
    check_same_sum(&floats, &x->floats);
    bbi_sum_fini(&floats);

    struct bbi_fieldpage_extremes e;
    assert_ok(bbi_fieldpage_minmax(v->fp, v->chunk, from, to, &e, &err), &err);
    assert_int_equal(e.count, x->e.count);
    assert_int_equal(e.non_finite, x->e.non_finite);
    if (e.count > 0) {
        assert_true(e.min_bits == x->e.min_bits && e.max_bits == x->e.max_bits);
        assert_true(e.min_row == x->e.min_row && e.max_row == x->e.max_row);
    }
}

static void check_numbers(const struct view *v, size_t from, size_t to)
{
    uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
    uint64_t dense[BBI_SEGMENT_CHUNK_ROWS];
    uint64_t valid[BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS)];
    size_t count = 0;
    size_t dense_count = 0;
    struct bb_error err;
    assert_ok(bbi_fieldpage_values(v->fp, v->chunk, from, to, bits, valid, &count, &err), &err);
    assert_ok(bbi_fieldpage_dense(v->fp, v->chunk, from, to, dense, &dense_count, &err), &err);
    assert_int_equal(count, dense_count);
    assert_int_equal(count, bbi_fieldpage_valid(v->fp, v->chunk, from, to, NULL));
    struct expected x = {.count = 0};
    bbi_sum_init(&x.floats, NULL);
    for (size_t i = 0; i < to - from; i++) {
        bool there = has(v, from + i);
        assert_int_equal(valid[i / 64] >> i % 64 & 1, there);
        uint64_t want = there ? v->column->bits[v->from + from + i] : 0;
        assert_true(bits[i] == want);
        if (there) {
            assert_true(dense[x.count] == want);
            add_expected(&x, v->fp->type, want, from + i);
        }
    }
    assert_int_equal(count, x.count);
    check_aggregates(v, from, to, &x);
    bbi_sum_fini(&x.floats);
}

static void check_window(const struct view *v, size_t from, size_t to)
{
    if (v->fp->type == BBI_STRING) {
        check_strings(v, from, to);
    } else {
        check_numbers(v, from, to);
    }
}

static size_t check_chunk(const struct view *v)
{
    check_window(v, 0, v->rows);
    size_t from = rng_below(v->m->rng, v->rows + 1);
    check_window(v, from, from + rng_below(v->m->rng, v->rows - from + 1));
    size_t values = 0;
    for (size_t i = 0; i < v->rows; i++) {
        values += has(v, i) ? 1 : 0;
    }
    assert_int_equal(bbi_fieldpage_chunk_values(v->fp, v->chunk), values);
    enum bbi_presence presence = bbi_fieldpage_presence(v->fp, v->chunk);
    assert_int_equal(presence, values == v->rows ? BBI_PRESENT_ALL
                               : values > 0      ? BBI_PRESENT_SOME
                                                 : BBI_PRESENT_NONE);
    return values;
}

/* Where the walk through model and segment stands. */
struct walk {
    const struct model *m;
    struct bbi_segment *seg;
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    size_t series; /* of the model, and row of it, where the group begins */
    size_t row;
    uint64_t values;
};

static void check_times(struct walk *w, size_t chunk, const struct model_series *s, size_t row)
{
    int64_t times[BBI_SEGMENT_CHUNK_ROWS];
    size_t n = w->tp.rows[chunk];
    struct bb_error err;
    assert_true(w->tp.tmin[chunk] == s->times[row]);
    assert_true(w->tp.tmax[chunk] == s->times[row + n - 1]);
    assert_ok(bbi_timepage_times(&w->tp, chunk, 0, n, times, &err), &err);
    assert_memory_equal(times, s->times + row, n * sizeof(times[0]));
    size_t want = rng_below(w->m->rng, n);
    size_t found = SIZE_MAX;
    assert_ok(bbi_timepage_lower_bound(&w->tp, chunk, times[want], &found, &err), &err);
    assert_int_equal(found, want);
}

/* One field of a group, or, fp NULL, that the group rightly lacks it. */
static void check_field(struct walk *w, size_t field, struct bbi_fieldpage *fp)
{
    size_t series = w->series;
    size_t row = w->row;
    size_t values = 0;
    for (size_t c = 0; c < w->tp.chunk_count; c++) {
        const struct model_series *s = &w->m->series[series];
        struct view v = {.m = w->m,
                         .s = s,
                         .column = &s->columns[field],
                         .from = row,
                         .rows = w->tp.rows[c],
                         .fp = fp,
                         .chunk = c};
        if (fp != NULL) {
            values += check_chunk(&v);
        } else {
            for (size_t i = 0; i < v.rows; i++) {
                assert_false(has(&v, i));
            }
        }
        row += w->tp.rows[c];
        series += row == s->rows ? 1 : 0;
        row = row == s->rows ? 0 : row;
    }
    w->values += values;
}

static void check_group(struct walk *w, size_t group, const struct bbi_segment_group *g)
{
    struct bb_error err;
    assert_ok(bbi_segment_read_time(w->seg, group, &w->tp, &err), &err);
    size_t series = w->series;
    size_t row = w->row;
    for (size_t c = 0; c < w->tp.chunk_count; c++) {
        assert_true(series < w->m->count);
        const struct model_series *s = &w->m->series[series];
        assert_int_equal(g->measurement_id, s->measurement_id);
        assert_int_equal(w->tp.series[c], s->series_id);
        assert_true(w->tp.rows[c] <= s->rows - row);
        assert_true(bbi_timepage_find(&w->tp, s->series_id) <= c);
        check_times(w, c, s, row);
        size_t first = 0;
        size_t end = 0;
        bbi_segment_find(w->seg, s->measurement_id, s->series_id, s->series_id, &first, &end);
        assert_true(first <= group && group < end);
        row += w->tp.rows[c];
        series += row == s->rows ? 1 : 0;
        row = row == s->rows ? 0 : row;
    }
    for (size_t f = 0; f < MODEL_FIELDS; f++) {
        size_t index = bbi_segment_find_field(g, g->measurement_id * 100 + (uint32_t)f);
        if (index != SIZE_MAX) {
            assert_ok(bbi_segment_read_field(w->seg, group, index, &w->tp, &w->fp, &err), &err);
        }
        check_field(w, f, index == SIZE_MAX ? NULL : &w->fp);
    }
    w->series = series;
    w->row = row;
}

static void check_meta(const struct walk *w, const struct bbi_segment_meta *meta)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < w->m->count; i++) {
        const struct model_series *s = &w->m->series[i];
        rows += s->rows;
        assert_true(s->times[0] >= meta->tmin && s->times[s->rows - 1] <= meta->tmax);
        assert_in_range(s->series_id, meta->series_min, meta->series_max);
    }
    assert_int_equal(meta->row_count, rows);
    assert_int_equal(meta->series_count, w->m->count);
    assert_int_equal(meta->value_count, w->values);
}

void model_check(const struct model *m, struct bbi_segment *seg, struct bbi_account *acct)
{
    struct walk w = {.m = m, .seg = seg};
    struct bb_error err;
    bbi_timepage_init(&w.tp, acct);
    bbi_fieldpage_init(&w.fp, acct);
    assert_ok(bbi_segment_verify(seg, acct, &err), &err);
    assert_ok(bbi_segment_pin(seg, &err), &err);
    size_t count = 0;
    const struct bbi_segment_group *groups = bbi_segment_groups(seg, &count);
    for (size_t i = 0; i < count; i++) {
        check_group(&w, i, &groups[i]);
    }
    assert_int_equal(w.series, m->count);
    check_meta(&w, bbi_segment_get_meta(seg));
    bbi_segment_unpin(seg);
    bbi_fieldpage_fini(&w.fp);
    bbi_timepage_fini(&w.tp);
}
