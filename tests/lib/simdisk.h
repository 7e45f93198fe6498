/**
 * A disk in memory, behind the engine's file operations, that loses power, tears writes, fails and
 * fills up.
 *
 * What it promises is what a disk promises and no more. Writes are durable after bbi_file_sync;
 * until then a power cut leaves any subset of them, each torn at 512-byte sectors, and lengths that
 * fit or not. Names (create, rename, unlink, mkdir) are durable after bbi_fs_sync_dir of their
 * directory; until then a cut leaves a prefix of the directory's operations. A rename between
 * directories may leave both names, never none. A sync that fails has lost what it should have
 * written: some of it is durable, the rest never will be, though reads still show it.
 *
 * A file that a library writes by itself (LMDB's) lives in a real temporary directory. It is
 * remembered at each bbi_fs_external_end that reports success; its name is durable like any other.
 * After a cut it is as at the last such end; or, if the cut fell between begin and end, the old or
 * the new state or the old one with some sectors of new pages in it (LMDB's two meta pages, which
 * it writes last, stay old). It can be opened to be read, not to be written.
 *
 * Operations that change the disk are counted: open when it creates or empties, lock when it
 * creates, write, truncate, reserve, sync, rename, unlink, mkdir that creates, sync_dir, and
 * external_end. BUSBAR_SIMDISK_TRACE in the environment prints them to standard error.
 *
 * Thread  thread-safe; create, reboot and destroy while no other thread uses the disk.
 */
#ifndef TESTS_LIB_SIMDISK_H
#define TESTS_LIB_SIMDISK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/fs/fs.h"

#define SIMDISK_SECTOR 512

/** Kinds of operations, for simdisk_fail_op. */
enum simdisk_op {
    SIMDISK_OPEN = 1, /* and lock */
    SIMDISK_WRITE = 2,
    SIMDISK_TRUNCATE = 4,
    SIMDISK_RESERVE = 8,
    SIMDISK_SYNC = 16,
    SIMDISK_RENAME = 32,
    SIMDISK_UNLINK = 64,
    SIMDISK_MKDIR = 128,
    SIMDISK_SYNC_DIR = 256,
    SIMDISK_EXTERNAL = 512, /* external_begin fails, so that nothing is committed */
    SIMDISK_READ = 1024,    /* read, size, stat and list; an open that changes nothing */
    SIMDISK_CHANGES = 1023
};

struct simdisk;

/** An empty disk with the directory "/". The seed decides what failed syncs leave. */
struct simdisk *simdisk_create(uint64_t seed);

/** All files must be closed. */
void simdisk_destroy(struct simdisk **disk);

/** The file system to hand to the engine; lives as long as the disk. */
const struct bbi_fs *simdisk_fs(struct simdisk *disk);

/** Changing operations since creation. */
uint64_t simdisk_op_count(struct simdisk *disk);

/** The n-th changing operation from now on (1 = the next) meets a power cut: it may or may not
 * reach the disk, reports BB_EIO, and so does every operation after it. 0: no cut. */
void simdisk_cut_at(struct simdisk *disk, uint64_t n);

/** Cut the power now. */
void simdisk_cut(struct simdisk *disk);

bool simdisk_is_dead(struct simdisk *disk);

/** Cut the power if it is still there, then come back with what such a disk may hold, as the seed
 * chooses. Files and locks that were open yield BB_EIO from now on, but must still be closed. Cuts
 * and faults that were set are off; the capacity stays. */
void simdisk_reboot(struct simdisk *disk, uint64_t seed);

/**
 * Let the n-th operation from now on (1 = the next) among those of these kinds fail with this code;
 * `forever`: and all of them after it. A failing write has written its first half, a failing sync
 * loses data, anything else has done nothing.
 *
 * ops        set of enum simdisk_op
 * path_part  only operations whose path contains this; NULL: any. Borrowed until changed.
 * n          0 takes the fault away
 */
void simdisk_fail_op(struct simdisk *disk, unsigned ops, const char *path_part, uint64_t n,
                     int code, bool forever);

/** How often a fault set by simdisk_fail_op has struck since it was set. */
uint64_t simdisk_fault_count(struct simdisk *disk);

/** Bytes of all files, without the external ones, at which the disk is full; 0: never. A write that
 * does not fit writes what fits. */
void simdisk_set_capacity(struct simdisk *disk, uint64_t bytes);
uint64_t simdisk_used(struct simdisk *disk);

/** Flip bits of a byte of a file, durably, as a failing medium does; a library's file must not be
 * open in it. False: no such byte. */
bool simdisk_corrupt(struct simdisk *disk, const char *path, uint64_t offset, uint8_t mask);

#endif
