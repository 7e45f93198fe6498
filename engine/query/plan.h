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
    const char *field;
    enum bbi_ql_type cast;
    enum bbi_ql_type type; /* of the result, over all measurements; UNKNOWN: not known, because
                              there is no such field */
};

/** A distinct name outside of calls: a field or a tag. */
struct bbi_ref {
    const char *name;
    enum bbi_ql_type cast;
    enum bbi_ql_type type;
};

struct bbi_output {
    struct bbi_program program;
    bool direct; /* the program only pushes one slot */
    uint32_t slot;
};

struct bbi_plan {
    struct bbi_qctx *ctx;
    const struct bbi_ql_select *select;
    struct bbi_measurements from;
    struct bbi_ql_field *fields; /* [output_count] wildcards expanded, without time */
    struct bbi_output *outputs;  /* [output_count] */
    size_t output_count;
    size_t depth;           /* of the deepest program */
    const char **columns;   /* [output_count + 1] time first */
    struct bbi_call *calls; /* [call_count] */
    size_t call_count;
    struct bbi_ref *refs; /* [ref_count] by name, then cast */
    size_t ref_count;
    bool is_selector;  /* one call, which picks a row: that row's time counts, and refs are its */
    const char **dims; /* [dim_count] tag keys of GROUP BY, ascending, none twice */
    size_t dim_count;
    struct bbi_buckets buckets;
    struct bbi_ql_condition when; /* split condition; when.tmax is bounded by now() with buckets */
    enum bbi_ql_fill fill;
    struct bb_value fill_value;
    bool descending;
};

/**
 * Check and take apart. Everything lies in the statement's arena.
 *
 * Returns BB_OK; BB_EINVAL in InfluxDB's words; BB_EUNSUPPORTED; BB_ENOTFOUND; BB_ENOMEM.
 */
int bbi_plan_build(struct bbi_qctx *ctx, const struct bbi_ql_select *select, struct bbi_plan *out,
                   struct bb_error *err) BB_CHECKED;

enum bbi_ql_type bbi_ql_type_of(enum bbi_type type);

#endif
