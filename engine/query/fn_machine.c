/* What all machines share: opening, the way of a point in and out, kept points, sorting. */
#include <string.h>

#include "engine/query/fn_internal.h"
#include "engine/query/program.h"

static const struct bbi_fn_ops *ops_of(const struct bbi_fn_spec *spec)
{
    switch (spec->func) {
    case BBI_FUNC_COUNT:
        return spec->count_distinct ? &bbi_fn_distinct_ops : &bbi_fn_count_ops;
    case BBI_FUNC_SUM:
        return &bbi_fn_sum_ops;
    case BBI_FUNC_MEAN:
        return &bbi_fn_mean_ops;
    case BBI_FUNC_MIN:
    case BBI_FUNC_MAX:
        return &bbi_fn_extreme_ops;
    case BBI_FUNC_SPREAD:
        return &bbi_fn_spread_ops;
    case BBI_FUNC_FIRST:
    case BBI_FUNC_LAST:
        return &bbi_fn_end_ops;
    case BBI_FUNC_STDDEV:
        return &bbi_fn_stddev_ops;
    case BBI_FUNC_MEDIAN:
    case BBI_FUNC_PERCENTILE:
        return &bbi_fn_rank_ops;
    case BBI_FUNC_PERCENTILE_APPROX:
    case BBI_FUNC_MEDIAN_APPROX:
        return &bbi_fn_sketch_ops;
    case BBI_FUNC_MODE:
        return &bbi_fn_mode_ops;
    case BBI_FUNC_DISTINCT:
        return &bbi_fn_distinct_ops;
    case BBI_FUNC_SAMPLE:
        return &bbi_fn_sample_ops;
    case BBI_FUNC_TOP:
    case BBI_FUNC_BOTTOM:
        return &bbi_fn_top_ops;
    default:
        return NULL;
    }
}

static const struct bbi_fn_ops *stream_ops_of(const struct bbi_fn_spec *spec)
{
    switch (spec->func) {
    case BBI_FUNC_INTEGRAL:
        return &bbi_fn_integral_ops;
    case BBI_FUNC_INCREASE:
        return &bbi_fn_increase_ops;
    case BBI_FUNC_TIME_WEIGHTED_MEAN:
        return &bbi_fn_weighted_ops;
    case BBI_FUNC_DERIVATIVE:
    case BBI_FUNC_NN_DERIVATIVE:
    case BBI_FUNC_DIFFERENCE:
    case BBI_FUNC_NN_DIFFERENCE:
        return &bbi_fn_change_ops;
    case BBI_FUNC_ELAPSED:
        return &bbi_fn_elapsed_ops;
    case BBI_FUNC_MOVING_AVERAGE:
        return &bbi_fn_moving_ops;
    case BBI_FUNC_CUMULATIVE_SUM:
        return &bbi_fn_cumulative_ops;
    case BBI_FUNC_KER:
    case BBI_FUNC_KAMA:
        return &bbi_fn_kaufman_ops;
    case BBI_FUNC_CMO:
        return spec->warmup == BBI_FN_NO_WARMUP ? &bbi_fn_momentum_ops : &bbi_fn_average_ops;
    case BBI_FUNC_HOLT_WINTERS:
    case BBI_FUNC_HOLT_WINTERS_FIT:
        return &bbi_fn_holt_winters_ops;
    default:
        return &bbi_fn_average_ops;
    }
}

/* Counts that no machine can work with; the words are InfluxDB's. */
static int check_count(const struct bbi_fn_spec *spec, struct bb_error *err)
{
    const char *name = bbi_func_info(spec->func)->name;
    long long n = (long long)spec->n;
    switch (spec->func) {
    case BBI_FUNC_SAMPLE:
        return n >= 1 ? BB_OK
                      : bbi_error_set(err, BB_EINVAL,
                                      "sample window must be greater than 1, got %lld", n);
    case BBI_FUNC_MOVING_AVERAGE:
        return n > 1 ? BB_OK
                     : bbi_error_set(err, BB_EINVAL,
                                     "moving_average window must be greater than 1, got %lld", n);
    case BBI_FUNC_TOP:
    case BBI_FUNC_BOTTOM:
        return n >= 1 ? BB_OK
                      : bbi_error_set(err, BB_EINVAL,
                                      "limit (%lld) in %s function must be at least 1", n, name);
    case BBI_FUNC_HOLT_WINTERS:
    case BBI_FUNC_HOLT_WINTERS_FIT:
        return n >= 1 ? BB_OK
                      : bbi_error_set(err, BB_EINVAL,
                                      "second arg to %s must be greater than 0, got %lld", name, n);
    default:
        return n >= 1 || spec->func < BBI_FUNC_EMA || spec->func > BBI_FUNC_CMO
                   ? BB_OK
                   : bbi_error_set(err, BB_EINVAL, "%s period must be greater than or equal to 1",
                                   name);
    }
}

static int check_spec(const struct bbi_fn_spec *spec, struct bb_error *err)
{
    bool measures = spec->func == BBI_FUNC_INTEGRAL || spec->func == BBI_FUNC_DERIVATIVE ||
                    spec->func == BBI_FUNC_NN_DERIVATIVE || spec->func == BBI_FUNC_ELAPSED;
    if (measures && spec->unit_ns < 1) {
        return bbi_error_set(err, BB_EINVAL, "duration argument must be positive, got %lldns",
                             (long long)spec->unit_ns);
    }
    return check_count(spec, err);
}

int bbi_fn_open(const struct bbi_fn_spec *spec, struct bbi_fn **out, struct bb_error *err)
{
    *out = NULL;
    int rc = check_spec(spec, err);
    if (rc != BB_OK) {
        return rc;
    }
    enum bbi_fn_class class = bbi_func_info(spec->func)->class;
    BB_ASSERT(class != BBI_FN_MATH);
    const struct bbi_fn_ops *ops = class == BBI_FN_STREAM ? stream_ops_of(spec) : ops_of(spec);
    struct bbi_fn *fn = bbi_mem_zalloc(spec->acct, 1, ops->size);
    if (fn == NULL) {
        return bbi_error_nomem(err, bbi_func_info(spec->func)->name);
    }
    fn->ops = ops;
    fn->spec = *spec;
    rc = ops->init == NULL ? BB_OK : ops->init(fn, err);
    if (rc != BB_OK) {
        bbi_fn_close(&fn);
        return rc;
    }
    *out = fn;
    return BB_OK;
}

void bbi_fn_close(struct bbi_fn **fn)
{
    if (*fn == NULL) {
        return;
    }
    if ((*fn)->ops->fini != NULL) {
        (*fn)->ops->fini(*fn);
    }
    bbi_mem_free(*fn);
    *fn = NULL;
}

void bbi_fn_reset(struct bbi_fn *fn)
{
    fn->any = false;
    fn->has_out = false;
    if (fn->ops->reset != NULL) {
        fn->ops->reset(fn);
    } else {
        memset((char *)fn + sizeof(*fn), 0, fn->ops->size - sizeof(*fn));
    }
}

static enum bb_value_kind kind_of(enum bbi_ql_type type)
{
    switch (type) {
    case BBI_QL_TYPE_FLOAT:
        return BB_VALUE_FLOAT;
    case BBI_QL_TYPE_INTEGER:
        return BB_VALUE_INT;
    case BBI_QL_TYPE_UNSIGNED:
        return BB_VALUE_UINT;
    case BBI_QL_TYPE_BOOLEAN:
        return BB_VALUE_BOOL;
    default:
        return BB_VALUE_STRING;
    }
}

int bbi_fn_push(struct bbi_fn *fn, const struct bbi_fn_point *point, struct bb_error *err)
{
    fn->has_out = false;
    if (point->value.kind == kind_of(fn->spec.input)) {
        fn->any = true;
        return fn->ops->push(fn, point, err);
    }
    struct bbi_fn_point copy = *point;
    copy.value = bbi_value_cast(point->value, fn->spec.input);
    if (copy.value.kind == BB_VALUE_NULL) {
        return BB_OK;
    }
    fn->any = true;
    return fn->ops->push(fn, &copy, err);
}

int bbi_fn_finish(struct bbi_fn *fn, struct bb_error *err)
{
    fn->has_out = false;
    return fn->any && fn->ops->finish != NULL ? fn->ops->finish(fn, err) : BB_OK;
}

bool bbi_fn_next(struct bbi_fn *fn, struct bbi_fn_point *out)
{
    if (fn->has_out) {
        *out = fn->out;
        fn->has_out = false;
        return true;
    }
    return fn->any && fn->ops->next != NULL && fn->ops->next(fn, out);
}

void bbi_fn_put(struct bbi_fn *fn, int64_t time_ns, struct bb_value value)
{
    fn->has_out = true;
    fn->out = (struct bbi_fn_point){.time_ns = time_ns, .value = value};
}

void bbi_fn_put_timeless(struct bbi_fn *fn, struct bb_value value)
{
    fn->has_out = true;
    fn->out = (struct bbi_fn_point){.timeless = true, .value = value};
}

void bbi_fn_put_middle(struct bbi_fn *fn, size_t count, int64_t time_ns, struct bb_value value)
{
    bbi_fn_put_timeless(fn, value);
    if (count == 1) {
        bbi_fn_put(fn, time_ns, value);
    }
}

int bbi_fn_grow(const struct bbi_fn *fn, void *array, size_t count, size_t *cap, size_t size,
                struct bb_error *err)
{
    void *list;
    if (count < *cap) {
        return BB_OK;
    }
    size_t next = *cap == 0 ? 16 : *cap * 2;
    memcpy(&list, array, sizeof(list));
    if (next > SIZE_MAX / size ||
        (list = bbi_mem_realloc(fn->spec.acct, list, next * size)) == NULL) {
        return bbi_error_nomem(err, bbi_func_info(fn->spec.func)->name);
    }
    memcpy(array, &list, sizeof(list));
    *cap = next;
    return BB_OK;
}

int bbi_fn_compare(const struct bb_value *a, const struct bb_value *b)
{
    switch (a->kind) {
    case BB_VALUE_INT:
        return (a->v.i > b->v.i) - (a->v.i < b->v.i);
    case BB_VALUE_UINT:
        return (a->v.u > b->v.u) - (a->v.u < b->v.u);
    case BB_VALUE_FLOAT:
        return (a->v.f > b->v.f) - (a->v.f < b->v.f);
    case BB_VALUE_BOOL:
        return (int)a->v.b - (int)b->v.b;
    case BB_VALUE_STRING: {
        size_t common = a->length < b->length ? a->length : b->length;
        int c = common == 0 ? 0 : memcmp(a->v.str, b->v.str, common);
        return c != 0 ? (c > 0) - (c < 0) : (a->length > b->length) - (a->length < b->length);
    }
    default:
        return 0;
    }
}

struct bb_value bbi_fn_subtract(const struct bb_value *a, const struct bb_value *b)
{
    if (a->kind == BB_VALUE_FLOAT) {
        return bbi_value_float(a->v.f - b->v.f);
    }
    return a->kind == BB_VALUE_INT ? bbi_value_int((int64_t)((uint64_t)a->v.i - (uint64_t)b->v.i))
                                   : bbi_value_uint(a->v.u - b->v.u);
}

/* ---- points that are kept ---- */

static size_t string_bytes(const struct bb_value *v)
{
    return v->kind == BB_VALUE_STRING ? v->length : 0;
}

static struct bb_value copy_value(const struct bb_value *v, char **bytes)
{
    struct bb_value copy = *v;
    if (v->kind == BB_VALUE_STRING && v->length != 0) {
        memcpy(*bytes, v->v.str, v->length);
        copy.v.str = *bytes;
        *bytes += v->length;
    }
    return copy;
}

int bbi_fn_keep(const struct bbi_fn *fn, struct bbi_fn_kept *kept, const struct bbi_fn_point *point,
                struct bb_error *err)
{
    const char *what = bbi_func_info(fn->spec.func)->name;
    size_t bytes = string_bytes(&point->value);
    for (size_t i = 0; i < fn->spec.aux_count; i++) {
        bytes += string_bytes(&point->aux[i]);
    }
    if (kept->aux == NULL && fn->spec.aux_count != 0) {
        kept->aux = bbi_mem_zalloc(fn->spec.acct, fn->spec.aux_count, sizeof(kept->aux[0]));
        if (kept->aux == NULL) {
            return bbi_error_nomem(err, what);
        }
    }
    if (bytes > kept->bytes_cap) {
        char *more = bbi_mem_alloc(fn->spec.acct, bytes);
        if (more == NULL) {
            return bbi_error_nomem(err, what);
        }
        bbi_mem_free(kept->bytes);
        kept->bytes = more;
        kept->bytes_cap = bytes;
    }
    char *at = kept->bytes;
    kept->time_ns = point->time_ns;
    kept->value = copy_value(&point->value, &at);
    for (size_t i = 0; i < fn->spec.aux_count; i++) {
        kept->aux[i] = copy_value(&point->aux[i], &at);
    }
    return BB_OK;
}

void bbi_fn_kept_fini(struct bbi_fn_kept *kept)
{
    bbi_mem_free(kept->aux);
    bbi_mem_free(kept->bytes);
    memset(kept, 0, sizeof(*kept));
}

/* ---- sorting ---- */

struct sorter {
    const struct bbi_fn *fn;
    int (*compare)(const void *a, const void *b, const void *arg);
    const void *arg;
    size_t steps;
};

/* Merge [at, middle) and [middle, end) of one list into another. */
static int merge_runs(struct sorter *s, void **from, void **to, size_t at, size_t middle,
                      size_t end, struct bb_error *err)
{
    size_t left = at;
    size_t right = middle;
    int rc = BB_OK;
    for (size_t i = at; rc == BB_OK && i < end; i++) {
        if (left < middle && (right >= end || s->compare(from[left], from[right], s->arg) <= 0)) {
            to[i] = from[left++];
        } else {
            to[i] = from[right++];
        }
        rc = bbi_fn_step(s->fn, s->steps++, err);
    }
    return rc;
}

int bbi_fn_sort(const struct bbi_fn *fn, void **list, size_t count,
                int (*compare)(const void *a, const void *b, const void *arg), const void *arg,
                struct bb_error *err)
{
    struct sorter s = {.fn = fn, .compare = compare, .arg = arg};
    int rc = BB_OK;
    if (count < 2) {
        return BB_OK;
    }
    void **spare = bbi_mem_zalloc(fn->spec.acct, count, sizeof(spare[0]));
    if (spare == NULL) {
        return bbi_error_nomem(err, bbi_func_info(fn->spec.func)->name);
    }
    void **from = list;
    void **to = spare;
    for (size_t run = 1; rc == BB_OK && run < count; run *= 2) {
        for (size_t at = 0; rc == BB_OK && at < count; at += 2 * run) {
            size_t middle = count - at < run ? count : at + run;
            size_t end = count - middle < run ? count : middle + run;
            rc = merge_runs(&s, from, to, at, middle, end, err);
        }
        void **swap = from;
        from = to;
        to = swap;
    }
    if (from != list) {
        memcpy(list, from, count * sizeof(list[0]));
    }
    bbi_mem_free(spare);
    return rc;
}

static int by_time(const void *a, const void *b, const void *arg)
{
    const struct bbi_fn_kept *x = a;
    const struct bbi_fn_kept *y = b;
    int c = (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
    return *(const bool *)arg ? -c : c;
}

int bbi_fn_sort_kept(const struct bbi_fn *fn, void **list, size_t count, struct bb_error *err)
{
    return bbi_fn_sort(fn, list, count, by_time, &fn->spec.descending, err);
}
