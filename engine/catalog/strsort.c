#include "engine/catalog/strsort.h"

#include <stdbool.h>
#include <string.h>

#include "engine/base/bytes.h"

/* Depths: first by group, then by eight bytes of the string after eight, last by id. */
#define DEPTH_GROUP (-1)

#define INSERTION_MAX 12

typedef struct bbi_strsort_item item_t;

/* How many bytes of the string are left at this depth; 9 stands for all that reach the next. */
static unsigned left_at(const item_t *it, int64_t depth)
{
    if (depth == DEPTH_GROUP) {
        return 9;
    }
    uint64_t at = (uint64_t)depth * 8;
    uint64_t left = at >= it->len ? 0 : it->len - at;
    return left > 8 ? 9 : (unsigned)left;
}

static void load(item_t *it, int64_t depth)
{
    if (depth == DEPTH_GROUP) {
        it->cache = it->group;
        return;
    }
    unsigned left = left_at(it, depth);
    const uint8_t *p = it->str + depth * 8;
    uint8_t bytes[8] = {0};
    if (left >= 8) {
        it->cache = bbi_get_be64(p);
        return;
    }
    if (left != 0) {
        memcpy(bytes, p, left);
    }
    it->cache = bbi_get_be64(bytes);
}

/* At one depth, by the cached bytes, then the string that ends earlier. */
static int compare(const item_t *a, const item_t *b, int64_t depth)
{
    if (a->cache != b->cache) {
        return a->cache < b->cache ? -1 : 1;
    }
    unsigned a_left = left_at(a, depth);
    unsigned b_left = left_at(b, depth);
    return (a_left > b_left) - (a_left < b_left);
}

static int compare_deep(const item_t *a, const item_t *b, int64_t depth)
{
    int order = compare(a, b, depth);
    if (order != 0) {
        return order;
    }
    size_t skip = depth == DEPTH_GROUP ? 0 : (size_t)depth * 8;
    if (skip < a->len && skip < b->len) {
        size_t a_left = a->len - skip;
        size_t b_left = b->len - skip;
        order = memcmp(a->str + skip, b->str + skip, a_left < b_left ? a_left : b_left);
    }
    if (order == 0) {
        order = (a->len > b->len) - (a->len < b->len);
    }
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static void insertion_sort(item_t *v, size_t n, int64_t depth)
{
    for (size_t i = 1; i < n; i++) {
        item_t it = v[i];
        size_t at = i;
        while (at > 0 && compare_deep(&it, &v[at - 1], depth) < 0) {
            v[at] = v[at - 1];
            at--;
        }
        v[at] = it;
    }
}

static void swap(item_t *a, item_t *b)
{
    item_t t = *a;
    *a = *b;
    *b = t;
}

static const item_t *median(const item_t *a, const item_t *b, const item_t *c, int64_t depth)
{
    if (compare(a, b, depth) < 0) {
        return compare(b, c, depth) < 0 ? b : compare(a, c, depth) < 0 ? c : a;
    }
    return compare(a, c, depth) < 0 ? a : compare(b, c, depth) < 0 ? c : b;
}

/* Positions depend on the address, which an attacker who chooses the strings does not know. */
static item_t pick_pivot(const item_t *v, size_t n, int64_t depth)
{
    uint64_t random = ((uint64_t)(uintptr_t)v + n) * 0x9e3779b97f4a7c15u;
    size_t third = n / 3;
    size_t step = (size_t)(random >> 33) % third;
    return *median(&v[step], &v[third + step], &v[2 * third + step], depth);
}

/* Strings that are equal to their ends: by id, with heapsort, which needs no memory. */
static void sift_id(item_t *v, size_t root, size_t n)
{
    for (size_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && v[child].id < v[child + 1].id) {
            child++;
        }
        if (v[root].id >= v[child].id) {
            return;
        }
        swap(&v[root], &v[child]);
        root = child;
    }
}

static void sort_ids(item_t *v, size_t n)
{
    size_t sorted = 1;
    while (sorted < n && v[sorted - 1].id <= v[sorted].id) {
        sorted++;
    }
    if (sorted >= n) {
        return;
    }
    for (size_t i = n / 2; i-- > 0;) {
        sift_id(v, i, n);
    }
    for (size_t end = n - 1; end > 0; end--) {
        swap(&v[0], &v[end]);
        sift_id(v, 0, end);
    }
}

/* Each turn splits [v, v + n) into less, equal and greater at this depth; the equal part goes one
 * deeper, the larger part last, by the loop, so that recursion stays shallow. */
static void sort_at(item_t *v, size_t n, int64_t depth)
{
    while (n > INSERTION_MAX) {
        item_t pivot = pick_pivot(v, n, depth);
        size_t less = 0;
        size_t at = 0;
        size_t greater = n;
        while (at < greater) {
            int order = compare(&v[at], &pivot, depth);
            if (order < 0) {
                swap(&v[less++], &v[at++]);
            } else if (order > 0) {
                swap(&v[at], &v[--greater]);
            } else {
                at++;
            }
        }
        bool goes_on = left_at(&pivot, depth) == 9;
        if (goes_on) {
            for (size_t i = less; i < greater; i++) {
                load(&v[i], depth + 1);
            }
        } else {
            sort_ids(v + less, greater - less);
        }
        size_t equal = goes_on ? greater - less : 0;
        if (equal >= less && equal >= n - greater) {
            sort_at(v, less, depth);
            sort_at(v + greater, n - greater, depth);
            v += less;
            n = equal;
            depth++;
        } else {
            if (equal != 0) {
                sort_at(v + less, equal, depth + 1);
            }
            bool left_is_larger = less > n - greater;
            sort_at(left_is_larger ? v + greater : v, left_is_larger ? n - greater : less, depth);
            v = left_is_larger ? v : v + greater;
            n = left_is_larger ? less : n - greater;
        }
    }
    insertion_sort(v, n, depth);
}

void bbi_strsort(struct bbi_strsort_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        load(&items[i], DEPTH_GROUP);
    }
    sort_at(items, count, DEPTH_GROUP);
}
