/**
 * Sources of one series' rows: a cursor that goes forward through a segment, and a memtable's rows.
 *
 * Both present a series as pieces in time order: a chunk of a segment, or all that the memtable
 * has. A cursor keeps the pages of one group loaded, so that series asked for by rising
 * (measurement, series) read each page once. Thread  one owner at a time.
 */
#ifndef BBI_PARTITION_SOURCE_H
#define BBI_PARTITION_SOURCE_H

#include "engine/base/mem.h"
#include "engine/memtable/memtable.h"
#include "engine/segment/segment.h"

/** A loaded field page, or the place for one. */
struct bbi_fieldslot {
    uint32_t field_id;
    uint8_t type;
    bool loaded;  /* page holds this field of the current group */
    size_t index; /* among the group's fields */
    struct bbi_fieldpage page;
};

struct bbi_segcursor {
    struct bbi_segment *seg; /* pinned and referenced while the cursor is open */
    const struct bbi_segment_group *groups;
    size_t group_count;
    struct bbi_account *acct;
    const uint32_t *fields; /* [field_count] ascending: only these; NULL: all */
    size_t field_count;
    size_t group; /* whose pages are loaded; SIZE_MAX: none */
    struct bbi_timepage time;
    struct bbi_fieldslot *slots; /* [slot_count] fields of the current group, by rising id */
    size_t slot_count;
    size_t slot_cap;
    uint64_t pages_read;
    /* where the series stands */
    uint32_t measurement_id;
    uint32_t series_id;
    size_t chunk; /* current piece: a chunk of the current group */
    bool at_end;
};

/**
 * Open a cursor on a segment, taking a reference and a pin.
 *
 * fields  [field_count] ascending field ids that are wanted, borrowed; NULL: all
 */
int bbi_segcursor_open(struct bbi_segcursor *c, struct bbi_segment *seg, const uint32_t *fields,
                       size_t field_count, struct bbi_account *acct,
                       struct bb_error *err) BB_CHECKED;
/** Also for one that was zeroed and never opened. */
void bbi_segcursor_close(struct bbi_segcursor *c);

/** Go to the first piece of a series; c->at_end if there is none. */
int bbi_segcursor_seek(struct bbi_segcursor *c, uint32_t measurement_id, uint32_t series_id,
                       struct bb_error *err) BB_CHECKED;

/** Go to the series' next piece. */
int bbi_segcursor_next(struct bbi_segcursor *c, struct bb_error *err) BB_CHECKED;

/** Go to the first series at or behind (measurement_id, series_id) that the segment has: for
 * walking all of it. False in *found: none. */
int bbi_segcursor_find(struct bbi_segcursor *c, uint32_t measurement_id, uint32_t series_id,
                       bool *found, uint32_t *found_measurement, uint32_t *found_series,
                       struct bb_error *err) BB_CHECKED;

/** Times and rows of the current piece. */
static inline int64_t bbi_segcursor_tmin(const struct bbi_segcursor *c)
{
    return c->time.tmin[c->chunk];
}

static inline int64_t bbi_segcursor_tmax(const struct bbi_segcursor *c)
{
    return c->time.tmax[c->chunk];
}

static inline size_t bbi_segcursor_rows(const struct bbi_segcursor *c)
{
    return c->time.rows[c->chunk];
}

/** Load the page of slots[i] for the current group; nothing to do if it is. */
int bbi_segcursor_load(struct bbi_segcursor *c, size_t slot, struct bb_error *err) BB_CHECKED;

#endif
