#include "engine/catalog/reconcile.h"

typedef struct bbi_reconcile_item item_t;
typedef int compare_fn(const item_t *a, const item_t *b);

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_job(const item_t *a, const item_t *b)
{
    int order = compare_u64(a->meta.job_id, b->meta.job_id);
    return order != 0 ? order : compare_u64(a->meta.job_part, b->meta.job_part);
}

static int by_span(const item_t *a, const item_t *b)
{
    int order = compare_u64(a->meta.db_id, b->meta.db_id);
    order = order != 0 ? order : compare_u64(a->meta.rp_id, b->meta.rp_id);
    order = order != 0 ? order : compare_i64(a->meta.span_t0, b->meta.span_t0);
    return order != 0 ? order : compare_i64(a->meta.span_t1, b->meta.span_t1);
}

static void sift(item_t *v, size_t root, size_t n, compare_fn *compare)
{
    for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && compare(&v[child], &v[child + 1]) < 0) {
            child++;
        }
        if (compare(&v[root], &v[child]) >= 0) {
            return;
        }
        item_t t = v[root];
        v[root] = v[child];
        v[child] = t;
        root = child;
    }
}

/* Heapsort: the library's sort takes memory. */
static void sort(item_t *v, size_t n, compare_fn *compare)
{
    for (size_t i = n / 2; i-- > 0;) {
        sift(v, i, n, compare);
    }
    for (size_t end = n; end > 1; end--) {
        item_t t = v[0];
        v[0] = v[end - 1];
        v[end - 1] = t;
        sift(v, 0, end - 1, compare);
    }
}

static void mark_complete(item_t *items, size_t count)
{
    sort(items, count, by_job);
    for (size_t i = 0, next; i < count; i = next) {
        uint32_t parts = 0;
        bool is_whole = true;
        for (next = i; next < count && items[next].meta.job_id == items[i].meta.job_id; next++) {
            is_whole = is_whole && items[next].meta.job_part == parts;
            parts++;
        }
        is_whole = is_whole && parts >= items[i].meta.job_parts;
        for (size_t k = i; k < next; k++) {
            items[k].is_complete = is_whole || items[k].is_known;
        }
    }
}

static bool contains(const item_t *outer, const item_t *inner)
{
    return outer->meta.job_id > inner->meta.job_id && outer->meta.lsn_lo <= inner->meta.lsn_lo &&
           outer->meta.lsn_hi >= inner->meta.lsn_hi;
}

/* Among the items of one span. */
static void decide(item_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool superseded = false;
        bool has_inputs = false;
        for (size_t k = 0; k < count; k++) {
            superseded = superseded || (items[k].is_complete && contains(&items[k], &items[i]));
            has_inputs = has_inputs || (items[k].is_complete && contains(&items[i], &items[k]));
        }
        items[i].is_live = !superseded && (items[i].is_complete || !has_inputs);
    }
}

void bbi_reconcile(struct bbi_reconcile_item *items, size_t count)
{
    mark_complete(items, count);
    sort(items, count, by_span);
    for (size_t i = 0, next; i < count; i = next) {
        next = i + 1;
        while (next < count && by_span(&items[next], &items[i]) == 0) {
            next++;
        }
        decide(items + i, next - i);
    }
}
