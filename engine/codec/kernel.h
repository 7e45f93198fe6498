/**
 * The kernel table: one set of functions per instruction set, chosen once.
 *
 * Private to engine/codec. All kernels give the same bits for the same input; they may read up to
 * BBI_CODEC_PAD bytes behind packed bytes and never write outside their output.
 */
#ifndef BBI_CODEC_KERNEL_H
#define BBI_CODEC_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "engine/codec/bitpack.h"

struct bbi_kernel_ops {
    /** As the functions of bitpack.h; n >= 1, width >= 1. */
    void (*unpack32)(const uint8_t *packed, size_t first, size_t n, unsigned width, uint32_t *out);
    void (*unpack64)(const uint8_t *packed, size_t first, size_t n, unsigned width, uint64_t *out);
    unsigned __int128 (*sum)(const uint8_t *packed, size_t first, size_t n, unsigned width);
    void (*minmax)(const uint8_t *packed, size_t first, size_t n, unsigned width, uint64_t *min,
                   uint64_t *max);
};

extern const struct bbi_kernel_ops bbi_kernel_c;

/** The kernel in use. */
const struct bbi_kernel_ops *bbi_kernel_get(void);

/** width ones; width 0..64. */
static inline uint64_t bbi_low_mask(unsigned width)
{
    return width == 0 ? 0 : UINT64_MAX >> (64 - width);
}

#endif
