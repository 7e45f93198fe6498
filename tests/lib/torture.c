#include "tests/lib/torture.h"

#include "engine/base/mem.h"
#include "tests/lib/unit.h"

uint64_t torture_memory(int (*run)(void *arg, struct bb_error *err), void *arg)
{
    uint64_t used = bbi_account_server()->used_bytes;
    for (uint64_t n = 1;; n++) {
        struct bb_error err;
        bbi_mem_fail_at(n);
        int rc = run(arg, &err);
        bool met = bbi_mem_requests() >= n;
        bbi_mem_fail_at(0);
        if (rc != BB_OK && (!met || rc != BB_ENOMEM)) {
            fail_msg("allocation %llu: code %d: %s", (unsigned long long)n, rc, err.text);
        }
        if (bbi_account_server()->used_bytes != used) {
            fail_msg("allocation %llu: memory is lost", (unsigned long long)n);
        }
        if (!met) {
            return n - 1;
        }
    }
}

static struct simdisk *prepared_disk(const struct torture *t, uint64_t seed)
{
    struct simdisk *disk = simdisk_create(seed);
    if (t->prepare != NULL) {
        t->prepare(t->arg, disk);
    }
    return disk;
}

uint64_t torture_faults(const struct torture *t, unsigned ops, int code)
{
    uint64_t runs = 0;
    for (int forever = 0; forever < 2; forever++) {
        bool met = true;
        for (uint64_t n = 1; met; n++) {
            struct simdisk *disk = prepared_disk(t, n);
            struct bb_error err;
            simdisk_fail_op(disk, ops, NULL, n, code, forever != 0);
            int rc = t->run(t->arg, disk, &err);
            met = simdisk_fault_count(disk) != 0;
            if (!met && rc != BB_OK) {
                fail_msg("without a fault: code %d: %s", rc, err.text);
            }
            simdisk_fail_op(disk, 0, NULL, 0, 0, false);
            if (met) {
                runs++;
                t->check(t->arg, disk, rc);
            }
            simdisk_destroy(&disk);
        }
    }
    return runs;
}

uint64_t torture_cuts(const struct torture *t, uint64_t seed, unsigned reboots)
{
    uint64_t runs = 0;
    bool met = true;
    for (uint64_t n = 1; met; n++) {
        for (unsigned k = 0; k < reboots; k++) {
            struct simdisk *disk = prepared_disk(t, seed + k);
            struct bb_error err;
            simdisk_cut_at(disk, n);
            int rc = t->run(t->arg, disk, &err);
            met = simdisk_is_dead(disk);
            if (!met && rc != BB_OK) {
                fail_msg("without a cut: code %d: %s", rc, err.text);
            }
            simdisk_reboot(disk, seed + k);
            t->check(t->arg, disk, rc);
            simdisk_destroy(&disk);
            runs++;
        }
    }
    return runs;
}
