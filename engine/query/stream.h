/**
 * Streams of points: what the general way to execute a SELECT is made of.
 *
 * A stream gives points one by one: name by name, group by group, in the order of the query's time
 * (engine/query/plan.h says how groups of a subquery interleave). Streams stand on one another:
 *
 *     scan or cells of a measurement, or the rows of a subquery      the sources
 *     merge                                                          several of these
 *     reduce    windows to points        mean(x), max(x), top(x, 3)
 *     pass      points to points         derivative(mean(x))
 *     fill, limit
 *
 * The rows of a SELECT (rowset.h) join the streams of its calls. All of it follows InfluxDB's
 * iterators, so that their answers come out alike.
 *
 * Streams lie in the statement's arena; what grows is charged to the query and freed by close.
 * Thread  one owner at a time.
 */
#ifndef BBI_QUERY_STREAM_H
#define BBI_QUERY_STREAM_H

#include "engine/query/plan.h"

struct bbi_trace;

/** Where a point belongs: a name and values of the plan's dims. Lives as long as the statement. */
struct bbi_group {
    const char *name;
    const char *const *tags;
    const size_t *at; /* [dim_count] where in tags a dim's value is; NULL: in order */
};

struct bbi_stream_point {
    struct bbi_group group;
    int64_t time;
    struct bb_value value;      /* BB_VALUE_NULL: a gap */
    const struct bb_value *aux; /* [plan->ref_count]; NULL: none has a value */
};

struct bbi_stream {
    /** The next point, borrowed until the next call; false in *any: there is none, and no more is
     * asked. */
    int (*next)(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                struct bb_error *err);
    void (*close)(struct bbi_stream *s);
    /** The points that are left of the last point's group are not wanted: the next one is of
     * another group. NULL: it goes on. Not to be called before next gave a point, nor where groups
     * interleave. */
    void (*skip)(struct bbi_stream *s);
};

/** One run of a plan: the times are those of the query, or reach back for a function's sake. */
struct bbi_flow {
    const struct bbi_plan *plan;
    int64_t tmin;
    int64_t tmax;
    uint64_t budget;  /* bytes of rows that a source may hold */
    bool looked_back; /* the times reach back already, as lookback() allows */
    bool is_hasty;    /* a LIMIT is above: sources begin with few rows, then read more */
    bool any_order;   /* the points of a group's window may come in any order */
    bool by_group;    /* selected points of a window come group by group, not by their times */
    struct bbi_trace *trace; /* NULL: nobody asks which streams there are */
    unsigned depth;
};

static inline const char *bbi_group_tag(const struct bbi_group *g, size_t dim)
{
    return g->tags[g->at == NULL ? dim : g->at[dim]];
}

/** Whether two points belong together in all dims. */
bool bbi_group_same(const struct bbi_plan *plan, const struct bbi_group *a,
                    const struct bbi_group *b);

/** By name, then by all dims. */
int bbi_group_compare(const struct bbi_plan *plan, const struct bbi_group *a,
                      const struct bbi_group *b);

/** By name, then by the dims that the outermost query groups by. */
int bbi_group_compare_order(const struct bbi_plan *plan, const struct bbi_group *a,
                            const struct bbi_group *b);

/** Begin of the window that a time lies in; without intervals that of the flow. */
int64_t bbi_flow_window(const struct bbi_flow *flow, int64_t time);

static inline bool bbi_flow_has_start(const struct bbi_flow *flow)
{
    return flow->tmin > BBI_TIME_MIN && flow->plan->when.has_tmin;
}

/** Whether rows are limited where they are read: where groups interleave, and there is nothing but
 * measurements. */
static inline bool bbi_flow_limits_source(const struct bbi_flow *flow)
{
    const struct bbi_plan *plan = flow->plan;
    return plan->call_count == 0 && plan->sub_count == 0 && bbi_plan_interleaves(plan) &&
           (plan->limit != 0 || plan->offset != 0);
}

/* Builders. *out is to be closed if it is not NULL, also on an error; a stream that was handed in
 * is closed with it. */

/** The points of all sources. driver: the name whose values the points have; NULL: of rows with a
 * value in any of the plan's names. */
int bbi_stream_source(const struct bbi_flow *flow, const struct bbi_ref *driver,
                      struct bbi_stream **out, struct bb_error *err) BB_CHECKED;

/** The rows of one measurement. */
int bbi_stream_scan(const struct bbi_flow *flow, const struct bbi_measurement *m,
                    const struct bbi_ref *driver, struct bbi_stream **out,
                    struct bb_error *err) BB_CHECKED;

/** The results of a call that cells answer, over one measurement without other columns. */
int bbi_stream_cells(const struct bbi_flow *flow, const struct bbi_measurement *m,
                     const struct bbi_call *call, bool to_window, struct bbi_stream **out,
                     struct bb_error *err) BB_CHECKED;

/** Likewise over all sources, which are measurements of different names. */
int bbi_stream_all_cells(const struct bbi_flow *flow, const struct bbi_call *call, bool to_window,
                         struct bbi_stream **out, struct bb_error *err) BB_CHECKED;

/** The rows of a subquery that pass the condition around it. */
int bbi_stream_subquery(const struct bbi_flow *flow, const struct bbi_plan *sub,
                        const struct bbi_ref *driver, struct bbi_stream **out,
                        struct bb_error *err) BB_CHECKED;

/** Whether a subquery has what a name of the query around it may be. */
bool bbi_stream_subquery_has(const struct bbi_plan *sub, const struct bbi_ref *name);

/**
 * Whether a call has no points because of the first source. InfluxDB merges those of several whose
 * results have the type of the first one's; a subquery without the name counts as floats that are
 * none. mean() and count() have one type; top() and bottom() of tags begin with max() and min().
 */
bool bbi_stream_first_decides(const struct bbi_plan *plan, const struct bbi_call *call);

/** Whether InfluxDB computes a function of a subquery twice, over its points and then over those
 * results, which joins windows that follow on each other; top() and bottom() of tags begin so. */
bool bbi_stream_joins_windows(const struct bbi_call *call);

/** Several streams as one. by_window: points of one group and window come stream by stream, else by
 * time. */
int bbi_stream_merge(const struct bbi_flow *flow, struct bbi_stream **inputs, size_t count,
                     bool by_window, struct bbi_stream **out, struct bb_error *err) BB_CHECKED;

/** The results of a call's function over windows of points. to_window: each has the time of its
 * window. */
int bbi_stream_reduce(const struct bbi_flow *flow, const struct bbi_call *call, bool to_window,
                      struct bbi_stream *input, struct bbi_stream **out,
                      struct bb_error *err) BB_CHECKED;

/** The results of a call's function over all points of a group. */
int bbi_stream_pass(const struct bbi_flow *flow, const struct bbi_call *call,
                    struct bbi_stream *input, struct bbi_stream **out,
                    struct bb_error *err) BB_CHECKED;

/** Whether lookback() concerns a call: it looks at the points before, or its gaps are filled. */
bool bbi_flow_looks_back(const struct bbi_flow *flow, const struct bbi_call *call);

/** The results of a call as of a range that begins as much earlier as it takes to have the last
 * value before the range, at most by lookback(); what is before the range is left out. */
int bbi_stream_lookback(const struct bbi_flow *flow, const struct bbi_call *call,
                        struct bbi_stream **out, struct bb_error *err) BB_CHECKED;

/** A point for each interval, as fill() says. */
int bbi_stream_fill(const struct bbi_flow *flow, const struct bbi_call *call,
                    struct bbi_stream *input, struct bbi_stream **out,
                    struct bb_error *err) BB_CHECKED;

/** LIMIT and OFFSET of each group. */
int bbi_stream_limit(const struct bbi_flow *flow, struct bbi_stream *input, struct bbi_stream **out,
                     struct bb_error *err) BB_CHECKED;

/** All that a call asks for, but LIMIT. */
int bbi_stream_call(const struct bbi_flow *flow, const struct bbi_call *call,
                    struct bbi_stream **out, struct bb_error *err) BB_CHECKED;

/** Skip a group of a stream, of which a point may have been taken and not given yet: *has is
 * cleared if it is of this group, or else nothing is skipped: the stream is past it already. */
void bbi_stream_skip_head(const struct bbi_plan *plan, struct bbi_stream *s,
                          const struct bbi_group *group, const struct bbi_stream_point *head,
                          bool *has);

/** Close and forget; *s may be NULL. */
void bbi_stream_close(struct bbi_stream **s);

#endif
