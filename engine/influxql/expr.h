/**
 * Work on expressions: constants folded, and a WHERE clause split into a range of time and the
 * rest, as InfluxDB's ConditionExpr does it.
 */
#ifndef BBI_INFLUXQL_EXPR_H
#define BBI_INFLUXQL_EXPR_H

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/influxql/ast.h"

struct bbi_arena;

/** What a condition needs to know of the world. */
struct bbi_ql_world {
    int64_t now_ns; /* now() */
    bool keeps_now; /* now() is no literal here */
    /* Wall time of the query's zone to UTC, for time strings without a zone. NULL: UTC. */
    int64_t (*zone_to_utc)(void *arg, int64_t local_ns);
    void *zone_arg;
    /* The value of a function of literals, into *out; false: it does not fold. NULL: none does. */
    bool (*fold_call)(const char *name, struct bbi_ql_expr *const *args, size_t arg_count,
                      struct bbi_ql_expr *out);
};

/** A condition, split. Times are inclusive; an empty range has tmin > tmax. */
struct bbi_ql_condition {
    struct bbi_ql_expr *rest; /* on tags and fields; NULL: always true */
    int64_t tmin;             /* BBI_TIME_MIN if has_tmin is false */
    int64_t tmax;             /* BBI_TIME_MAX if has_tmax is false */
    bool has_tmin;            /* the condition bounds the time from below */
    bool has_tmax;
};

/**
 * Split a WHERE clause. `time` compares with integers (ns), durations (ns since 1970), now() and
 * time strings, and arithmetic on them; either side. Conditions on time are taken out and
 * intersected wherever they stand, under OR too, as in InfluxDB.
 *
 * condition  NULL: no clause
 * out        rest shares nodes with condition or lies in arena
 * Returns BB_OK; BB_EPARSE in InfluxDB's words (a string that is no time, an operator that time
 * does not have, a time out of range, a term that is no condition); BB_ENOMEM.
 */
int bbi_ql_condition_split(struct bbi_ql_expr *condition, const struct bbi_ql_world *world,
                           struct bbi_arena *arena, struct bbi_ql_condition *out,
                           struct bb_error *err) BB_CHECKED;

/**
 * Fold constants: arithmetic and comparisons of literals, AND and OR with booleans, now(), and the
 * functions that the world folds. What
 * depends on a variable stays. *out may be expr itself.
 * Returns BB_OK or BB_ENOMEM.
 */
int bbi_ql_reduce(struct bbi_ql_expr *expr, const struct bbi_ql_world *world,
                  struct bbi_arena *arena, struct bbi_ql_expr **out,
                  struct bb_error *err) BB_CHECKED;

/** Same tree? PAREN nodes count. NaN equals itself. */
bool bbi_ql_expr_equal(const struct bbi_ql_expr *a, const struct bbi_ql_expr *b);

/** Is this variable `time`, in any case of letters? */
bool bbi_ql_is_time(const struct bbi_ql_expr *expr);

enum bbi_ql_time_form {
    BBI_QL_NO_TIME,  /* does not begin with a date */
    BBI_QL_BAD_TIME, /* does, but is no time */
    BBI_QL_FAR_TIME, /* a time outside of int64 ns */
    BBI_QL_GOOD_TIME
};

/**
 * Read a time string: "2006-01-02", "2006-01-02 15:04:05[.fraction]" in the zone of the world, or
 * RFC 3339, "2006-01-02T15:04:05[.fraction]Z" or with an offset "+01:00". Up to nine decimals.
 *
 * time_ns  out: also of a far time, cut to int64
 */
enum bbi_ql_time_form bbi_ql_time_parse(const char *text, const struct bbi_ql_world *world,
                                        int64_t *time_ns);

/** Append an RFC 3339 time in UTC with as many decimals as it needs: 2009-03-01T00:00:00.5Z. */
void bbi_ql_time_format(int64_t time_ns, struct bbi_buf *buf);

#endif
