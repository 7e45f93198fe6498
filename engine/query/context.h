/**
 * One running bbi_query_run: its memory, its deadline, its switch, its sink and what it counts.
 *
 * Thread  the counters, the memory and bbi_qctx_check are for all threads of the query; the rest is
 * the querying thread's.
 */
#ifndef BBI_QUERY_CONTEXT_H
#define BBI_QUERY_CONTEXT_H

#include "engine/base/arena.h"
#include "engine/query/query.h"

/** What a statement did; EXPLAIN ANALYZE tells it. Rows and values are counted once each, by the
 * way they were answered. */
#define BBI_QSTAT_TABLE(X)                                                      \
    X(series_selected, "series that the tags select")                           \
    X(segments_total, "segments of the policy")                                 \
    X(segments_pruned, "segments outside of the times and series")              \
    X(groups_pruned, "row groups outside of the times and series")              \
    X(groups_filtered, "row groups that statistics prove the filter to refuse") \
    X(groups_from_statistics, "row groups answered from the page index alone")  \
    X(pages_read, "pages read and checked")                                     \
    X(chunks_clean, "chunks that nothing overlaps")                             \
    X(windows_merged, "windows of rows merged from several sources")            \
    X(values_from_statistics, "values answered from statistics")                \
    X(values_packed, "values summed or compared in their packed form")          \
    X(values_decoded, "values decoded")                                         \
    X(rows_merged, "rows that went through the merge")                          \
    X(rows_filtered, "rows that the filter refused")                            \
    X(rows_returned, "rows of the result")

struct bbi_qstats {
#define BBI_QSTAT_MEMBER(name, text) uint64_t name;
    BBI_QSTAT_TABLE(BBI_QSTAT_MEMBER)
#undef BBI_QSTAT_MEMBER
};

struct bbi_qctx {
    const struct bbi_query_env *env;
    const struct bb_query *query;
    const struct bb_sink *sink;
    struct bbi_running_query running;
    struct bbi_account acct;     /* of everything that the query allocates */
    struct bbi_arena arena;      /* of the statement that runs */
    int64_t now_ns;              /* now(), the same for all statements */
    const struct bbi_zone *zone; /* of the statement that runs; NULL: UTC */
    int64_t deadline_ns;         /* of the monotonic clock */
    _Atomic bool stopped;        /* some thread has failed: the others may give up */
    enum bb_chunks chunks;       /* of what the statement answers */
    bool goes_on;                /* what fails now keeps no statement behind it from running */
    struct bbi_snapshot snapshot;
    bool has_snapshot;
    struct bbi_qstats stats; /* of the statement that runs */
    _Atomic uint64_t points; /* rows that it has read; counted only if they are limited */
};

/** Whether the query has to end: BB_ECANCELED, BB_ETIMEOUT. To be called after at most a few
 * milliseconds of work. */
int bbi_qctx_check(const struct bbi_qctx *ctx, struct bb_error *err) BB_CHECKED;

/** Count rows that the statement goes over: BB_ELIMIT "max-select-point limit exceeed: (5/4)", the
 * words and the spelling being InfluxDB's. */
int bbi_qctx_points(struct bbi_qctx *ctx, uint64_t count, struct bb_error *err) BB_CHECKED;

/** Take the query's snapshot if it has none yet: all statements but those that change something
 * read at the same position. */
int bbi_qctx_snapshot(struct bbi_qctx *ctx, struct bb_error *err) BB_CHECKED;

/** Let the next statement take a fresh snapshot. */
void bbi_qctx_drop_snapshot(struct bbi_qctx *ctx);

/** dst += src. */
void bbi_qstats_add(struct bbi_qstats *dst, const struct bbi_qstats *src);

/** The name that a database without a default policy is told to lack; NULL: none, it never had one
 * or it is not known which. */
const char *bbi_qctx_lost_policy(const struct bbi_qctx *ctx, uint32_t db_id);

/** The database of a statement: its own name or else the query's. BB_EINVAL "database name
 * required", BB_ENOTFOUND "database not found: x". */
int bbi_qctx_database(struct bbi_qctx *ctx, const char *name, uint32_t *db_id,
                      struct bb_error *err) BB_CHECKED;

/** A zeroed array of the statement's arena. */
int bbi_qctx_array(struct bbi_qctx *ctx, size_t count, size_t size, void *out,
                   struct bb_error *err) BB_CHECKED;

#endif
