#include "engine/base/bitmap.h"

#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

static struct bb_error err;

static void put(struct bbi_buf *b, const roaring_bitmap_t *r)
{
    bbi_buf_init(b, NULL, (size_t)1 << 30);
    bbi_bitmap_put(b, r);
    assert_int_equal(b->err, BB_OK);
}

static void assert_round_trip(const roaring_bitmap_t *r)
{
    struct bbi_buf b;
    roaring_bitmap_t *back;
    put(&b, r);
    assert_int_equal(bbi_bitmap_get(b.data, b.len, &back, &err), BB_OK);
    assert_true(roaring_bitmap_equals(r, back));
    roaring_bitmap_free(back);
    for (size_t len = 0; len < b.len; len += 1 + len / 64) {
        assert_int_equal(bbi_bitmap_get(b.data, len, &back, &err), BB_ECORRUPT);
        assert_null(back);
    }
    bbi_buf_fini(&b);
}

/* Arrays, bitsets, runs and mixtures of them, up to the last id. */
static void fill(struct rng *rnd, roaring_bitmap_t *r)
{
    uint64_t parts = rng_below(rnd, 6);
    for (uint64_t i = 0; i < parts; i++) {
        uint32_t base = rng_below(rnd, 4) == 0 ? 0xffff0000u : (uint32_t)rng_below(rnd, 20) << 16;
        switch (rng_below(rnd, 3)) {
        case 0:
            for (uint64_t n = rng_below(rnd, 200); n > 0; n--) {
                roaring_bitmap_add(r, base + (uint32_t)rng_below(rnd, 65536));
            }
            break;
        case 1:
            for (unsigned n = 20000; n > 0; n--) {
                roaring_bitmap_add(r, base + (uint32_t)rng_below(rnd, 65536));
            }
            break;
        default:
            roaring_bitmap_add_range_closed(r, base + (uint32_t)rng_below(rnd, 1000),
                                            base + 1000 + (uint32_t)rng_below(rnd, 64536));
            break;
        }
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct rng rnd = rng_from_env();
    for (int i = 0; i < 200; i++) {
        roaring_bitmap_t *r = roaring_bitmap_create();
        fill(&rnd, r);
        assert_round_trip(r);
        assert_true(bbi_bitmap_bytes(r) < ((size_t)1 << 20));
        roaring_bitmap_free(r);
    }
}

/* Whatever the bytes are, what comes back is a bitmap that says of itself what it holds. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    struct rng rnd = rng_from_env();
    for (int i = 0; i < 300; i++) {
        roaring_bitmap_t *r = roaring_bitmap_create();
        struct bbi_buf b;
        fill(&rnd, r);
        put(&b, r);
        for (int n = 0; n < 100 && b.len > 0; n++) {
            roaring_bitmap_t *back;
            size_t at = n < 60 ? (size_t)n % b.len : rng_below(&rnd, b.len);
            uint8_t was = b.data[at];
            b.data[at] ^= (uint8_t)(1u << rng_below(&rnd, 8));
            if (bbi_bitmap_get(b.data, b.len, &back, &err) == BB_OK) {
                uint64_t count = 0;
                uint64_t last = 0;
                roaring_uint32_iterator_t *it = roaring_create_iterator(back);
                for (; it->has_value; roaring_advance_uint32_iterator(it)) {
                    assert_true(count == 0 || it->current_value > last);
                    last = it->current_value;
                    count++;
                }
                roaring_free_uint32_iterator(it);
                assert_int_equal(count, roaring_bitmap_get_cardinality(back));
                roaring_bitmap_free(back);
            }
            b.data[at] = was;
        }
        bbi_buf_fini(&b);
        roaring_bitmap_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
