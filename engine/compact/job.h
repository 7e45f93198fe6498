/**
 * Merging segments into fewer: the newest value of each (series, time, field), without what has
 * been deleted.
 */
#ifndef BBI_COMPACT_JOB_H
#define BBI_COMPACT_JOB_H

#include <stdatomic.h>

#include "engine/partition/splitter.h"
#include "engine/partition/version.h"

/**
 * Merge inputs[count] (segments of one policy by lsn_hi, contiguous in the log where they overlap)
 * into new files.
 *
 * job      identity of the outputs; reserve_bytes is claimed before anything is written
 * tombs    deletions up to lsn are applied
 * stopping not 0: give up with BB_ECANCELED
 * out      out: finished; metas are its, and the caller destroys it
 * Returns BB_OK; BB_ENOSPC (nothing is left behind), BB_ECORRUPT names the input, BB_EIO,
 * BB_ENOMEM.
 */
int bbi_compact_run(const struct bbi_live_segment *const *inputs, size_t count,
                    const struct bbi_split_job *job, const struct bbi_tombset *tombs, uint64_t lsn,
                    const _Atomic int *stopping, struct bbi_splitter **out,
                    const struct bbi_segment_meta **metas, size_t *meta_count,
                    struct bb_error *err) BB_CHECKED;

#endif
