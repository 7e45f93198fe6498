/**
 * A SELECT, checked and taken apart: what does not depend on one measurement.
 *
 * The checks and their words are InfluxDB's. Values of calls and of plain names have slots in the
 * order calls, then names; each output column is a program over them.
 */
#ifndef BBI_QUERY_PLAN_H
#define BBI_QUERY_PLAN_H

#include "engine/influxql/expr.h"
#include "engine/query/fn.h"
#include "engine/query/program.h"
#include "engine/query/sources.h"

/** A distinct call. */
struct bbi_call {
    enum bbi_func func;
    const char *name; /* of the function */
    const struct bbi_ql_expr *expr;
    const struct bbi_call *inner; /* derivative(mean(x)): mean(x); NULL: it is over a name */
    const char *field;            /* of the innermost */
    enum bbi_ql_type cast;
    enum bbi_ql_type input; /* of what it is over */
    enum bbi_ql_type type;  /* of the result, over all sources; UNKNOWN: not known, because there is
                               no such field */
    bool is_filled;   /* though its type is not known a number of fill() stands for it: it is over
                               a tag, or refused */
    bool in_cells;    /* the cells of query/state.h answer it */
    size_t tag_count; /* top(x, tag, n): names in its middle */
    uint32_t *tags;   /* [tag_count] indexes of refs */
};

/** A distinct name outside of calls: a field or a tag. */
struct bbi_ref {
    const char *name;
    enum bbi_ql_type cast;
    enum bbi_ql_type type;
    bool is_key; /* no column, but a tag of the series that top() or bottom() groups by, which a
                    subquery groups by too, be it among its columns or not */
};

struct bbi_output {
    struct bbi_program program;
    bool direct; /* the program only pushes one slot */
    uint32_t slot;
    const char *name; /* as a query around this one may call it; the column's may have a number */
    enum bbi_ql_type type;
    bool is_mistyped; /* of operands that do not go together, which a subquery may have */
    bool is_picked;   /* a tag of top() or bottom(), which comes behind it as a column */
};

/** The error of a call that does not take the type of what it is over: told if there is a series of
 * it. */
struct bbi_refusal {
    struct bbi_refusal *next;
    const char *text;
    const char *field;
    enum bbi_ql_type cast;
};

struct bbi_plan {
    struct bbi_qctx *ctx;
    const struct bbi_ql_select *select;
    const struct bbi_plan
        *parent; /* of a subquery; its intervals, times and order are known first */
    struct bbi_measurements from;
    struct bbi_plan **subs; /* [sub_count] subqueries of FROM */
    size_t sub_count;
    struct bbi_ql_field *fields; /* [output_count] wildcards expanded, without time */
    struct bbi_output *outputs;  /* [output_count] */
    size_t output_count;
    size_t depth;           /* of the deepest program */
    const char **columns;   /* [output_count + 1] time first */
    struct bbi_call *calls; /* [call_count] */
    size_t call_count;
    struct bbi_ref *refs; /* [ref_count] by name, then type; keys behind all others */
    size_t ref_count;
    struct bbi_refusal *refusals; /* in the order of the calls. NULL: there is none */
    size_t tie_count; /* rows of one time stand in the order of so many refs, if they are strings */
    bool keeps_times; /* of points that a selector picks, though those of their intervals count */
    bool is_selector; /* one call, which picks a row: that row's time counts, and refs are its */
    const char **dims; /* [dim_count] tag keys of GROUP BY, ascending, none twice; a subquery has
                          those of the query around it as well */
    size_t dim_count;
    const char **own_dims; /* [own_dim_count] without those */
    size_t own_dim_count;
    size_t *order; /* [order_count] indexes of the dims of the outermost query: groups that agree in
                      them are told together, in the order of time */
    size_t order_count;
    const struct bbi_zone *zone; /* of tz(); NULL: UTC. A subquery has its own or none */
    struct bbi_buckets buckets;
    struct bbi_ql_condition when;  /* split condition; when.tmax is bounded by now() with buckets */
    struct bbi_ql_condition reach; /* of the outermost: when, and as many intervals before (behind,
                                      if falling) as its functions look back: shards there count */
    int64_t intervals_back;
    int64_t own_tmin; /* of the condition alone; when has the bounds of the query around it too */
    int64_t own_tmax;
    enum bbi_ql_fill fill;
    struct bb_value fill_value;
    bool descending;
    uint64_t limit; /* rows of a group; 0: all */
    uint64_t offset;
    uint64_t slimit; /* groups of a measurement; 0: all */
    uint64_t soffset;
};

/**
 * Check and take apart, subqueries too: what can be refused without looking at what is stored is
 * refused first. Everything lies in the statement's arena.
 *
 * Returns BB_OK; BB_EINVAL in InfluxDB's words; BB_EUNSUPPORTED; BB_ENOTFOUND; BB_ENOMEM.
 */
int bbi_plan_build(struct bbi_qctx *ctx, const struct bbi_ql_select *select, struct bbi_plan *out,
                   struct bb_error *err) BB_CHECKED;

/** Whether some group's rows have to wait for those of others: see order. */
static inline bool bbi_plan_interleaves(const struct bbi_plan *plan)
{
    return plan->order_count < plan->dim_count;
}

/** Whether some call or, without calls, some name has a type that is known: else there are no rows.
 * A cast that says which type makes a name known, be there such a column or not; measurements have
 * no rows of one that they do not have. */
bool bbi_plan_begins(const struct bbi_plan *plan);

enum bbi_ql_type bbi_ql_type_of(enum bbi_type type);

#endif
