/** The halves of a SELECT with calls: cells of groups are filled (select_agg.c), then told as rows
 * (agg_rows.c). */
#ifndef BBI_QUERY_SELECT_AGG_H
#define BBI_QUERY_SELECT_AGG_H

#include "engine/query/agg.h"
#include "engine/query/lookup.h"
#include "engine/query/select.h"

/** One call of one group: which buckets have values, and how far its rows have come. */
struct bbi_call_rows {
    bool any;      /* some bucket has a value */
    int64_t first; /* the first and last bucket that have */
    int64_t last;
    uint64_t at; /* rows that it has given, for LIMIT and OFFSET */
    bool has_previous;
    int64_t previous_bucket;
    struct bb_value previous; /* the last value that was not filled in */
    bool has_next;            /* next_bucket is where the next value lies, for fill(linear) */
    int64_t next_bucket;
};

/** The rows of one group on their way out. */
struct bbi_agg_rows {
    struct bbi_binding *b;
    struct bbi_emit *e;
    const struct bbi_agg *agg;   /* cells of buckets [agg->bucket_first, ...) */
    size_t group;                /* in the binding */
    size_t cells;                /* in agg */
    struct bbi_call_rows *calls; /* [call_count] */
    struct bb_value *slots;      /* [call_count + ref_count] */
    struct bb_value *before;     /* likewise, of the row before */
    bool *live;                  /* [call_count] whether a call has a row here */
    struct bb_value *stack;
    bool has_head;
    struct bbi_lookup_row **beside; /* [] rows of the selector by bucket; NULL: no names */
};

/** Set an aggregation up for the binding's calls; which buckets its data may lie in. */
int bbi_agg_prepare(struct bbi_agg *agg, struct bbi_binding *b, int64_t *bucket_first,
                    size_t *bucket_count, struct bb_error *err) BB_CHECKED;

/** About how many bytes a cell takes, with what its sketches allocate. */
uint64_t bbi_agg_cell_cost(const struct bbi_agg *agg, size_t bucket_count);

/** Room for the plan, in the statement's arena. */
int bbi_agg_rows_init(struct bbi_agg_rows *r, struct bbi_binding *b, struct bbi_emit *e,
                      struct bb_error *err) BB_CHECKED;

/** Begin a group: its calls are those of agg, all of its buckets being there. */
void bbi_agg_rows_begin(struct bbi_agg_rows *r, size_t group);

/** Give the rows of buckets [from, to], which agg holds, in the order of the query. */
int bbi_agg_rows_give(struct bbi_agg_rows *r, int64_t from, int64_t to,
                      struct bb_error *err) BB_CHECKED;

/** Whether LIMIT has been reached by all calls. */
bool bbi_agg_rows_done(const struct bbi_agg_rows *r);

/** The buckets that a group's rows may lie in: false if there are none. */
bool bbi_agg_rows_range(const struct bbi_agg_rows *r, int64_t *from, int64_t *to);

/** The value of a call in a cell that has some. */
int bbi_call_value(const struct bbi_call *call, const struct bbi_state_field *f, void *cell,
                   struct bbi_account *acct, struct bb_value *out, struct bb_error *err) BB_CHECKED;

/** The point that a selector picked. */
const struct bbi_state_point *bbi_call_point(const struct bbi_call *call,
                                             const struct bbi_state_field *f, void *cell);

#endif
