/**
 * A sketch of numbers for approximate percentiles: bounded memory, a proved error, and a state that
 * depends on the numbers alone, not on their order nor on how parts of them were merged.
 *
 * Numbers are counted in bins whose edges are powers of a base, one set of bins for each sign, so
 * that what stands for a bin is off by at most a fixed part of the number. When there are more than
 * BBI_SKETCH_BINS bins that hold something, neighbours are joined two by two: the base is squared,
 * the error doubled. Joining happens only if the numbers so far need it at this base, so any order
 * ends at the same base with the same counts.
 *
 * Source  bins and their error: Masson, Rim, Lee, "DDSketch" (VLDB 2019); joining all of them:
 *         Epicoco et al., "UDDSketch" (2020).
 */
#ifndef BBI_QUERY_SKETCH_H
#define BBI_QUERY_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

/** Bins that hold something, at most; so a sketch takes at most BBI_SKETCH_BYTES_MAX. */
#define BBI_SKETCH_BINS      2048
#define BBI_SKETCH_BYTES_MAX ((size_t)2 * BBI_SKETCH_BINS * (sizeof(int32_t) + sizeof(uint64_t)))

/** The natural logarithm of the base before any joining: an error of 0.0078 %. After six times it
 * is 0.01, an error of 0.5 %, and 2,048 bins span a factor of 7 * 10^8. */
#define BBI_SKETCH_LOG_BASE (0.01 / 64)

/** All zeros is the empty sketch, but for acct. */
struct bbi_sketch {
    struct bbi_account *acct;
    int32_t *keys;    /* [slot_count] hash table: twice the bin's number, plus 1 below zero */
    uint64_t *counts; /* [slot_count] 0: free */
    uint32_t slot_count;
    uint32_t bin_count;
    uint32_t level; /* how often bins were joined */
    uint64_t zeros;
    uint64_t infinite[2]; /* above and below zero */
    uint64_t count;       /* of all numbers */
    double min;           /* of all */
    double max;
};

void bbi_sketch_fini(struct bbi_sketch *s);

/** Forget all numbers; keeps memory. */
void bbi_sketch_reset(struct bbi_sketch *s);

/** Count a number; one that is not a number is passed over. BB_ENOMEM: it is not counted. */
int bbi_sketch_add(struct bbi_sketch *s, double value, struct bb_error *err) BB_CHECKED;

/** dst += src. BB_ENOMEM: dst is to be thrown away. */
int bbi_sketch_merge(struct bbi_sketch *dst, const struct bbi_sketch *src,
                     struct bb_error *err) BB_CHECKED;

/** The numbers at ranks[] (0: the least), rising, each < s->count: out[i] is off by at most
 * bbi_sketch_error of the number that stands there; the least and the largest are exact. */
int bbi_sketch_ranks(const struct bbi_sketch *s, const uint64_t *ranks, size_t count, double *out,
                     struct bb_error *err) BB_CHECKED;

/** How far off an answer is at most, as a part of it, rounding of the last digits aside. */
double bbi_sketch_error(const struct bbi_sketch *s);

/** The number at the rank that percentile() takes for so many of a hundred; the least or the
 * largest where that has none. Of an empty sketch 0. */
int bbi_sketch_percentile(const struct bbi_sketch *s, double percent, double *out,
                          struct bb_error *err) BB_CHECKED;

/** The median; of an even count the mean of the two in the middle. Of an empty sketch 0. */
int bbi_sketch_median(const struct bbi_sketch *s, double *out, struct bb_error *err) BB_CHECKED;

#endif
