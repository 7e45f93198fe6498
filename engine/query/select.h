/** Executing a plan, by kind of query. */
#ifndef BBI_QUERY_SELECT_H
#define BBI_QUERY_SELECT_H

#include "engine/query/bind.h"
#include "engine/query/emit.h"

struct bbi_trace;

/** Told of each bound measurement before it runs; for EXPLAIN. NULL: nobody wants to know. */
typedef int (*bbi_select_bound_fn)(void *arg, const struct bbi_binding *b, struct bb_error *err);

/** Whether measurements are answered one by one, from cells or rows: no subquery, no other
 * function, no name twice, and no fill() that looks back. Anything else goes by streams. */
bool bbi_select_is_plain(const struct bbi_plan *plan);

/** Run over all measurements. execute false: only bind and tell. */
int bbi_select_run(const struct bbi_plan *plan, struct bbi_emit *e, bool execute,
                   bbi_select_bound_fn bound, void *arg, struct bb_error *err) BB_CHECKED;

/** Aggregates of one measurement: select_agg.c. */
int bbi_select_aggregates(struct bbi_binding *b, struct bbi_emit *e,
                          struct bb_error *err) BB_CHECKED;

/** Fields as they are, of one measurement: select_raw.c. */
int bbi_select_raw(struct bbi_binding *b, struct bbi_emit *e, struct bb_error *err) BB_CHECKED;

/** Any plan, by streams of points: select_general.c. execute false: only make them. trace: notes
 * which there are; may be NULL. */
int bbi_select_general(const struct bbi_plan *plan, struct bbi_emit *e, bool execute,
                       struct bbi_trace *trace, struct bb_error *err) BB_CHECKED;

/** Begin the series of a group. */
int bbi_select_head(const struct bbi_binding *b, struct bbi_emit *e, size_t group,
                    struct bb_error *err) BB_CHECKED;

/** Evaluate the columns behind time. slots: of the plan; stack: plan->depth values. */
int bbi_select_outputs(const struct bbi_plan *plan, const struct bb_value *slots,
                       struct bb_value *stack, struct bb_value *row,
                       struct bb_error *err) BB_CHECKED;

/** Bytes of results that may be held at a time: a part of what the query may use. */
uint64_t bbi_select_budget(const struct bbi_qctx *ctx);

#endif
