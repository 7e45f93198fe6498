#include "engine/disk_watch.h"

#include "engine/base/clock.h"

#define LOOK_BYTES (UINT64_C(1) << 20)
#define LOOK_NS    INT64_C(100000000)

/* More than the log claims ahead. */
#define AHEAD_BYTES (UINT64_C(32) << 20)

#define RESERVE_MAX (UINT64_C(256) << 20)
#define RESERVE_MIN (UINT64_C(8) << 20)

/* A flush is begun early only where it gives back something worth its work; less must do when
 * writes are refused already. */
#define FLUSH_WORTH (UINT64_C(8) << 20)
#define FLUSH_LEAST (UINT64_C(64) << 10)

/* A row takes its time and 8 bytes a field in memory; in a segment, values that do not compress at
 * all take a little over 8: three quarters are more than enough for rows of several fields, and
 * about what rows of one field take. */
uint64_t bbi_disk_flush_bytes(uint64_t memtable_bytes)
{
    return memtable_bytes - memtable_bytes / 4;
}

static uint64_t default_reserve(uint64_t total_bytes)
{
    uint64_t part = total_bytes / 64;
    uint64_t least = total_bytes / 8 < RESERVE_MIN ? total_bytes / 8 : RESERVE_MIN;
    part = part > RESERVE_MAX ? RESERVE_MAX : part;
    return part < least ? least : part;
}

int bbi_disk_watch_look(struct bbi_disk_watch *w, const struct bbi_fs *fs, const char *dir,
                        uint64_t bytes, struct bb_error *err)
{
    int64_t now_ns = bbi_clock_mono_ns();
    w->bytes_since += bytes;
    w->free_bytes -= bytes < w->free_bytes ? bytes : w->free_bytes;
    if (w->looked_ns != 0 && w->bytes_since < LOOK_BYTES && now_ns - w->looked_ns < LOOK_NS) {
        return BB_OK;
    }
    struct bbi_fs_space space;
    int rc = bbi_fs_space(fs, dir, &space, err);
    if (rc != BB_OK) {
        return rc;
    }
    w->looked_ns = now_ns;
    w->bytes_since = 0;
    w->reserve_bytes = w->option_bytes != 0 ? w->option_bytes : default_reserve(space.total_bytes);
    w->free_bytes = space.free_bytes > bytes ? space.free_bytes - bytes : 0;
    return BB_OK;
}

bool bbi_disk_watch_is_tight(const struct bbi_disk_watch *w, uint64_t memtable_bytes)
{
    return w->free_bytes < w->reserve_bytes + bbi_disk_flush_bytes(memtable_bytes) + AHEAD_BYTES;
}

bool bbi_disk_watch_is_low(const struct bbi_disk_watch *w, uint64_t memtable_bytes)
{
    uint64_t need = bbi_disk_flush_bytes(memtable_bytes);
    return (memtable_bytes >= FLUSH_WORTH && w->free_bytes < w->reserve_bytes + 2 * need) ||
           (memtable_bytes >= FLUSH_LEAST && w->free_bytes < w->reserve_bytes + need);
}

int bbi_disk_watch_check(const struct bbi_disk_watch *w, uint64_t memtable_bytes,
                         struct bb_error *err)
{
    uint64_t kept = w->reserve_bytes + bbi_disk_flush_bytes(memtable_bytes);
    if (w->free_bytes >= kept) {
        return BB_OK;
    }
    return bbi_error_set(err, BB_ENOSPC,
                         "no space left on device: %llu MiB free, %llu MiB kept for flushes and "
                         "deletions",
                         (unsigned long long)(w->free_bytes >> 20),
                         (unsigned long long)(kept >> 20));
}
