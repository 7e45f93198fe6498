/*
 * The portable format, from CRoaring's specification of it: a cookie, descriptions of the
 * containers (upper 16 bits, cardinality - 1), for some cookies their offsets, then the containers:
 * arrays of u16, bitsets of 8 KiB, or runs of (start, length - 1). A container of more than 4,096
 * values that is no run container is a bitset.
 */
#include "engine/base/bitmap.h"

#include "engine/base/cursor.h"

#define COOKIE_NO_RUN   12346
#define COOKIE_RUN      12347
#define NO_OFFSET_BELOW 4 /* with runs, fewer containers than this come without offsets */
#define CONTAINERS_MAX  65536
#define ARRAY_MAX       4096
#define BITSET_BYTES    8192

void bbi_bitmap_put(struct bbi_buf *b, const roaring_bitmap_t *r)
{
    roaring_bitmap_t *copy = roaring_bitmap_copy(r);
    if (copy != NULL) {
        (void)roaring_bitmap_run_optimize(copy);
        r = copy;
    }
    size_t n = roaring_bitmap_portable_size_in_bytes(r);
    uint8_t *at = bbi_buf_reserve(b, n);
    if (at != NULL) {
        b->len += roaring_bitmap_portable_serialize(r, (char *)at);
    }
    if (copy != NULL) {
        roaring_bitmap_free(copy);
    }
}

size_t bbi_bitmap_bytes(const roaring_bitmap_t *r)
{
    roaring_statistics_t st;
    roaring_bitmap_statistics(r, &st);
    /* Each container has a struct of its own, and its key, type and pointer in the array. */
    return sizeof(*r) + st.n_containers * (size_t)32 + st.n_bytes_array_containers +
           st.n_bytes_run_containers + st.n_bytes_bitset_containers;
}

static bool array_is_valid(struct bbi_cursor *c, uint32_t cardinality)
{
    const uint8_t *p = bbi_cursor_bytes(c, (size_t)cardinality * 2);
    if (p == NULL) {
        return false;
    }
    for (uint32_t i = 1; i < cardinality; i++) {
        if (bbi_get_u16(p + 2 * (size_t)i) <= bbi_get_u16(p + 2 * (size_t)i - 2)) {
            return false;
        }
    }
    return true;
}

static bool bitset_is_valid(struct bbi_cursor *c, uint32_t cardinality)
{
    const uint8_t *p = bbi_cursor_bytes(c, BITSET_BYTES);
    if (p == NULL) {
        return false;
    }
    uint32_t ones = 0;
    for (size_t i = 0; i < BITSET_BYTES; i += 8) {
        ones += (uint32_t)__builtin_popcountll(bbi_get_u64(p + i));
    }
    return ones == cardinality;
}

static bool runs_are_valid(struct bbi_cursor *c, uint32_t cardinality)
{
    uint32_t count = bbi_cursor_u16(c);
    const uint8_t *p = bbi_cursor_bytes(c, (size_t)count * 4);
    if (p == NULL || count == 0) {
        return false;
    }
    uint32_t sum = 0;
    uint32_t least = 0; /* a run touching the one before it would be one run */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t start = bbi_get_u16(p + 4 * (size_t)i);
        uint32_t length = (uint32_t)bbi_get_u16(p + 4 * (size_t)i + 2) + 1;
        if (start < least || length > 65536 - start) {
            return false;
        }
        least = start + length + 1;
        sum += length;
    }
    return sum == cardinality;
}

static bool containers_are_valid(struct bbi_cursor *c, const uint8_t *run_flags,
                                 const uint8_t *heads, uint32_t count)
{
    int64_t last = -1;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t key = bbi_get_u16(heads + 4 * (size_t)i);
        uint32_t cardinality = (uint32_t)bbi_get_u16(heads + 4 * (size_t)i + 2) + 1;
        bool is_run = run_flags != NULL && (run_flags[i / 8] >> (i % 8) & 1) != 0;
        bool ok = is_run                     ? runs_are_valid(c, cardinality)
                  : cardinality <= ARRAY_MAX ? array_is_valid(c, cardinality)
                                             : bitset_is_valid(c, cardinality);
        if (!ok || key <= last) {
            return false;
        }
        last = key;
    }
    return true;
}

static bool is_valid(const uint8_t *p, size_t len)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, p, len);
    uint32_t cookie = bbi_cursor_u32(&c);
    const uint8_t *run_flags = NULL;
    uint32_t count;
    bool has_offsets = true;
    if ((cookie & 0xffff) == COOKIE_RUN) {
        count = (cookie >> 16) + 1;
        run_flags = bbi_cursor_bytes(&c, (count + 7) / 8);
        has_offsets = count >= NO_OFFSET_BELOW;
    } else {
        count = bbi_cursor_u32(&c);
        if (cookie != COOKIE_NO_RUN || count > CONTAINERS_MAX) {
            return false;
        }
    }
    const uint8_t *heads = bbi_cursor_bytes(&c, (size_t)count * 4);
    if (has_offsets) {
        /* CRoaring reads the containers in sequence and does not follow the offsets. */
        (void)bbi_cursor_bytes(&c, (size_t)count * 4);
    }
    return heads != NULL && c.err == BB_OK && containers_are_valid(&c, run_flags, heads, count) &&
           bbi_cursor_left(&c) == 0;
}

int bbi_bitmap_get(const void *p, size_t len, roaring_bitmap_t **out, struct bb_error *err)
{
    *out = NULL;
    if (!is_valid(p, len)) {
        return bbi_error_set(err, BB_ECORRUPT, "bitmap: malformed");
    }
    *out = roaring_bitmap_portable_deserialize_safe(p, len);
    return *out == NULL ? bbi_error_nomem(err, "bitmap") : BB_OK;
}
