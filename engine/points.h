/**
 * From line protocol to a batch: parse, resolve series and fields, pass the stages.
 *
 * A builder is reused from batch to batch, so that steady writing allocates nothing. Lines are
 * parsed in place; a series that the cache knows costs one hash and one look-up, its tags are not
 * looked at. Thread  a builder belongs to one thread at a time.
 */
#ifndef BBI_POINTS_H
#define BBI_POINTS_H

#include "engine/base/arena.h"
#include "engine/base/batch.h"
#include "engine/base/buf.h"
#include "engine/catalog/catalog.h"
#include "engine/lineproto/lineproto.h"
#include "engine/series_cache.h"

_Static_assert(BBI_LP_KEY_MAX <= UINT16_MAX, "the length of a key fits bbi_line_ref");

/** The line that a point came from, for reports and subscribers; borrowed from the text. */
struct bbi_line_ref {
    const uint8_t *text;
    uint32_t length;
    uint16_t key_length; /* the text begins with its key, measurement and tags as written */
    bool has_time;       /* it ends with one */
    uint64_t number;
};

struct bbi_field_memo;

/** A series key seen ahead, and its hash. */
struct bbi_key_ahead {
    const uint8_t *key;
    size_t length;
    struct bbi_hash128 hash;
};

/** Which piece of a text is built, and what is left of it. */
struct bbi_piece {
    bool last;
    bool cutting;     /* in, out: inside a line that was refused for its length */
    uint64_t lines;   /* in, out: of the text before what comes next */
    size_t left_over; /* out: bytes at its end that finish no line; 0 if it is the last */
};

struct bbi_points {
    struct bbi_batch batch; /* points and cells point into what follows */
    size_t point_cap;
    size_t cell_cap;
    struct bbi_line_ref *lines; /* [point_count] */
    struct bbi_arena arena;     /* unescaped names and strings of this batch */
    struct bbi_arena key_arena; /* one series key at a time */
    struct bbi_field_memo *memo;
    struct bbi_lp_field *fields; /* [BBI_LP_FIELDS_MAX] */
    struct bbi_buf records;      /* extra records that stages put into the batch's frame */
    struct bbi_buf encoded;      /* the batch's own record */
    struct bbi_key_ahead ahead;
    struct bbi_account *acct;
    uint64_t epoch; /* of the series cache when the batch was resolved */
    bool is_stale;  /* series were dropped meanwhile: to be resolved again, not to be appended */
    int64_t deadline_ns; /* the writer's; of the monotonic clock */
    uint64_t rejected;
    bb_reject_fn reject;
    void *reject_arg;
    struct bbi_points *next; /* the owner's free list */
};

int bbi_points_create(struct bbi_account *acct, struct bbi_points **out,
                      struct bb_error *err) BB_CHECKED;
void bbi_points_destroy(struct bbi_points **points);

/**
 * Parse and resolve the lines of a write; bad ones are told to write->reject.
 *
 * piece  of the text that write->lines is; changed whatever is returned
 *
 * Returns BB_OK with the good points in points->batch, none perhaps; BB_ENOMEM, BB_EBUSY,
 * BB_ENOTFOUND, BB_EIO ...: the whole write fails.
 */
int bbi_points_build(struct bbi_points *points, struct bbi_catalog *catalog,
                     struct bbi_series_cache *cache, const struct bbi_rp *rp,
                     const struct bb_write *write, struct bbi_piece *piece,
                     struct bb_error *err) BB_CHECKED;

/**
 * Parse the lines of a write and do nothing with them; bad ones are told to write->reject.
 *
 * good  out: how many lines parse
 */
int bbi_points_scan(struct bbi_points *points, const struct bb_write *write,
                    struct bbi_piece *piece, uint64_t *good, struct bb_error *err) BB_CHECKED;

/** Memory that the builder keeps from batch to batch. */
size_t bbi_points_bytes(const struct bbi_points *points);

/** Say that a point is not to be stored, and why. The caller then drops it from the batch. */
void bbi_points_reject(struct bbi_points *points, size_t point, int code, const char *reason);

/** Move the cells together after points were dropped: the log takes them without gaps. */
void bbi_points_close_gaps(struct bbi_points *points);

#endif
