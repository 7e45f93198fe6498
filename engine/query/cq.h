/**
 * A continuous query: when it is due, for which times, and the SELECT INTO that is run then.
 *
 * The rules are InfluxDB's. A query runs when an interval of its GROUP BY time() has ended, for
 * that interval; RESAMPLE EVERY sets how often it runs instead, also for the interval that has not
 * ended yet, RESAMPLE FOR how far back it goes. Intervals that ended while nobody looked are made
 * up for in one run, and each interval is run once after its end, whatever EVERY. Intervals are
 * those of the SELECT itself: offsets, zones and calendar units cut them alike.
 */
#ifndef BBI_QUERY_CQ_H
#define BBI_QUERY_CQ_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/influxql/ast.h"
#include "engine/query/zones.h"

struct bbi_cq {
    const char *name;
    const char *database;
    const struct bbi_ql_select *select;
    const struct bbi_zone *zone; /* NULL: UTC */
    int64_t width_ns;            /* 0: no GROUP BY time(), never due */
    int32_t months;
    int64_t offset_ns;
    int64_t every_ns; /* 0: at the end of each interval */
    int64_t for_ns;   /* 0: what has ended since the last run */
};

/**
 * Read the statement that made a query.
 *
 * text  [length] CREATE CONTINUOUS QUERY ...
 * out   lies in arena
 * Returns BB_OK; BB_EPARSE; BB_EINVAL "continuous queries must be aggregate queries" and what else
 * InfluxDB finds out only when such a query is to run; BB_ENOTFOUND an unknown zone; BB_ENOMEM.
 */
int bbi_cq_parse(const char *text, size_t length, struct bbi_zones *zones, struct bbi_arena *arena,
                 struct bbi_cq *out, struct bb_error *err) BB_CHECKED;

/** When a query ran last; all zero before the first look. */
struct bbi_cq_clock {
    bool has_run;
    int64_t last_ns;
};

/**
 * Whether the query is to run now, for [*start_ns, *end_ns); if its time has come the clock is set,
 * whatever comes of the run.
 */
bool bbi_cq_due(const struct bbi_cq *cq, int64_t now_ns, struct bbi_cq_clock *clock,
                int64_t *start_ns, int64_t *end_ns);

/** Append the SELECT INTO for these times, which stand in for those of its WHERE. BB_EPARSE,
 * BB_ENOMEM. */
int bbi_cq_format(const struct bbi_cq *cq, int64_t start_ns, int64_t end_ns,
                  struct bbi_arena *arena, struct bbi_buf *out, struct bb_error *err) BB_CHECKED;

#endif
