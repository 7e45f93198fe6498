/**
 * A WHERE clause without its time, split: what the tags alone decide goes to the catalog's posting
 * lists, the rest is a filter on rows. `_name` stands for the measurement's name.
 */
#ifndef BBI_QUERY_TAGCOND_H
#define BBI_QUERY_TAGCOND_H

#include "engine/influxql/ast.h"
#include "engine/query/context.h"

/** What to do with a comparison of something that is no tag. */
enum bbi_tagcond_fields {
    BBI_FIELDS_KEEP,   /* leave it to the rest */
    BBI_FIELDS_IGNORE, /* it holds, but only = != =~ !~ are taken: SHOW */
    BBI_FIELDS_NEVER,  /* it does not hold, but `_tagKey` does, and tags compare: CARDINALITY */
    BBI_FIELDS_ABSENT, /* nor does a comparison with a tag that a series lacks */
    BBI_FIELDS_REFUSE  /* leave it to the rest, but two tags are compared by the index: DELETE */
};

struct bbi_tagcond {
    const struct bbi_tagpred *pred;  /* NULL: all series */
    struct bbi_ql_expr *const *rest; /* [rest_count], of which all must hold */
    size_t rest_count;
    bool never; /* no series can meet it */
};

/**
 * Split.
 *
 * mid   names that are fields of this measurement are no tags; 0: of any measurement
 * expr  NULL: no condition
 * out   in the statement's arena
 */
int bbi_tagcond_split(struct bbi_qctx *ctx, uint32_t db_id, uint32_t mid, struct bbi_ql_expr *expr,
                      enum bbi_tagcond_fields fields, struct bbi_tagcond *out,
                      struct bb_error *err) BB_CHECKED;

/** The series of a measurement (0: of the database) that meet cond->pred; the caller's to free. */
int bbi_tagcond_select(struct bbi_qctx *ctx, uint32_t db_id, uint32_t mid,
                       const struct bbi_tagcond *cond, roaring_bitmap_t **out,
                       struct bb_error *err) BB_CHECKED;

#endif
