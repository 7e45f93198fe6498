#include "engine/catalog/reconcile.h"

#include "tests/lib/unit.h"

static struct bbi_reconcile_item item(uint64_t id, uint64_t job, uint32_t part, uint32_t parts,
                                      uint64_t lsn_lo, uint64_t lsn_hi)
{
    return (struct bbi_reconcile_item){.meta = {.id = id,
                                                .db_id = 1,
                                                .rp_id = 1,
                                                .span_t0 = 0,
                                                .span_t1 = 100,
                                                .lsn_lo = lsn_lo,
                                                .lsn_hi = lsn_hi,
                                                .job_id = job,
                                                .job_part = part,
                                                .job_parts = parts}};
}

/* The ids that live, as a set of bits. */
static unsigned live(struct bbi_reconcile_item *items, size_t count)
{
    unsigned set = 0;
    bbi_reconcile(items, count);
    for (size_t i = 0; i < count; i++) {
        set |= items[i].is_live ? 1u << items[i].meta.id : 0;
    }
    return set;
}

static void test_flushes_stand_beside_each_other(void **state)
{
    (void)state;
    struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(2, 2, 0, 1, 10, 20),
                                         item(3, 3, 0, 1, 20, 30)};
    assert_int_equal(live(items, 3), 1u << 1 | 1u << 2 | 1u << 3);
    assert_int_equal(live(items, 0), 0);
}

static void test_whole_output_replaces_its_inputs(void **state)
{
    (void)state;
    struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(2, 2, 0, 1, 10, 20),
                                         item(3, 3, 0, 1, 20, 30), item(4, 4, 0, 2, 0, 20),
                                         item(5, 4, 1, 2, 0, 20)};
    assert_int_equal(live(items, 5), 1u << 3 | 1u << 4 | 1u << 5);
}

static void test_part_of_an_output_goes_while_inputs_are_there(void **state)
{
    (void)state;
    struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(2, 2, 0, 1, 10, 20),
                                         item(4, 4, 0, 2, 0, 20)};
    assert_int_equal(live(items, 3), 1u << 1 | 1u << 2);
    struct bbi_reconcile_item rest[] = {item(3, 3, 0, 1, 20, 30), item(4, 4, 1, 2, 0, 20)};
    assert_int_equal(live(rest, 2), 1u << 3 | 1u << 4);
}

/* What the catalog knew was whole; a file lost since does not undo the job. */
static void test_known_output_counts_as_whole(void **state)
{
    (void)state;
    struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(4, 4, 0, 2, 0, 20)};
    items[1].is_known = true;
    assert_int_equal(live(items, 2), 1u << 4);
}

static void test_only_the_same_place_counts(void **state)
{
    (void)state;
    for (int other = 0; other < 4; other++) {
        struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(2, 2, 0, 1, 0, 20)};
        items[1].meta.db_id += other == 0;
        items[1].meta.rp_id += other == 1;
        items[1].meta.span_t0 -= other == 2;
        items[1].meta.span_t1 += other == 3;
        assert_int_equal(live(items, 2), 1u << 1 | 1u << 2);
    }
    struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(2, 2, 0, 1, 5, 20)};
    assert_int_equal(live(items, 2), 1u << 1 | 1u << 2);
    struct bbi_reconcile_item older[] = {item(1, 9, 0, 1, 0, 10), item(2, 2, 0, 1, 0, 20)};
    assert_int_equal(live(older, 2), 1u << 1 | 1u << 2);
}

/* Parts of one job lie in several spans: completeness is the job's. */
static void test_job_over_several_spans(void **state)
{
    (void)state;
    struct bbi_reconcile_item items[] = {item(1, 1, 0, 1, 0, 10), item(4, 4, 0, 2, 0, 20),
                                         item(5, 4, 1, 2, 0, 20)};
    items[2].meta.span_t0 = 100;
    items[2].meta.span_t1 = 200;
    assert_int_equal(live(items, 3), 1u << 4 | 1u << 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flushes_stand_beside_each_other),
        cmocka_unit_test(test_whole_output_replaces_its_inputs),
        cmocka_unit_test(test_part_of_an_output_goes_while_inputs_are_there),
        cmocka_unit_test(test_known_output_counts_as_whole),
        cmocka_unit_test(test_only_the_same_place_counts),
        cmocka_unit_test(test_job_over_several_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
