/**
 * What a query sees: the live segments, the deletions, the memtables and the log position up to
 * which it reads.
 *
 * A version is an immutable, counted list of segments; a flush or a compaction makes a new one. So
 * is a set of tombstones. A snapshot holds one reference on each and on the memtable generations,
 * and is taken in one step by whoever owns them (engine/db.c), so that it never misses or doubles a
 * reading that moves from memory to disk.
 */
#ifndef BBI_PARTITION_VERSION_H
#define BBI_PARTITION_VERSION_H

#include <stdatomic.h>

#include "engine/base/mem.h"
#include "engine/base/meta.h"
#include "engine/memtable/memtable.h"
#include "engine/partition/span.h"
#include "engine/segment/segment.h"

/** A segment of a version: its description and the open file. */
struct bbi_live_segment {
    struct bbi_segment_meta meta;
    struct bbi_segment *segment; /* one reference */
    _Atomic bool left_alone;     /* a compaction met a fault in it: not to be merged again */
    bool quarantined;            /* unreadable: kept only so that queries can say what is missing */
};

struct bbi_version {
    _Atomic uint32_t refs;
    size_t count;
    struct bbi_live_segment segments[]; /* by (db_id, rp_id, lsn_hi, id) */
};

/** A new version: `base` (may be NULL) without the ids in removed[], with added[] (each gets a
 * reference of its own). */
int bbi_version_create(struct bbi_account *acct, const struct bbi_version *base,
                       const struct bbi_live_segment *added, size_t added_count,
                       const uint64_t *removed, size_t removed_count, struct bbi_version **out,
                       struct bb_error *err) BB_CHECKED;
struct bbi_version *bbi_version_ref(struct bbi_version *version);
/** Drop a reference; NULLs *version. */
void bbi_version_unref(struct bbi_version **version);

/** Note that a segment is not to be merged again. The caller keeps others from reading left_alone
 * meanwhile, or does not mind: it only spares work. */
void bbi_version_leave_alone(struct bbi_version *version, uint64_t id);

/** The segments of one policy: first index and count. */
void bbi_version_range(const struct bbi_version *version, uint32_t db_id, uint32_t rp_id,
                       size_t *first, size_t *count);

/** A tombstone counted by the sets that hold it. */
struct bbi_tomb {
    _Atomic uint32_t refs;
    uint32_t series_min;
    uint32_t series_max;
    struct bbi_tombstone t;
};

/** An immutable, counted list of tombstones, in the order of their LSN. */
struct bbi_tombset {
    _Atomic uint32_t refs;
    size_t count;
    struct bbi_tomb *tombs[]; /* [count] */
};

/**
 * base (may be NULL) without those of removed_lsns[], plus `added` (may be NULL).
 *
 * added  its LSN is higher than all of base's; on success its series bitmap is taken over and the
 * pointer in *added nulled
 */
int bbi_tombset_create(struct bbi_account *acct, const struct bbi_tombset *base,
                       struct bbi_tombstone *added, const uint64_t *removed_lsns,
                       size_t removed_count, struct bbi_tombset **out,
                       struct bb_error *err) BB_CHECKED;
struct bbi_tombset *bbi_tombset_ref(struct bbi_tombset *set);
void bbi_tombset_unref(struct bbi_tombset **set);

/** At most this many memtable generations live at a time: the one written to and the one being
 * flushed. */
#define BBI_SNAPSHOT_MEMTABLES 2

struct bbi_snapshot {
    uint64_t lsn; /* rows and tombstones above are not there yet */
    size_t memtable_count;
    struct bbi_memtable *memtables[BBI_SNAPSHOT_MEMTABLES]; /* older first */
    struct bbi_version *version;
    struct bbi_tombset *tombs;
};

/** Drop all references. */
void bbi_snapshot_release(struct bbi_snapshot *snapshot);

/**
 * Whether a cell is deleted: some tombstone up to snapshot_lsn, newer than cell_lsn, covers series
 * and time.
 *
 * cell_lsn a memtable row's LSN, or its segment's tombs_lsn
 */
bool bbi_tombset_hides(const struct bbi_tombset *set, uint64_t snapshot_lsn, uint32_t db_id,
                       uint32_t rp_id, uint32_t series_id, int64_t time_ns, uint64_t cell_lsn);

/** Whether some tombstone up to snapshot_lsn and newer than lsn touches the series in [tmin, tmax]:
 * the guard of shortcuts. */
bool bbi_tombset_touches(const struct bbi_tombset *set, uint64_t snapshot_lsn, uint32_t db_id,
                         uint32_t rp_id, uint32_t series_id, int64_t tmin, int64_t tmax,
                         uint64_t lsn);

/** As bbi_tombset_touches for any series in [series_min, series_max]. */
bool bbi_tombset_touches_range(const struct bbi_tombset *set, uint64_t snapshot_lsn, uint32_t db_id,
                               uint32_t rp_id, uint32_t series_min, uint32_t series_max,
                               int64_t tmin, int64_t tmax, uint64_t lsn);

#endif
