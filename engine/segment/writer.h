/**
 * Writing one segment: rows go in by (measurement, series, time), a finished file comes out.
 *
 * Rows are cut into chunks of up to BBI_SEGMENT_CHUNK_ROWS of one series, chunks gathered into
 * groups, and a group's pages written when it is full; memory is one group's packed pages and a
 * write buffer, whatever the size of the segment. The file grows as tmp-<id>.bbs; finish syncs it
 * and renames it, so that a name seg-<id>.bbs always stands for a whole file.
 *
 * Thread  one owner at a time. Source  docs/format/segment.md.
 */
#ifndef BBI_SEGMENT_WRITER_H
#define BBI_SEGMENT_WRITER_H

#include "engine/base/batch.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/meta.h"
#include "engine/codec/strings.h"
#include "engine/fs/fs.h"

struct bbi_segment_writer;

/** Values of one field for the rows of one call. */
struct bbi_column {
    uint32_t field_id;
    uint8_t type;                  /* enum bbi_type; one field id has one type */
    const uint64_t *bits;          /* [rows] by row; those of absent rows are ignored */
    const struct bbi_string *strs; /* [rows] instead, for BBI_STRING */
    const uint64_t *valid;         /* bit r%64 of word r/64: row r has a value; NULL: all have */
};

/**
 * Start dir/tmp-<id>.bbs.
 *
 * identity  id, db_id, rp_id, lsn_lo, lsn_hi, tombs_lsn, span_*, job_*, level; the rest is ignored
 * acct      all memory of the writer
 * Returns BB_OK; BB_ENOMEM, BB_ENOSPC, BB_EIO; BB_EEXIST (such a temporary file is there).
 */
BB_CHECKED int bbi_segment_writer_create(const struct bbi_fs *fs, const char *dir,
                                         const struct bbi_segment_meta *identity,
                                         struct bbi_account *acct, struct bbi_segment_writer **out,
                                         struct bb_error *err);

/** Claim disk space for a file of this many bytes, so that writing it cannot meet a full disk;
 * finish gives back what was not needed. BB_ENOSPC: the writer stays usable. */
BB_CHECKED int bbi_segment_writer_reserve(struct bbi_segment_writer *w, uint64_t bytes,
                                          struct bb_error *err);

/**
 * Add rows of one series.
 *
 * series are added by rising (measurement_id, series_id); one series may come in several calls,
 * each with later times than the one before. Everything is copied.
 *
 * times    [rows] rising strictly
 * columns  [column_count] by rising field_id; a field that is not among them has no value in these
 *          rows. A row without any value is stored nevertheless.
 * Returns BB_OK; BB_EINVAL (order, type; a type that differs from that field's earlier one);
 * BB_ELIMIT (a string too long); BB_ENOMEM, BB_ENOSPC, BB_EIO. After an error only destroy is
 * allowed.
 */
BB_CHECKED int bbi_segment_writer_add(struct bbi_segment_writer *w, uint32_t measurement_id,
                                      uint32_t series_id, const int64_t *times, size_t rows,
                                      const struct bbi_column *columns, size_t column_count,
                                      struct bb_error *err);

/** Bytes of the file if it were finished now, estimated from above by what is packed already: for
 * deciding when to begin the next file. */
uint64_t bbi_segment_writer_bytes(const struct bbi_segment_writer *w);

/** Rows added so far. */
uint64_t bbi_segment_writer_rows(const struct bbi_segment_writer *w);

/** Say what is known only at the end: the partitions that the rows lie in, and which file of how
 * many the job wrote this is. Before finish. */
void bbi_segment_writer_set_place(struct bbi_segment_writer *w, int64_t span_t0, int64_t span_t1,
                                  uint32_t job_part, uint32_t job_parts);

/**
 * Write index and footer, sync, rename to dir/seg-<id>.bbs, sync dir. A segment without rows is
 * allowed: its tmin > tmax and series_min > series_max.
 *
 * meta    out: complete
 * Returns BB_OK (only destroy is left to call); on an error the file may exist under either name:
 * destroy removes the temporary one, and the caller must treat the id as spent.
 */
BB_CHECKED int bbi_segment_writer_finish(struct bbi_segment_writer *w,
                                         struct bbi_segment_meta *meta, struct bb_error *err);

/** Free it; without a successful finish the temporary file is removed. Nulls *w, which may be NULL.
 */
void bbi_segment_writer_destroy(struct bbi_segment_writer **w);

#endif
