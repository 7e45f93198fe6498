/**
 * Which series have lost their last row, so that their names can go.
 *
 * The search goes over the series' chunks in all segments and over their rows in memory, on a
 * snapshot; where the times of chunks and deletions do not say enough, it reads the rows. Before
 * names go, those are taken out of its answer that got rows since the snapshot.
 */
#ifndef BBI_FORGET_H
#define BBI_FORGET_H

#include "engine/db_impl.h"

struct bbi_forget {
    uint32_t db_id;
    uint32_t mid;
    const roaring_bitmap_t *candidates;                  /* series of the measurement; borrowed */
    int (*check)(const void *arg, struct bb_error *err); /* not BB_OK: end */
    const void *check_arg;

    roaring_bitmap_t *left; /* out: those without rows */

    /* The rest is private. */
    roaring_bitmap_t *unclear; /* of left, those whose rows must be read */
    struct bbi_snapshot snapshot;
    bool *covers; /* [snapshot.tombs->count] whether the deletion is of all candidates */
    struct bbi_account *acct;
};

/** Fill left. What check returned, BB_ENOMEM, BB_EIO, BB_ECORRUPT. */
int bbi_forget_search(struct bbi_forget *f, struct bb_db *db, struct bb_error *err) BB_CHECKED;

/** Take out of left what got rows since the search. False: a flush has taken such rows out of
 * memory, search again. The caller holds the write lock. */
bool bbi_forget_recheck(struct bbi_forget *f, struct bb_db *db);

/** After a search, failed or not, and after none. */
void bbi_forget_fini(struct bbi_forget *f);

#endif
