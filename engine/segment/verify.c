/*
 * Checking a whole segment: what reading checks anyway, page after page, and what no single page
 * can know: that groups follow each other, and that statistics tell the truth.
 */
#include <inttypes.h>

#include "engine/segment/order.h"
#include "engine/segment/segment.h"

struct verifier {
    struct bbi_segment *seg;
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    struct bbi_sum floats;
    struct bbi_segment_meta seen; /* counts and ranges */
    bool any;
    uint32_t measurement_id; /* of the last chunk, as the two below */
    uint32_t series_id;
    int64_t last_time;
};

/* Every row's time is unpacked, which checks it. */
static int verify_chunk_times(struct verifier *v, const struct bbi_segment_group *g, size_t chunk,
                              struct bb_error *err)
{
    int64_t times[BBI_SEGMENT_CHUNK_ROWS];
    const struct bbi_timepage *tp = &v->tp;
    uint32_t series = tp->series[chunk];
    bool same = v->any && v->measurement_id == g->measurement_id && v->series_id == series;
    if (same && tp->tmin[chunk] <= v->last_time) {
        return bbi_error_set(err, BB_ECORRUPT, "series %" PRIu32 " goes back in time", series);
    }
    v->any = true;
    v->measurement_id = g->measurement_id;
    v->series_id = series;
    v->last_time = tp->tmax[chunk];
    v->seen.series_count += same ? 0 : 1;
    v->seen.series_min = series < v->seen.series_min ? series : v->seen.series_min;
    v->seen.series_max = series > v->seen.series_max ? series : v->seen.series_max;
    return bbi_timepage_times(&v->tp, chunk, 0, tp->rows[chunk], times, err);
}

static int verify_times(struct verifier *v, size_t group, const struct bbi_segment_group *g,
                        struct bb_error *err)
{
    int code = bbi_segment_read_time(v->seg, group, &v->tp, err);
    for (size_t c = 0; code == BB_OK && c < v->tp.chunk_count; c++) {
        code = verify_chunk_times(v, g, c, err);
    }
    v->seen.row_count += g->row_count;
    v->seen.tmin = g->tmin < v->seen.tmin ? g->tmin : v->seen.tmin;
    v->seen.tmax = g->tmax > v->seen.tmax ? g->tmax : v->seen.tmax;
    return code;
}

static int verify_strings(struct verifier *v, size_t chunk, struct bb_error *err)
{
    struct bbi_string strs[BBI_SEGMENT_CHUNK_ROWS];
    size_t count = 0;
    return bbi_fieldpage_strings(&v->fp, chunk, 0, v->tp.rows[chunk], strs, NULL, &count, err);
}

/* What the statistics should be. */
struct totals {
    bool any;
    bool non_finite;
    uint64_t min_bits, max_bits;
    __int128 integers;
};

static int add_chunk(struct verifier *v, size_t chunk, struct totals *t, struct bb_error *err)
{
    uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
    struct bbi_fieldpage *fp = &v->fp;
    size_t rows = v->tp.rows[chunk];
    size_t count = 0;
    int code = bbi_fieldpage_dense(fp, chunk, 0, rows, bits, &count, err);
    if (code == BB_OK) {
        code = bbi_fieldpage_sum(fp, chunk, 0, rows, &v->floats, &t->integers, &count, err);
    }
    struct bbi_fieldpage_extremes e;
    if (code == BB_OK) {
        code = bbi_fieldpage_minmax(fp, chunk, 0, rows, &e, err);
    }
    if (code != BB_OK) {
        return code;
    }
    t->non_finite |= e.non_finite;
    if (e.count > 0) {
        bool first = !t->any;
        t->min_bits = first || bbi_value_less(fp->type, e.min_bits, t->min_bits) ? e.min_bits
                                                                                 : t->min_bits;
        t->max_bits = first || bbi_value_less(fp->type, t->max_bits, e.max_bits) ? e.max_bits
                                                                                 : t->max_bits;
        t->any = true;
    }
    return BB_OK;
}

static bool stats_hold(const struct verifier *v, const struct bbi_segment_field *f,
                       const struct totals *t)
{
    enum bbi_type type = v->fp.type;
    bool minmax = (f->stats & BBI_STATS_MINMAX) != 0;
    if (t->non_finite != ((f->stats & BBI_STATS_NON_FINITE) != 0) || minmax == t->non_finite) {
        return false;
    }
    if (minmax && (bbi_value_less(type, f->min_bits, t->min_bits) ||
                   bbi_value_less(type, t->min_bits, f->min_bits) ||
                   bbi_value_less(type, f->max_bits, t->max_bits) ||
                   bbi_value_less(type, t->max_bits, f->max_bits))) {
        return false;
    }
    if ((f->stats & BBI_STATS_SUM) == 0) {
        return type == BBI_FLOAT && v->floats.wide != NULL;
    }
    return type == BBI_FLOAT ? v->floats.wide == NULL && v->floats.nano == f->sum
                             : t->integers == f->sum;
}

static int verify_field(struct verifier *v, size_t group, const struct bbi_segment_group *g,
                        size_t field, struct bb_error *err)
{
    const struct bbi_segment_field *f = &g->fields[field];
    int code = bbi_segment_read_field(v->seg, group, field, &v->tp, &v->fp, err);
    bool strings = v->fp.type == BBI_STRING;
    struct totals totals = {.any = false};
    /* An accumulator that is there says that a value was no decimal: begin without one. */
    bbi_sum_fini(&v->floats);
    bbi_sum_init(&v->floats, v->fp.acct);
    for (size_t c = 0; code == BB_OK && c < v->fp.chunk_count; c++) {
        code = strings ? verify_strings(v, c, err) : add_chunk(v, c, &totals, err);
    }
    if (code == BB_OK && !strings && !stats_hold(v, f, &totals)) {
        code = bbi_error_set(err, BB_ECORRUPT, "statistics differ from the values");
    }
    v->seen.value_count += f->value_count;
    return code == BB_OK ? BB_OK
                         : bbi_error_wrap(err, "group %zu, field %" PRIu32, group, f->field_id);
}

static int verify_groups(struct verifier *v, struct bb_error *err)
{
    size_t group_count = 0;
    const struct bbi_segment_group *groups = bbi_segment_groups(v->seg, &group_count);
    int code = BB_OK;
    for (size_t i = 0; code == BB_OK && i < group_count; i++) {
        code = verify_times(v, i, &groups[i], err);
        for (size_t f = 0; code == BB_OK && f < groups[i].field_count; f++) {
            code = verify_field(v, i, &groups[i], f, err);
        }
    }
    if (code != BB_OK) {
        return code;
    }
    const struct bbi_segment_meta *m = bbi_segment_get_meta(v->seg);
    const struct bbi_segment_meta *s = &v->seen;
    if (m->row_count != s->row_count || m->value_count != s->value_count ||
        m->series_count != s->series_count || m->tmin != s->tmin || m->tmax != s->tmax ||
        m->series_min != s->series_min || m->series_max != s->series_max) {
        return bbi_error_set(err, BB_ECORRUPT, "footer: differs from the rows");
    }
    return BB_OK;
}

int bbi_segment_verify(struct bbi_segment *seg, struct bbi_account *acct, struct bb_error *err)
{
    int code = bbi_segment_pin(seg, err);
    if (code != BB_OK) {
        return code;
    }
    struct verifier v = {.seg = seg,
                         .seen = {.tmin = INT64_MAX, .tmax = INT64_MIN, .series_min = UINT32_MAX}};
    bbi_timepage_init(&v.tp, acct);
    bbi_fieldpage_init(&v.fp, acct);
    bbi_sum_init(&v.floats, acct);
    code = verify_groups(&v, err);
    bbi_sum_fini(&v.floats);
    bbi_fieldpage_fini(&v.fp);
    bbi_timepage_fini(&v.tp);
    bbi_segment_unpin(seg);
    return code == BB_OK ? BB_OK : bbi_error_wrap(err, "verify %s", bbi_segment_get_path(seg));
}
