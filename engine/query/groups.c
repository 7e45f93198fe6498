#include "engine/query/groups.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"

/* ---- tuples ---- */

/* Values of one series, found but not kept yet. */
struct values {
    const uint8_t **ptr; /* [key_count] */
    size_t *len;
};

static uint32_t hash_values(const struct values *v, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        hash = bbi_hash64_seed(v->ptr[i], v->len[i], hash + 1);
    }
    return (uint32_t)(hash >> 32);
}

static bool same_values(const char *const *tuple, const struct values *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(tuple[i]) != v->len[i] ||
            (v->len[i] != 0 && memcmp(tuple[i], v->ptr[i], v->len[i]) != 0)) {
            return false;
        }
    }
    return true;
}

static void place(uint64_t *slots, size_t slot_count, uint64_t slot)
{
    size_t at = (size_t)(slot >> 32) & (slot_count - 1);
    while (slots[at] != 0) {
        at = (at + 1) & (slot_count - 1);
    }
    slots[at] = slot;
}

/* Slots for all that the list can take. */
static int make_slots(struct bbi_tuples *t, struct bbi_qctx *ctx, uint64_t **slots,
                      struct bb_error *err)
{
    t->slot_count = t->cap * 2;
    return bbi_qctx_array(ctx, t->slot_count, sizeof((*slots)[0]), slots, err);
}

static int grow(struct bbi_tuples *t, struct bbi_qctx *ctx, struct bb_error *err)
{
    const size_t old_count = t->slot_count;
    const char ***list;
    uint64_t *slots = NULL;
    size_t cap = t->cap == 0 ? 64 : t->cap * 2;
    int rc = bbi_qctx_array(ctx, cap, sizeof(list[0]), &list, err);
    if (rc != BB_OK) {
        return rc;
    }
    if (t->count != 0) {
        memcpy(list, t->list, t->count * sizeof(list[0]));
    }
    t->list = list;
    t->cap = cap;
    if (t->slots == NULL) {
        return BB_OK;
    }
    rc = make_slots(t, ctx, &slots, err);
    for (size_t i = 0; rc == BB_OK && i < old_count; i++) {
        if (t->slots[i] != 0) {
            place(slots, t->slot_count, t->slots[i]);
        }
    }
    t->slots = slots;
    return rc;
}

/* The first tuple comes that another may be like: put those that are there into a hash table.
 * v: room for the values of one. */
static int hash_all(struct bbi_tuples *t, struct bbi_qctx *ctx, const struct values *v,
                    struct bb_error *err)
{
    int rc = t->cap == 0 ? grow(t, ctx, err) : BB_OK;
    rc = rc == BB_OK ? make_slots(t, ctx, &t->slots, err) : rc;
    for (size_t n = 0; rc == BB_OK && n < t->count; n++) {
        for (size_t i = 0; i < t->key_count; i++) {
            v->ptr[i] = (const uint8_t *)t->list[n][i];
            v->len[i] = strlen(t->list[n][i]);
        }
        place(t->slots, t->slot_count, (uint64_t)hash_values(v, t->key_count) << 32 | (n + 1));
        rc = n % 4096 == 4095 ? bbi_qctx_check(ctx, err) : BB_OK;
    }
    return rc;
}

static int keep(struct bbi_tuples *t, struct bbi_qctx *ctx, const struct values *v,
                struct bb_error *err)
{
    const char **tuple;
    int rc = bbi_qctx_array(ctx, t->key_count + 1, sizeof(tuple[0]), &tuple, err);
    for (size_t i = 0; rc == BB_OK && i < t->key_count; i++) {
        tuple[i] = v->len[i] == 0 ? "" : bbi_arena_dup(&ctx->arena, v->ptr[i], v->len[i]);
        if (tuple[i] == NULL) {
            rc = bbi_error_nomem(err, "groups");
        }
    }
    t->list[t->count] = tuple;
    return rc;
}

static int append_tuple(struct bbi_tuples *t, struct bbi_qctx *ctx, const struct values *v,
                        uint32_t *index, struct bb_error *err)
{
    int rc = t->count == t->cap ? grow(t, ctx, err) : BB_OK;
    rc = rc == BB_OK ? keep(t, ctx, v, err) : rc;
    *index = (uint32_t)t->count;
    t->count += rc == BB_OK;
    return rc;
}

static int find_or_append(struct bbi_tuples *t, struct bbi_qctx *ctx, const struct values *v,
                          uint32_t *index, struct bb_error *err)
{
    uint32_t hash = hash_values(v, t->key_count);
    int rc = t->count == t->cap ? grow(t, ctx, err) : BB_OK;
    if (rc != BB_OK) {
        return rc;
    }
    size_t mask = t->slot_count - 1;
    for (size_t at = hash & mask; t->slots[at] != 0; at = (at + 1) & mask) {
        *index = (uint32_t)t->slots[at] - 1;
        if ((uint32_t)(t->slots[at] >> 32) == hash &&
            same_values(t->list[*index], v, t->key_count)) {
            return BB_OK;
        }
    }
    rc = append_tuple(t, ctx, v, index, err);
    if (rc == BB_OK) {
        place(t->slots, t->slot_count, (uint64_t)hash << 32 | (*index + 1));
    }
    return rc;
}

/* ---- reading keys ---- */

struct reader {
    struct bbi_series_set *set;
    struct bbi_qctx *ctx;
    struct values values;
    size_t at;   /* next of set->ids */
    size_t kept; /* of them, those before `at` that have a key */
};

/* Whether these are all the tags of the series. */
static bool is_whole(const struct values *v, size_t count, const uint8_t *key, size_t key_len)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t found = 0;
    size_t name_len;
    for (size_t i = 0; i < count; i++) {
        found += v->len[i] != 0;
    }
    (void)bbi_key_first(&c, key, key_len, &name_len);
    while (bbi_key_next(&c, &tag)) {
        found--;
    }
    return found == 0;
}

static void take_values(const struct values *v, const struct bbi_tuples *t, const uint8_t *key,
                        size_t key_len)
{
    for (size_t i = 0; i < t->key_count; i++) {
        v->ptr[i] = bbi_key_tag_value(key, key_len, (const uint8_t *)t->keys[i], strlen(t->keys[i]),
                                      &v->len[i]);
    }
}

static int classify(const struct reader *r, struct bbi_tuples *t, const uint8_t *key,
                    size_t key_len, uint32_t *index, struct bb_error *err)
{
    const struct values *v = &r->values;
    take_values(v, t, key, key_len);
    if (t->slots == NULL) {
        if (is_whole(v, t->key_count, key, key_len)) {
            return append_tuple(t, r->ctx, v, index, err);
        }
        int rc = hash_all(t, r->ctx, v, err);
        if (rc != BB_OK) {
            return rc;
        }
        take_values(v, t, key, key_len);
    }
    return find_or_append(t, r->ctx, v, index, err);
}

/* The catalog passes over ids that are no series any more. */
static int read_key(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                    struct bb_error *err)
{
    struct reader *r = arg;
    struct bbi_series_set *set = r->set;
    int rc = BB_OK;
    (void)mid;
    while (r->at < set->count && set->ids[r->at] < sid) {
        r->at++;
    }
    if (r->at == set->count || set->ids[r->at] != sid) {
        return BB_OK;
    }
    if (set->group_of != NULL) {
        rc = classify(r, &set->groups, key, key_len, &set->group_of[r->kept], err);
    }
    if (rc == BB_OK && set->tags_of != NULL) {
        rc = classify(r, &set->tags, key, key_len, &set->tags_of[r->kept], err);
    }
    set->ids[r->kept++] = sid;
    r->at++;
    return rc == BB_OK && r->at % 1024 == 0 ? bbi_qctx_check(r->ctx, err) : rc;
}

/* Series that were dropped since they were selected have rows in the snapshot, and no names. */
static void leave_out_dropped(struct bbi_series_set *set, size_t kept)
{
    if (kept < set->count) {
        set->count = kept;
        roaring_bitmap_clear(set->bitmap);
        roaring_bitmap_add_many(set->bitmap, kept, set->ids);
    }
}

static int read_keys(struct bbi_series_set *set, struct bbi_qctx *ctx, uint32_t db_id,
                     struct bb_error *err)
{
    struct reader r = {.set = set, .ctx = ctx};
    size_t most = set->groups.key_count > set->tags.key_count ? set->groups.key_count
                                                              : set->tags.key_count;
    int rc = bbi_qctx_array(ctx, most, sizeof(r.values.ptr[0]), &r.values.ptr, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(ctx, most, sizeof(r.values.len[0]), &r.values.len, err);
    }
    if (rc == BB_OK && set->groups.key_count > 0) {
        rc = bbi_qctx_array(ctx, set->count, sizeof(set->group_of[0]), &set->group_of, err);
    }
    if (rc == BB_OK && set->tags.key_count > 0) {
        rc = bbi_qctx_array(ctx, set->count, sizeof(set->tags_of[0]), &set->tags_of, err);
    }
    if (rc == BB_OK && (set->group_of != NULL || set->tags_of != NULL)) {
        rc = bbi_catalog_series_each(ctx->env->catalog, db_id, set->bitmap, &ctx->acct, read_key,
                                     &r, err);
        if (rc == BB_OK) {
            leave_out_dropped(set, r.kept);
        }
    }
    return rc;
}

/* ---- order ---- */

struct ordered {
    const char **tuple;
    uint32_t index;
    uint32_t key_count;
};

static int compare_tuples(const char *const *x, const char *const *y, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int c = strcmp(x[i], y[i]);
        if (c != 0) {
            return c;
        }
    }
    return 0;
}

static int compare_ordered(const void *a, const void *b)
{
    const struct ordered *x = a;
    const struct ordered *y = b;
    return compare_tuples(x->tuple, y->tuple, x->key_count);
}

static bool is_ordered(const struct bbi_tuples *t)
{
    for (size_t i = 1; i < t->count; i++) {
        if (compare_tuples(t->list[i - 1], t->list[i], t->key_count) > 0) {
            return false;
        }
    }
    return true;
}

static int order_groups(struct bbi_series_set *set, struct bbi_qctx *ctx, struct bb_error *err)
{
    struct bbi_tuples *t = &set->groups;
    struct ordered *list;
    uint32_t *rank;
    if (is_ordered(t)) {
        return BB_OK;
    }
    int rc = bbi_qctx_array(ctx, t->count, sizeof(list[0]), &list, err);
    if (rc == BB_OK) {
        rc = bbi_qctx_array(ctx, t->count, sizeof(rank[0]), &rank, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; i < t->count; i++) {
        list[i] = (struct ordered){t->list[i], (uint32_t)i, (uint32_t)t->key_count};
    }
    qsort(list, t->count, sizeof(list[0]), compare_ordered);
    for (size_t i = 0; i < t->count; i++) {
        t->list[i] = list[i].tuple;
        rank[list[i].index] = (uint32_t)i;
    }
    for (size_t i = 0; i < set->count; i++) {
        set->group_of[i] = rank[set->group_of[i]];
    }
    return BB_OK;
}

/* Without dimensions there is one group, with the empty tuple. */
static int one_group(struct bbi_series_set *set, struct bbi_qctx *ctx, struct bb_error *err)
{
    int rc = bbi_qctx_array(ctx, 1, sizeof(set->groups.list[0]), &set->groups.list, err);
    set->groups.count = rc == BB_OK && set->count > 0 ? 1 : 0;
    return rc;
}

int bbi_series_set_build(struct bbi_series_set *set, struct bbi_qctx *ctx, uint32_t db_id,
                         roaring_bitmap_t *bitmap, const char *const *dims, size_t dim_count,
                         const char *const *tags, size_t tag_count, struct bb_error *err)
{
    memset(set, 0, sizeof(*set));
    set->bitmap = bitmap;
    set->groups.keys = dims;
    set->groups.key_count = dim_count;
    set->tags.keys = tags;
    set->tags.key_count = tag_count;
    uint64_t count = roaring_bitmap_get_cardinality(bitmap);
    int rc = bbi_qctx_array(ctx, count, sizeof(set->ids[0]), &set->ids, err);
    if (rc != BB_OK) {
        return rc;
    }
    roaring_bitmap_to_uint32_array(bitmap, set->ids);
    set->count = count;
    rc = read_keys(set, ctx, db_id, err);
    if (rc == BB_OK) {
        rc = dim_count == 0 ? one_group(set, ctx, err) : order_groups(set, ctx, err);
    }
    return rc;
}

/* ---- a slice of the groups ---- */

struct keyed {
    const char *key;
    uint32_t index;
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;
    int c = strcmp(x->key, y->key);
    return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

static char *append(char *at, const char *text, bool *first)
{
    size_t length = strlen(text);
    if (!*first) {
        *at++ = '|';
    }
    *first = false;
    memcpy(at, text, length);
    return at + length;
}

/* What InfluxDB orders groups by where it cuts them: the tags that they have, first their keys,
 * then their values, with bars between. */
static const char *key_of(const struct bbi_tuples *t, size_t group, struct bbi_arena *arena)
{
    const char *const *tuple = t->list[group];
    size_t bytes = 1;
    bool first = true;
    for (size_t i = 0; i < t->key_count; i++) {
        bytes += tuple[i][0] == '\0' ? 0 : strlen(t->keys[i]) + strlen(tuple[i]) + 2;
    }
    char *key = bbi_arena_alloc(arena, bytes);
    char *at = key;
    for (size_t i = 0; key != NULL && i < t->key_count; i++) {
        at = tuple[i][0] == '\0' ? at : append(at, t->keys[i], &first);
    }
    for (size_t i = 0; key != NULL && i < t->key_count; i++) {
        at = tuple[i][0] == '\0' ? at : append(at, tuple[i], &first);
    }
    if (key != NULL) {
        *at = '\0';
    }
    return key;
}

#define GROUP_LEFT UINT32_MAX

/* The new numbers of the groups that stay, which keep their order; GROUP_LEFT for the others. */
static int number_slice(const struct bbi_tuples *t, struct bbi_qctx *ctx, size_t first,
                        size_t count, uint32_t **out, struct bb_error *err)
{
    struct keyed *list;
    int rc = bbi_qctx_array(ctx, t->count, sizeof(list[0]), &list, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, t->count, sizeof((*out)[0]), out, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < t->count; i++) {
        list[i] = (struct keyed){key_of(t, i, &ctx->arena), (uint32_t)i};
        (*out)[i] = GROUP_LEFT;
        rc = list[i].key == NULL ? bbi_error_nomem(err, "groups") : BB_OK;
        if (rc == BB_OK && i % 4096 == 4095) {
            rc = bbi_qctx_check(ctx, err);
        }
    }
    if (rc != BB_OK) {
        return rc;
    }
    qsort(list, t->count, sizeof(list[0]), compare_keyed);
    for (size_t i = first; i - first < count; i++) {
        (*out)[list[i].index] = 0;
    }
    uint32_t number = 0;
    for (size_t i = 0; i < t->count; i++) {
        (*out)[i] = (*out)[i] == GROUP_LEFT ? GROUP_LEFT : number++;
    }
    return BB_OK;
}

static void keep_groups(struct bbi_tuples *t, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < t->count; i++) {
        if (numbers[i] != GROUP_LEFT) {
            t->list[numbers[i]] = t->list[i];
        }
    }
    t->count = count;
}

int bbi_series_set_slice(struct bbi_series_set *set, struct bbi_qctx *ctx, size_t first,
                         size_t count, struct bb_error *err)
{
    size_t kept = 0;
    uint32_t *numbers;
    if (first == 0 && count == set->groups.count) {
        return BB_OK;
    }
    int rc = number_slice(&set->groups, ctx, first, count, &numbers, err);
    if (rc != BB_OK) {
        return rc;
    }
    roaring_bitmap_t *bitmap = roaring_bitmap_create();
    if (bitmap == NULL) {
        return bbi_error_nomem(err, "series");
    }
    for (size_t i = 0; i < set->count; i++) {
        uint32_t group = numbers[bbi_series_group(set, i)];
        if (group == GROUP_LEFT) {
            continue;
        }
        roaring_bitmap_add(bitmap, set->ids[i]);
        set->ids[kept] = set->ids[i];
        if (set->group_of != NULL) {
            set->group_of[kept] = group;
        }
        if (set->tags_of != NULL) {
            set->tags_of[kept] = set->tags_of[i];
        }
        kept++;
    }
    set->count = kept;
    keep_groups(&set->groups, numbers, count);
    roaring_bitmap_free(set->bitmap);
    set->bitmap = bitmap;
    return bbi_qctx_check(ctx, err);
}

void bbi_series_set_fini(struct bbi_series_set *set)
{
    if (set->bitmap != NULL) {
        roaring_bitmap_free(set->bitmap);
        set->bitmap = NULL;
    }
}
