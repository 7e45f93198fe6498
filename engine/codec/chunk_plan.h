/**
 * Which coding makes residuals smallest: prices from a profile of their lengths.
 *
 * Private to engine/codec.
 */
#ifndef BBI_CODEC_CHUNK_PLAN_H
#define BBI_CODEC_CHUNK_PLAN_H

#include "engine/codec/chunk_layout.h"

struct bbi_chunk_plan {
    uint32_t price; /* bits, of payload and directory */
    uint8_t coding;
    uint8_t group_log;
    uint8_t width[BBI_CHUNK_LAYERS_MAX];
    uint16_t part_count;
};

/** The cheapest of packed, patched and layered for m >= 1 residuals. */
struct bbi_chunk_plan bbi_chunk_plan_residuals(const struct bbi_profile *profile, size_t m);

/** The sum of all lengths: no coding gets far below it. */
uint32_t bbi_chunk_plan_floor(const struct bbi_profile *profile);

#endif
