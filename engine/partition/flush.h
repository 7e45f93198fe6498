/**
 * Turning one space of a frozen memtable generation into segments.
 */
#ifndef BBI_PARTITION_FLUSH_H
#define BBI_PARTITION_FLUSH_H

#include "engine/partition/splitter.h"

/**
 * Write all rows of the space that no tombstone hides.
 *
 * job    its lsn_hi is what the generation reads up to; lsn_lo, level and reserve as they shall be
 * tombs  deletions up to lsn_hi are applied; NULL: none
 * out    out: to be finished by the caller
 */
int bbi_flush_space(const struct bbi_memspace *space, const struct bbi_split_job *job,
                    const struct bbi_tombset *tombs, struct bbi_splitter **out,
                    struct bb_error *err) BB_CHECKED;

#endif
