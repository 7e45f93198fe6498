/**
 * Run a piece of work again and again while one allocation or one file operation fails, or the
 * power goes: the first, the second, ... until none is left to fail.
 *
 * Use inside a cmocka test: what must not be is an assertion that fails.
 */
#ifndef TESTS_LIB_TORTURE_H
#define TESTS_LIB_TORTURE_H

#include <stdint.h>

#include "engine/base/error.h"
#include "tests/lib/simdisk.h"

/**
 * Fail each allocation of run(arg) once. A run that meets the failure must return BB_OK or
 * BB_ENOMEM; afterwards the server's account must hold what it held before. Returns the number of
 * runs that met one.
 */
uint64_t torture_memory(int (*run)(void *arg, struct bb_error *err), void *arg);

/** A piece of work on a disk, for the functions below. */
struct torture {
    void (*prepare)(void *arg, struct simdisk *disk); /* not disturbed; may be NULL */
    int (*run)(void *arg, struct simdisk *disk, struct bb_error *err);

    /* After a disturbed run returned rc; the disk has been rebooted if the power went. */
    void (*check)(void *arg, struct simdisk *disk, int rc);
    void *arg;
};

/** Let each operation of these kinds (set of enum simdisk_op) fail with this code: once, then, on a
 * new disk, from there on. Returns the number of disturbed runs. */
uint64_t torture_faults(const struct torture *t, unsigned ops, int code);

/** Cut the power at each changing operation, and after the last; reboot with `reboots` seeds each
 * from seed on. Returns the number of runs. */
uint64_t torture_cuts(const struct torture *t, uint64_t seed, unsigned reboots);

#endif
