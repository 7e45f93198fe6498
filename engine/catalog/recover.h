/**
 * Bringing catalog.log and catalog.mdb together when the catalog is opened.
 */
#ifndef BBI_CATALOG_RECOVER_H
#define BBI_CATALOG_RECOVER_H

#include "engine/catalog/internal.h"

struct bbi_recovery {
    struct bbi_catalog *cat;
    uint64_t map_bytes;
    struct bbi_buf messages; /* a line each */
    struct bbi_catlog_scan scan;
    uint64_t from;          /* frames of the log from here on are not in LMDB */
    bool index_was_broken;  /* it was put into quarantine */
    bool is_fresh;          /* there was nothing in either */
    bool rebuilt;           /* LMDB was made anew from the log */
    bool log_is_bad;        /* to be written anew from LMDB */
    bool lost;              /* something is in neither of them */
    struct bbi_buf removed; /* ids u64 of segments that the replayed frames removed */
    uint64_t passed_over;   /* records that contradicted what was known */
    uint64_t next_segment_id;
};

void bbi_recovery_init(struct bbi_recovery *r, struct bbi_catalog *cat);
void bbi_recovery_fini(struct bbi_recovery *r);

/** Open both, decide which is to be believed, and make LMDB hold all that is known; the schema is
 * loaded then. */
int bbi_recover(struct bbi_recovery *r, struct bb_error *err) BB_CHECKED;

/** Where something was lost: set the live segments right by the files on disk. Files of segments
 * beside a catalog that looks new mean that one was lost. */
int bbi_recover_segments(struct bbi_recovery *r, bbi_catalog_list_segments_fn list, void *arg,
                         struct bb_error *err) BB_CHECKED;

/** Bring what the active overlay gathered to LMDB. */
int bbi_recover_flush(struct bbi_recovery *r, struct bb_error *err) BB_CHECKED;

/** Fill the caller's state from LMDB; the messages move into it. */
int bbi_recover_state(struct bbi_recovery *r, struct bbi_catalog_state *state,
                      struct bb_error *err) BB_CHECKED;

#endif
