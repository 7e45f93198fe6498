/**
 * Reading segment files.
 *
 * An open segment is small: its meta and its path. bbi_segment_pin brings in what reading needs (an
 * open file, the page index), once, whoever asks first; between pin and unpin groups stay and pages
 * can be read. Both are kept for the next pin, but only in the BBI_SEGMENT_IDLE_MAX segments that
 * were unpinned last: thousands may stay open and take few file handles and little memory.
 *
 * Every page read goes to the disk (or the system's page cache) and is checked against its
 * checksum, which is bound to file and place.
 *
 * Errors  BB_ECORRUPT names file, offset and what is wrong; BB_EVERSION a format from the future.
 * Thread  all functions are thread-safe on one segment; pages have one owner each.
 * Source  docs/format/segment.md.
 */
#ifndef BBI_SEGMENT_SEGMENT_H
#define BBI_SEGMENT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/meta.h"
#include "engine/fs/fs.h"
#include "engine/segment/page.h"

struct bbi_segment;

/** Segments of the process that keep file and index while nobody has pinned them. */
#define BBI_SEGMENT_IDLE_MAX 256

/** What a field page's statistics are good for. */
enum bbi_segment_stats {
    BBI_STATS_MINMAX = 1,     /* min_bits and max_bits hold, over all values */
    BBI_STATS_SUM = 2,        /* sum holds and is exact */
    BBI_STATS_NON_FINITE = 4, /* a NaN or an infinity is there; MINMAX is off then */
};

/** One field page of a group. */
struct bbi_segment_field {
    uint32_t field_id;
    uint8_t type;         /* enum bbi_type */
    uint8_t stats;        /* enum bbi_segment_stats, or-ed */
    uint32_t value_count; /* rows that have a value; >= 1 */
    uint64_t min_bits;    /* in the order of the type; -0.0 may stand for 0.0 */
    uint64_t max_bits;
    __int128 sum;    /* BBI_FLOAT: units of 10^-9, else units */
    uint64_t offset; /* of the page in the file */
    uint32_t page_bytes;
};

/** One group: up to BBI_SEGMENT_GROUP_ROWS rows of one measurement. */
struct bbi_segment_group {
    uint32_t measurement_id;
    uint32_t series_min;
    uint32_t series_max;
    uint32_t chunk_count;
    uint32_t row_count;
    int64_t tmin;
    int64_t tmax;
    uint64_t offset; /* of the time page in the file */
    uint32_t page_bytes;
    uint32_t field_count;
    const struct bbi_segment_field *fields; /* [field_count] by rising field id */
};

/** out = dir/seg-<id>.bbs. BB_ELIMIT: too long. */
BB_CHECKED int bbi_segment_path(char out[BBI_FS_PATH_MAX], const char *dir, uint64_t id,
                                struct bb_error *err);

/** Whether a directory entry is a segment's name; yields its id. */
bool bbi_segment_parse_name(const char *name, uint64_t *id);

/** Whether a directory entry is an unfinished segment that a crash left behind. */
bool bbi_segment_is_tmp_name(const char *name);

/**
 * Open a segment with one reference, reading header and footer.
 *
 * acct    what the segment keeps in memory
 * Returns BB_OK; BB_ENOTFOUND, BB_EIO, BB_ENOMEM, BB_ECORRUPT, BB_EVERSION.
 */
BB_CHECKED int bbi_segment_open(const struct bbi_fs *fs, const char *path, struct bbi_account *acct,
                                struct bbi_segment **out, struct bb_error *err);

/** The meta from a file's footer, for rebuilding the set of segments from files. Errors as open. */
BB_CHECKED int bbi_segment_read_meta(const struct bbi_fs *fs, const char *path,
                                     struct bbi_segment_meta *meta, struct bb_error *err);

/** Read and check everything there is: every page's checksum and structure, the order of rows, the
 * index's statements about them. BB_ECORRUPT: the first fault. */
BB_CHECKED int bbi_segment_verify(struct bbi_segment *seg, struct bbi_account *acct,
                                  struct bb_error *err);

struct bbi_segment *bbi_segment_ref(struct bbi_segment *seg);

/** Give up a reference; the last one closes it, and unlinks the file if it was marked. Nulls *seg,
 * which may be NULL. */
void bbi_segment_unref(struct bbi_segment **seg);

/** Mark the file for removal when the last reference goes: another segment has replaced it. */
void bbi_segment_drop(struct bbi_segment *seg);

/** Never changes; valid as long as the caller's reference. */
const struct bbi_segment_meta *bbi_segment_get_meta(const struct bbi_segment *seg);
const char *bbi_segment_get_path(const struct bbi_segment *seg);

/** Bring in file and index. BB_EIO, BB_ECORRUPT, BB_ENOMEM: nothing is pinned. */
BB_CHECKED int bbi_segment_pin(struct bbi_segment *seg, struct bb_error *err);
void bbi_segment_unpin(struct bbi_segment *seg);

/** Drop index and file handle now, unless someone has pinned them. False: someone has. */
bool bbi_segment_trim(struct bbi_segment *seg);

/** Tests: another maximum than BBI_SEGMENT_IDLE_MAX. */
void bbi_segment_set_idle_max(size_t most);

/** The groups by rising (measurement, series, time); the segment is pinned, and the result is good
 * until unpin. */
const struct bbi_segment_group *bbi_segment_groups(const struct bbi_segment *seg, size_t *count);

/** The groups [*first, *end) that may hold series of [series_min, series_max] of a measurement;
 * pinned. */
void bbi_segment_find(const struct bbi_segment *seg, uint32_t measurement_id, uint32_t series_min,
                      uint32_t series_max, size_t *first, size_t *end);

/** Index of a field in group->fields, or SIZE_MAX. */
size_t bbi_segment_find_field(const struct bbi_segment_group *group, uint32_t field_id);

/** Fill a page with the times of a group; pinned. BB_EIO, BB_ECORRUPT, BB_ENOMEM: the page is empty
 * then. */
BB_CHECKED int bbi_segment_read_time(const struct bbi_segment *seg, size_t group,
                                     struct bbi_timepage *tp, struct bb_error *err);

/**
 * Fill a page with the values of a field of a group; pinned.
 *
 * field   index into the group's fields
 * tp      the times of the same group; needed only during the call
 * Errors as above.
 */
BB_CHECKED int bbi_segment_read_field(const struct bbi_segment *seg, size_t group, size_t field,
                                      const struct bbi_timepage *tp, struct bbi_fieldpage *fp,
                                      struct bb_error *err);

#endif
