#include "engine/catalog/strsort.h"

#include <string.h>

#include "engine/base/mem.h"
#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

static int compare(const struct bbi_strsort_item *a, const struct bbi_strsort_item *b)
{
    if (a->group != b->group) {
        return a->group < b->group ? -1 : 1;
    }
    size_t least = a->len < b->len ? a->len : b->len;
    int order = least == 0 ? 0 : memcmp(a->str, b->str, least);
    if (order == 0) {
        order = (a->len > b->len) - (a->len < b->len);
    }
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* Items into a block of bytes, few different ones, so that many are equal or share beginnings. */
static void check(struct rng *rng, size_t count, unsigned letters, size_t longest)
{
    uint8_t *bytes = bbi_mem_alloc(NULL, count + longest + 1);
    struct bbi_strsort_item *items = bbi_mem_zalloc(NULL, count, sizeof(*items));
    uint64_t sum = 0;
    for (size_t i = 0; i < count + longest; i++) {
        bytes[i] = (uint8_t)rng_below(rng, letters);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct bbi_strsort_item){.str = bytes + rng_below(rng, count),
                                             .len = (uint32_t)rng_below(rng, longest + 1),
                                             .group = (uint32_t)rng_below(rng, 3),
                                             .id = (uint32_t)rng_below(rng, 50),
                                             .extra = (uint32_t)i};
        sum += items[i].extra;
    }
    bbi_strsort(items, count);
    for (size_t i = 0; i < count; i++) {
        sum -= items[i].extra;
        assert_true(i == 0 || compare(&items[i - 1], &items[i]) <= 0);
    }
    assert_int_equal(sum, 0);
    bbi_mem_free(items);
    bbi_mem_free(bytes);
}

static void test_random(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    for (int i = 0; i < 300; i++) {
        check(&rng, rng_below(&rng, 400), 1 + (unsigned)rng_below(&rng, 4), rng_below(&rng, 40));
        check(&rng, rng_below(&rng, 40), 256, 20);
    }
    check(&rng, 50000, 2, 30);
    check(&rng, 50000, 1, 300);
}

/* Sorted, reversed, all equal: nothing takes long or goes deep. */
static void test_orders(void **state)
{
    (void)state;
    enum {
        COUNT = 200000
    };
    struct bbi_strsort_item *items = bbi_mem_zalloc(NULL, COUNT, sizeof(*items));
    char(*names)[16] = bbi_mem_zalloc(NULL, COUNT, 16);
    for (int order = 0; order < 4; order++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t n = order == 0 ? i : order == 1 ? COUNT - i : order == 2 ? i % 7 : 1;
            int len = snprintf(names[i], 16, "MTR-%08u", n);
            items[i] = (struct bbi_strsort_item){
                .str = (uint8_t *)names[i], .len = (uint32_t)len, .id = COUNT - i};
        }
        bbi_strsort(items, COUNT);
        for (uint32_t i = 1; i < COUNT; i++) {
            assert_true(compare(&items[i - 1], &items[i]) <= 0);
        }
    }
    bbi_mem_free(names);
    bbi_mem_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
