/**
 * A catalog on a simulated disk, for tests: series written as "m,k=v,k=v", answers as text.
 *
 * Failures of set-up end the test (cmocka). The log is an array of frames: pending records go there
 * and come back when the catalog is opened again.
 */
#ifndef TESTS_CATALOG_UTIL_H
#define TESTS_CATALOG_UTIL_H

#include "engine/base/hash.h"
#include "engine/catalog/catalog.h"
#include "tests/lib/simdisk.h"

#define CAT_DIR   "/data"
#define CAT_LOG   CAT_DIR "/catalog.log"
#define CAT_INDEX CAT_DIR "/catalog.mdb"

struct cat {
    struct simdisk *disk;
    struct bbi_catalog *catalog; /* NULL: closed */
    struct bbi_catalog_state state;
    struct bbi_segment_meta files[64]; /* what listing the segment files tells */
    size_t file_count;
    struct bbi_buf wal;
    size_t frame_ends[4096]; /* a frame's lsn is its index + 1 */
    uint64_t frame_count;
};

/** A disk with an empty directory; nothing open. */
void cat_init(struct cat *c, uint64_t seed);
void cat_fini(struct cat *c);

/** Open without replaying. */
int cat_try_open(struct cat *c, struct bb_error *err);
/** Open and replay the frames behind the checkpoint. */
void cat_open(struct cat *c);
void cat_close(struct cat *c);
/** Close and open. */
void cat_reopen(struct cat *c);
/** The power goes, and comes back. */
void cat_cut(struct cat *c, uint64_t seed);

/** All pending records into one frame. */
void cat_log(struct cat *c);

/** cat_log, rotate, commit with this lsn as checkpoint. */
void cat_flush(struct cat *c);

uint32_t cat_create_db(struct cat *c, const char *name);

/** Resolve "m,k=v"; the id. */
uint32_t cat_series(struct cat *c, uint32_t db_id, const char *text);

/** Canonical key of "m,k=v" appended. */
void cat_key(const char *text, struct bbi_buf *key);

/** The id of a measurement that is there. */
uint32_t cat_mid(struct cat *c, uint32_t db_id, const char *name);

/** Everything the catalog can tell of its databases, as text; the same state gives the same text.
 * */
void cat_dump(struct cat *c, struct bbi_buf *out);

/** Check that it tells the same now, from the log, and from each of the catalog's files alone. */
void cat_everywhere(struct cat *c, void (*expect)(struct cat *c, const char *text),
                    const char *text);

/** Whether the file is there; take it away. */
bool cat_exists(struct cat *c, const char *path);
void cat_remove(struct cat *c, const char *path);
uint64_t cat_size(struct cat *c, const char *path);

#endif
