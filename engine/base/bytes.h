/** Little-endian integers in unaligned bytes, zigzag. */
#ifndef BBI_BASE_BYTES_H
#define BBI_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats on disk are little-endian and read in place"
#endif

static inline uint16_t bbi_get_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t bbi_get_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t bbi_get_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void bbi_put_u16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void bbi_put_u32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void bbi_put_u64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

/** Big-endian, for keys whose byte order must be their numeric order. */
static inline void bbi_put_be32(void *p, uint32_t v)
{
    bbi_put_u32(p, __builtin_bswap32(v));
}

static inline uint32_t bbi_get_be32(const void *p)
{
    return __builtin_bswap32(bbi_get_u32(p));
}

static inline void bbi_put_be64(void *p, uint64_t v)
{
    bbi_put_u64(p, __builtin_bswap64(v));
}

static inline uint64_t bbi_get_be64(const void *p)
{
    return __builtin_bswap64(bbi_get_u64(p));
}

static inline uint64_t bbi_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t bbi_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/** Write v as a varint (7 bits a byte, low first) at p, which has room for 10 bytes. Returns the
 * end. */
static inline uint8_t *bbi_put_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

#define BBI_VARINT_MAX 10

#endif
