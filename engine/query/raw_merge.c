#include "engine/query/raw_merge.h"

#include <string.h>

/* Combinations of tags that are ranked: as many as sort without asking who waits. */
#define RANKS_MAX 65536

void bbi_raw_merge_init(struct bbi_raw_merge *m, const struct bbi_raw_store *store, bool descending)
{
    *m = (struct bbi_raw_merge){.store = store, .descending = descending};
}

void bbi_raw_merge_fini(struct bbi_raw_merge *m)
{
    bbi_mem_free(m->heads);
    bbi_mem_free(m->heap);
    bbi_mem_free(m->ranks);
    m->heads = NULL;
    m->heap = NULL;
    m->ranks = NULL;
    m->cap = 0;
}

/* ---- ranks of tags ---- */

struct ranked {
    const char *const *values;
    uint32_t at;
    const struct bbi_binding *b;
};

static int by_tags(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    int c = 0;
    for (size_t i = 0; c == 0 && i < x->b->plan->tie_count; i++) {
        size_t index = x->b->refs[i].index;
        c = strcmp(x->values[index], y->values[index]);
    }
    return c;
}

/* Whether nothing but tags breaks ties, and all series have them. */
static bool has_tags_alone(const struct bbi_binding *b)
{
    bool alone = b->plan->tie_count > 0 && b->series.tags_of != NULL;
    for (size_t i = 0; alone && i < b->plan->tie_count; i++) {
        alone = b->refs[i].kind == BBI_REF_TAG;
        for (size_t k = 0; alone && k < b->series.tags.count; k++) {
            alone = b->series.tags.list[k][b->refs[i].index][0] != '\0';
        }
    }
    return alone;
}

/* Where many rows are merged, so many that sorting the tags once is little beside it, ties are
 * broken by numbers. */
static int rank_tags(struct bbi_raw_merge *m, struct bb_error *err)
{
    const struct bbi_binding *b = m->store->b;
    struct bbi_account *acct = &b->plan->ctx->acct;
    size_t n = b->series.tags.count;
    m->is_ranked = true;
    if (n > RANKS_MAX || b->scan.rows / 4 < n || !has_tags_alone(b)) {
        return BB_OK;
    }
    struct ranked *list = bbi_mem_zalloc(acct, n, sizeof(list[0]));
    m->ranks = bbi_mem_zalloc(acct, n, sizeof(m->ranks[0]));
    if (list == NULL || m->ranks == NULL) {
        bbi_mem_free(list);
        return bbi_error_nomem(err, "rows");
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = (struct ranked){b->series.tags.list[i], (uint32_t)i, b};
    }
    qsort(list, n, sizeof(list[0]), by_tags);
    uint32_t rank = 0;
    for (size_t i = 0; i < n; i++) {
        rank += i > 0 && by_tags(&list[i - 1], &list[i]) != 0;
        m->ranks[list[i].at] = rank;
    }
    bbi_mem_free(list);
    return bbi_qctx_check(b->plan->ctx, err);
}

int bbi_raw_merge_rewind(struct bbi_raw_merge *m, struct bb_error *err)
{
    struct bbi_account *acct = &m->store->b->plan->ctx->acct;
    size_t n = m->store->scan->series_count;
    int rc = m->is_ranked ? BB_OK : rank_tags(m, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (n > m->cap) {
        bbi_mem_free(m->heads);
        bbi_mem_free(m->heap);
        m->cap = 0;
        m->heads = bbi_mem_zalloc(acct, n, sizeof(m->heads[0]));
        m->heap = bbi_mem_zalloc(acct, n, sizeof(m->heap[0]));
        if (m->heads == NULL || m->heap == NULL) {
            return bbi_error_nomem(err, "rows");
        }
        m->cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        m->heads[i] = bbi_raw_first(m, i);
    }
    return BB_OK;
}

struct bbi_raw_head bbi_raw_first(const struct bbi_raw_merge *m, size_t series_at)
{
    const struct bbi_raw_series *s = &m->store->series[series_at];
    const struct bbi_raw_piece *piece = m->descending ? s->last : s->first;
    struct bbi_raw_head head = {piece, 0};
    if (piece != NULL && m->descending) {
        head.row = piece->count - 1;
    }
    return head;
}

struct bbi_raw_head bbi_raw_next(const struct bbi_raw_merge *m, struct bbi_raw_head head)
{
    if (!m->descending) {
        if (++head.row == head.piece->count) {
            head = (struct bbi_raw_head){head.piece->next, 0};
        }
        return head;
    }
    if (head.row > 0) {
        head.row--;
        return head;
    }
    head.piece = head.piece->prev;
    head.row = head.piece == NULL ? 0 : head.piece->count - 1;
    return head;
}

/* ---- order ---- */

/* The string of a column of a row; false: it is none. A tag that is not there is no string. */
static bool string_of(const struct bbi_raw_merge *m, size_t series_at, size_t ref,
                      struct bbi_string *out)
{
    const struct bbi_raw_store *store = m->store;
    const struct bbi_ref_source *source = &store->b->refs[ref];
    if (source->kind == BBI_REF_TAG) {
        const char *value = store->b->series.tags.list[store->tags_of[series_at]][source->index];
        *out = (struct bbi_string){(const uint8_t *)value, (uint32_t)strlen(value)};
        return out->len > 0;
    }
    if (source->kind != BBI_REF_FIELD) {
        return false;
    }
    const struct bbi_raw_head *head = &m->heads[series_at];
    const struct bbi_vector *v = &head->piece->vectors[source->index];
    if (v->type != BBI_STRING || !bbi_vector_has(v, head->row)) {
        return false;
    }
    *out = v->strs[head->row];
    return true;
}

static int compare_strings(struct bbi_string a, struct bbi_string b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static bool is_tie_less(const struct bbi_raw_merge *m, size_t a, size_t b)
{
    if (m->by_id) {
        return a < b;
    }
    if (m->ranks != NULL) {
        uint32_t x = m->ranks[m->store->tags_of[a]];
        uint32_t y = m->ranks[m->store->tags_of[b]];
        return m->descending ? x > y : x < y;
    }
    for (size_t i = 0; i < m->store->b->plan->tie_count; i++) {
        struct bbi_string s;
        struct bbi_string t;
        if (!string_of(m, a, i, &s) || !string_of(m, b, i, &t)) {
            return false;
        }
        int c = compare_strings(s, t);
        if (c != 0) {
            return m->descending ? c > 0 : c < 0;
        }
    }
    return false;
}

static inline bool is_less(const struct bbi_raw_merge *m, const struct bbi_raw_heap_item *a,
                           const struct bbi_raw_heap_item *b)
{
    if (a->time != b->time) {
        return m->descending ? a->time > b->time : a->time < b->time;
    }
    return is_tie_less(m, a->series_at, b->series_at);
}

/* ---- the heap: the same exchanges as Go's container/heap, for the order of equals ---- */

static void exchange(struct bbi_raw_merge *m, size_t i, size_t j)
{
    struct bbi_raw_heap_item t = m->heap[i];
    m->heap[i] = m->heap[j];
    m->heap[j] = t;
}

static void sift_down(struct bbi_raw_merge *m, size_t i, size_t n)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) {
            return;
        }
        if (child + 1 < n && is_less(m, &m->heap[child + 1], &m->heap[child])) {
            child++;
        }
        if (!is_less(m, &m->heap[child], &m->heap[i])) {
            return;
        }
        exchange(m, i, child);
        i = child;
    }
}

static void sift_up(struct bbi_raw_merge *m, size_t i)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!is_less(m, &m->heap[i], &m->heap[parent])) {
            return;
        }
        exchange(m, i, parent);
        i = parent;
    }
}

void bbi_raw_heap_begin(struct bbi_raw_merge *m, const uint32_t *series, size_t count)
{
    m->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct bbi_raw_head head = m->heads[series[i]];
        if (head.piece != NULL) {
            m->heap[m->count++] = (struct bbi_raw_heap_item){bbi_raw_time(head), series[i]};
        }
    }
    for (size_t i = m->count / 2; i > 0; i--) {
        sift_down(m, i - 1, m->count);
    }
}

size_t bbi_raw_heap_pop(struct bbi_raw_merge *m)
{
    size_t last = m->count - 1;
    exchange(m, 0, last);
    sift_down(m, 0, last);
    m->count = last;
    return m->heap[last].series_at;
}

void bbi_raw_heap_push(struct bbi_raw_merge *m, size_t series_at)
{
    m->heap[m->count] = (struct bbi_raw_heap_item){bbi_raw_time(m->heads[series_at]), series_at};
    sift_up(m, m->count++);
}
