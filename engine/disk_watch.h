/**
 * How full the disk is, for the write path: writes stop while there is still room for what frees
 * space, which is flushing the memtable (the log goes then), compaction and deletions.
 *
 * Thread  the caller's lock.
 */
#ifndef BBI_DISK_WATCH_H
#define BBI_DISK_WATCH_H

#include "engine/fs/fs.h"

struct bbi_disk_watch {
    uint64_t option_bytes;  /* 0: by the size of the disk */
    uint64_t reserve_bytes; /* to be left free */
    uint64_t free_bytes;    /* at the last look, less what was written since */
    uint64_t bytes_since;   /* written since then */
    int64_t looked_ns;      /* of the monotonic clock; 0: never */
};

/** What a flush of a memtable may take at most. */
uint64_t bbi_disk_flush_bytes(uint64_t memtable_bytes);

/** Account for `bytes` that are about to be written, and look at the disk if it is time to. */
int bbi_disk_watch_look(struct bbi_disk_watch *w, const struct bbi_fs *fs, const char *dir,
                        uint64_t bytes, struct bb_error *err) BB_CHECKED;

/** Whether a flush of memtable_bytes should begin. */
bool bbi_disk_watch_is_low(const struct bbi_disk_watch *w, uint64_t memtable_bytes);

/** Whether claiming space ahead may take what is to be kept. */
bool bbi_disk_watch_is_tight(const struct bbi_disk_watch *w, uint64_t memtable_bytes);

/** BB_ENOSPC if the free space is needed for flushing memtable_bytes and for the reserve. */
int bbi_disk_watch_check(const struct bbi_disk_watch *w, uint64_t memtable_bytes,
                         struct bb_error *err) BB_CHECKED;

#endif
