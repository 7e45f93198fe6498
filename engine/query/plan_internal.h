/** Steps of building a plan, by file. */
#ifndef BBI_QUERY_PLAN_INTERNAL_H
#define BBI_QUERY_PLAN_INTERNAL_H

#include "engine/query/plan.h"

/** plan_check.c: the rules that need no schema. Sets buckets, fill, order, times; yields the fields
 * without time, and time's own name. */
int bbi_plan_check(struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

/** What is found out about the columns of a SELECT, one after the other. */
struct bbi_field_rules {
    int64_t limit;        /* LIMIT, 0: none */
    bool windows;         /* GROUP BY time(), the query's own or from around it */
    bool inherited;       /* from around it */
    size_t call_count;    /* distinct() within others is not counted */
    const char *top;      /* "top" or "bottom", if one is called */
    const char *no_input; /* a math function within a call that works on windows */
    bool has_distinct;    /* distinct() outside of count() */
    bool only_selectors;  /* true until another function comes */
    bool has_plain;       /* names outside of calls */
    int64_t reach;        /* as many intervals more than those asked for some call looks at */
    bool in_binary;       /* within an operator: no wildcards */
    unsigned depth;       /* of the expression being walked */
    struct bbi_arena *arena;
};

/** plan_check.c: an expression of a column, or what stands within a call of one. */
int bbi_plan_check_expr(const struct bbi_ql_expr *expr, struct bbi_field_rules *r,
                        struct bb_error *err) BB_CHECKED;

/** plan_check_call.c: what a call takes, math functions aside. The message is InfluxDB's. */
int bbi_plan_check_call(const struct bbi_ql_expr *call, struct bbi_field_rules *r,
                        struct bb_error *err) BB_CHECKED;

/** plan_check_call.c: the error for top() or bottom() beside another function. */
int bbi_plan_refuse_company(const char *name, struct bb_error *err) BB_CHECKED;

/** plan_check_call.c: the error for a call that does not take the type call->input, in InfluxDB's
 * words. */
int bbi_plan_refuse_type(const struct bbi_call *call, struct bb_error *err) BB_CHECKED;

/** plan_expand.c: expand wildcards and patterns of fields and dimensions; fill plan->fields and
 * plan->dims. */
int bbi_plan_expand(struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

/** plan_types.c: the types of all outputs, once the names are expanded. BB_EINVAL: operands that do
 * not go together, in InfluxDB's words. */
int bbi_plan_types(struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

/** plan_types.c: give the names of a condition on several sources their types. So a field that only
 * some of them have is no tag of the others. */
int bbi_plan_type_condition(struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

/** plan.c: the rules that need no schema, of a SELECT and then of its subqueries; as
 * bbi_plan_build.
 *
 * parent  of a subquery, checked so far that its intervals, times and order are set; else NULL
 */
int bbi_plan_check_all(struct bbi_qctx *ctx, const struct bbi_ql_select *select,
                       const struct bbi_plan *parent, struct bbi_plan *out,
                       struct bb_error *err) BB_CHECKED;

/** plan_sub.c: begin the plans of the subqueries of FROM. */
int bbi_plan_check_subqueries(struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

/** plan_sub.c: what a subquery takes from the query around it, once that is checked. */
void bbi_plan_inherit(struct bbi_plan *plan);

/** plan_sub.c: let the subqueries group as the outermost query wants it. */
int bbi_plan_order(struct bbi_plan *plan, struct bb_error *err) BB_CHECKED;

/** plan_expand.c: the type of a name over all measurements of the plan: of a field, else TAG, else
 * UNKNOWN. */
int bbi_plan_name_type(struct bbi_plan *plan, const char *name, enum bbi_ql_type cast,
                       enum bbi_ql_type *type, struct bb_error *err) BB_CHECKED;

#endif
