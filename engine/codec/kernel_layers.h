/**
 * How layers are put together, the same for every kernel: included by each, compiled for its
 * instruction set.
 *
 * Private to engine/codec.
 */
#ifndef BBI_CODEC_KERNEL_LAYERS_H
#define BBI_CODEC_KERNEL_LAYERS_H

#include "engine/codec/chunk_layout.h"
#include "engine/codec/kernel.h"

/** One layer's part. */
struct bbi_layer {
    const uint8_t *payload;
    size_t bit; /* where its first value stands */
    size_t n;
    unsigned width;
    unsigned shift; /* place of its bits in the value; width + shift <= 32 */
    unsigned group_log;
    size_t mark_bit;       /* where the marks of groups of 2^group_log values stand */
    const uint32_t *upper; /* those bits, in place, of the marked groups in a row; NULL: none */
};

/** dst[i] = the layer's bits of its value i, in place, and the upper bits of marked groups. */
typedef void bbi_layer_fn(const struct bbi_layer *layer, uint32_t *dst);
typedef size_t bbi_popcount_fn(const uint8_t *bitmap, size_t bit, size_t n);

/* From below, find what the window needs of each layer; then read them from above. */
static inline __attribute__((always_inline)) void bbi_read_layers32(const struct bbi_layers *l,
                                                                    size_t from, size_t to,
                                                                    uint32_t *dst,
                                                                    bbi_popcount_fn *popcount,
                                                                    bbi_layer_fn *put)
{
    uint32_t work[2][BBI_CHUNK_MAX + 4 * BBI_LANES];
    struct bbi_layer part[BBI_CHUNK_LAYERS_MAX];
    unsigned shift = 0;
    unsigned top = 0;
    for (;; top++) {
        size_t end = to << l->group_log;
        bool whole = end >= l->values[top];
        end = whole ? l->values[top] : end;
        size_t first = from << l->group_log;
        part[top].payload = l->payload;
        part[top].bit = l->value_bit[top] + first * l->width[top];
        part[top].n = end - first;
        part[top].width = l->width[top];
        part[top].shift = shift;
        part[top].group_log = l->group_log;
        part[top].upper = NULL;
        if (top + 1 == l->count) {
            break;
        }
        size_t marks = l->mark_bit[top + 1];
        size_t up_from = from == 0 ? 0 : popcount(l->payload, marks, from);
        size_t up_to = whole ? l->values[top + 1] >> l->group_log : popcount(l->payload, marks, to);
        if (up_from >= up_to) {
            break;
        }
        part[top].mark_bit = marks + from;
        part[top].upper = work[(top + 1) % 2];
        shift += l->width[top];
        from = up_from;
        to = up_to;
    }
    for (; top > 0; top--) {
        put(&part[top], work[top % 2]);
    }
    put(&part[0], dst);
}

#endif
