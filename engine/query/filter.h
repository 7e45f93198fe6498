/**
 * The part of a WHERE clause that looks at fields: which rows of a vector stay.
 *
 * Comparisons of a number with a constant, joined by AND, run over whole vectors and against page
 * statistics; anything else row by row.
 */
#ifndef BBI_QUERY_FILTER_H
#define BBI_QUERY_FILTER_H

#include "engine/query/program.h"
#include "engine/query/rows.h"

/** Where a slot of the filter's program comes from. */
struct bbi_filter_slot {
    bool is_tag;
    size_t index;          /* of the scan's fields, or of the tags of the series */
    enum bbi_ql_type cast; /* of a field; UNKNOWN: as it is */
    bool missing;          /* neither field nor tag */
};

/** A numeric field against a constant. */
struct bbi_filter_test {
    size_t field;
    uint8_t op; /* enum bbi_ql_op: EQ .. GTE without regexes, the field on the left */
    struct bb_value constant;
};

struct bbi_filter {
    struct bbi_program program;
    struct bbi_filter_slot *slots; /* [slot_count] */
    size_t slot_count;
    struct bbi_filter_test *tests; /* [test_count] of which all must hold */
    size_t test_count;
    bool is_tests; /* the tests are the whole filter */
};

/** What a thread needs to run one. */
struct bbi_filter_scratch {
    struct bb_value *slots;
    struct bb_value *stack;
    uint64_t *mask; /* the result: rows that stay */
    size_t mask_words;
    struct bbi_account *acct;
};

int bbi_filter_scratch_init(struct bbi_filter_scratch *s, const struct bbi_filter *filter,
                            struct bbi_account *acct, struct bb_error *err) BB_CHECKED;
void bbi_filter_scratch_fini(struct bbi_filter_scratch *s);

/** Fill s->mask for the rows. tags: [] values of the series' tags; may be NULL when no slot is one.
 * *kept: how many stay. */
int bbi_filter_run(const struct bbi_filter *filter, const struct bbi_rows *rows,
                   const char *const *tags, struct bbi_filter_scratch *s, size_t *kept,
                   struct bb_error *err) BB_CHECKED;

/** False: the group's statistics prove that no row stays. */
bool bbi_filter_may_match(const struct bbi_filter *filter, const struct bbi_segment_group *group,
                          const struct bbi_qscan *scan);

#endif
