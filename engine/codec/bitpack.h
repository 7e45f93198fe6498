/**
 * Horizontal bit-packing of unsigned integers, and what can be computed on the packed form.
 *
 * Value i of width w (0..64 bits) takes the bits [i*w, (i+1)*w) of a little-endian bit string,
 * least significant bit first; n values take bbi_bitpack_bytes(n, w) bytes, unused bits of the last
 * are zero.
 *
 * Over-reads: readers may touch up to BBI_CODEC_PAD bytes behind the packed bytes, whatever they
 * hold; the owner of the memory guarantees that they can be read (the page writer pads with zeros).
 *
 * Every function runs on the best kernel the CPU has, found out once; bbi_codec_set_kernel forces
 * one. All kernels give the same bits. Thread  all functions are thread-safe, but
 * bbi_codec_set_kernel, which is for tests and benchmarks and must not race with them.
 */
#ifndef BBI_CODEC_BITPACK_H
#define BBI_CODEC_BITPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes that must be readable behind every packed payload. */
#define BBI_CODEC_PAD 64

enum bbi_codec_kernel {
    BBI_KERNEL_C,
    BBI_KERNEL_AVX2,  /* AVX2, BMI2, FMA */
    BBI_KERNEL_AVX512 /* AVX-512 F, BW, CD, DQ, VL, VBMI, VBMI2 */
};

/** Use this kernel from now on. False, and nothing changes: the CPU lacks it. */
bool bbi_codec_set_kernel(enum bbi_codec_kernel kernel);

/** The kernel in use. */
enum bbi_codec_kernel bbi_codec_get_kernel(void);

/** Significant bits of v: 0 for 0, 64 for 2^63. */
static inline unsigned bbi_bit_length(uint64_t v)
{
    return v == 0 ? 0 : 64U - (unsigned)__builtin_clzll(v);
}

/** Bytes of n packed values of a width; n * width must not overflow. */
static inline size_t bbi_bitpack_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

/**
 * Pack v[n]; bits of a value above the width are dropped.
 *
 * out     room for bbi_bitpack_bytes(n, width) + 8 bytes; the 8 may be overwritten with anything
 */
void bbi_bitpack_pack(const uint64_t *v, size_t n, unsigned width, uint8_t *out);

/** out[n] = the values from index `first` on; width <= 32. */
void bbi_bitpack_unpack32(const uint8_t *packed, size_t first, size_t n, unsigned width,
                          uint32_t *out);

/** out[n] = the values from index `first` on; any width. */
void bbi_bitpack_unpack64(const uint8_t *packed, size_t first, size_t n, unsigned width,
                          uint64_t *out);

/** The exact sum of n values from index `first` on; n < 2^32. */
unsigned __int128 bbi_bitpack_sum(const uint8_t *packed, size_t first, size_t n, unsigned width);

/** The smallest and largest of n >= 1 values from index `first` on. */
void bbi_bitpack_minmax(const uint8_t *packed, size_t first, size_t n, unsigned width,
                        uint64_t *min, uint64_t *max);

#endif
