/**
 * SELECT ... INTO: rows of a result become lines, which the engine writes as any others.
 */
#ifndef BBI_QUERY_INTO_H
#define BBI_QUERY_INTO_H

#include "engine/query/plan.h"

struct bbi_into {
    const struct bbi_plan *plan;
    const char *database;
    const char *policy;  /* NULL: the default one */
    const char *name;    /* NULL: that of the series */
    struct bb_sink sink; /* what the rows go to */
    struct bbi_buf key;  /* name and tags of the series, as in a line */
    struct bbi_buf lines;
    uint64_t line_count;
    uint64_t written;
    struct bb_error err; /* why the sink refused */
};

/** Check the target. Needs bbi_into_fini afterwards, also on an error. */
int bbi_into_init(struct bbi_into *into, const struct bbi_plan *plan,
                  struct bb_error *err) BB_CHECKED;
void bbi_into_fini(struct bbi_into *into);

/** Write what is left. rc, err: how the SELECT itself ended. */
int bbi_into_end(struct bbi_into *into, int rc, struct bb_error *err) BB_CHECKED;

#endif
