/**
 * What FROM names: measurements, by name or pattern, of databases and policies.
 */
#ifndef BBI_QUERY_SOURCES_H
#define BBI_QUERY_SOURCES_H

#include "engine/influxql/ast.h"
#include "engine/query/context.h"

struct bbi_measurement {
    uint32_t db_id;
    uint32_t id;
    const char *name; /* in the statement's arena */
    struct bbi_rp rp;
    size_t source; /* of FROM, which it is of */
    /* presence.h: what of it lies where the query looks */
    bool is_looked_up;
    bool has_shard;   /* some row of some measurement does */
    bool has_all;     /* all of its fields do */
    uint32_t *fields; /* [field_count] ascending: else those that do */
    size_t field_count;
};

struct bbi_measurements {
    struct bbi_measurement *list; /* by name, then as in FROM */
    size_t count;
};

/**
 * The measurements that the sources name and that exist, with the policy they are read from; one
 * that is named twice is there twice. Subqueries are left out.
 *
 * Returns BB_EINVAL "database name required"; BB_ENOTFOUND for a database or a policy that is not
 * there; BB_EPARSE for a bad pattern.
 */
int bbi_sources_resolve(struct bbi_qctx *ctx, const struct bbi_ql_source *sources, size_t count,
                        struct bbi_measurements *out, struct bb_error *err) BB_CHECKED;

/** Sorted, none twice in one policy. */
void bbi_sources_unique(struct bbi_measurements *m);

/** The measurements of one database that the sources of a SHOW or DELETE name, none twice; no
 * sources: all. rp is not set. */
int bbi_sources_list(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_source *sources,
                     size_t count, struct bbi_measurements *out, struct bb_error *err) BB_CHECKED;

#endif
