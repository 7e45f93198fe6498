/**
 * Running InfluxQL: text -> AST -> plan -> vectors -> result stream.
 *
 * The engine lends what a query needs of it as an environment; nothing here knows the log or the
 * background threads. Thread  any number of queries at a time; one query uses its caller's thread
 * and the environment's pool.
 */
#ifndef BBI_QUERY_QUERY_H
#define BBI_QUERY_QUERY_H

#include <stdatomic.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/pool.h"
#include "engine/catalog/catalog.h"
#include "engine/partition/version.h"
#include "engine/query/running.h"
#include "engine/query/zones.h"

/** What queries did, since the start; all relaxed. */
struct bbi_query_counters {
    _Atomic uint64_t queries;
    _Atomic uint64_t errors;
    struct bb_latency statements[BB_STATEMENT_COUNT];
    _Atomic uint64_t errors_by_code[BB_CODE_COUNT];
};

struct bbi_query_env {
    struct bbi_running *running; /* all queries of this environment */
    struct bbi_zones *zones;
    int64_t started_mono_ns; /* when the environment came to be */
    struct bbi_catalog *catalog;
    struct bbi_pool *pool;       /* NULL: all in the caller's thread */
    struct bbi_account *acct;    /* parent of each query's account */
    uint64_t query_memory_bytes; /* limit of one query */
    uint32_t timeout_ms;         /* default deadline */
    uint64_t points_max;         /* of one SELECT: rows read, 0: no limit */
    uint64_t series_max;         /* series of each measurement */
    uint64_t buckets_max;        /* intervals */
    bool no_autogen;             /* CREATE DATABASE makes no policy unless it is told one */
    struct bbi_query_counters *counters;
    size_t (*more_stats)(void *arg, struct bb_stat *list, size_t max); /* NULL: none */
    void *more_stats_arg;
    /** What a destination was sent; NULL: nobody knows. */
    bool (*subscription_numbers)(void *arg, uint64_t id, size_t destination, uint64_t *points,
                                 uint64_t *failures);
    void *forward_arg;
    void *arg;
    /** Take a snapshot; the caller releases it with bbi_snapshot_release. */
    int (*snapshot)(void *arg, struct bbi_snapshot *out, struct bb_error *err);
    /** Make the catalog's changes durable: schema functions of the catalog were called before. */
    int (*schema_changed)(void *arg, struct bb_error *err);
    /** Delete the rows of these series in [tmin, tmax]; rp_id 0: in all policies. Durable and
     * invisible on return. */
    int (*delete_rows)(void *arg, uint32_t db_id, uint32_t rp_id, const roaring_bitmap_t *series,
                       int64_t tmin, int64_t tmax, struct bb_error *err);
    void (*stats)(void *arg, struct bb_stats *stats);
    /** Delete all rows of these series of a measurement (NULL: of all, those that come up to then
     * too), and their names. */
    int (*drop_series)(void *arg, uint32_t db_id, uint32_t mid, const roaring_bitmap_t *series,
                       struct bb_error *err);
    /** Drop the names of those of these series that have no row left, in any policy. check is
     * called at least every few ms; what it returns other than BB_OK ends the search, and the names
     * stay. */
    int (*forget_series)(void *arg, uint32_t db_id, uint32_t mid, const roaring_bitmap_t *series,
                         int (*check)(const void *check_arg, struct bb_error *err),
                         const void *check_arg, struct bb_error *err);
    /** Write lines of line protocol with times in ns; durable on return. policy NULL: the default
     * one. Lines that cannot be stored are an error; the others are stored nevertheless. */
    int (*write_lines)(void *arg, const char *database, const char *policy, const char *lines,
                       size_t length, struct bb_error *err);
};

/** As bb_query. */
int bbi_query_run(const struct bbi_query_env *env, const struct bb_query *query,
                  const struct bb_sink *sink, struct bb_error *err) BB_CHECKED;

#endif
