#include "server/msgpack.h"

#include <string.h>

#define SHORT_MAP   0x80
#define SHORT_ARRAY 0x90
#define SHORT_TEXT  0xa0
#define NIL         0xc0
#define NO          0xc2
#define YES         0xc3
#define EXTENSION_8 0xc7
#define DOUBLE      0xcb
#define UNSIGNED_8  0xcc
#define UNSIGNED_16 0xcd
#define UNSIGNED_32 0xce
#define UNSIGNED_64 0xcf
#define SIGNED_8    0xd0
#define SIGNED_16   0xd1
#define SIGNED_32   0xd2
#define SIGNED_64   0xd3
#define TEXT_8      0xd9
#define TEXT_16     0xda
#define TEXT_32     0xdb
#define ARRAY_16    0xdc
#define ARRAY_32    0xdd
#define MAP_16      0xde
#define MAP_32      0xdf

#define TIME_TYPE  5
#define TIME_BYTES 12

void msgpack_init(struct msgpack *m, struct buf *out)
{
    *m = (struct msgpack){.out = out};
}

static void put(struct msgpack *m, const void *data, size_t n)
{
    if (m->err == BB_OK)
        m->err = buf_put(m->out, data, n);
}

static void big_endian(unsigned char *out, uint64_t v, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; v >>= 8)
        out[i] = (unsigned char)v;
}

/** A type byte and what follows it. */
static void put_typed(struct msgpack *m, unsigned type, uint64_t v, size_t bytes)
{
    unsigned char out[9] = {(unsigned char)type};
    big_endian(out + 1, v, bytes);
    put(m, out, 1 + bytes);
}

void msgpack_nil(struct msgpack *m)
{
    put_typed(m, NIL, 0, 0);
}

void msgpack_bool(struct msgpack *m, bool v)
{
    put_typed(m, v ? YES : NO, 0, 0);
}

void msgpack_i64(struct msgpack *m, int64_t v)
{
    if (v >= -32 && v <= INT8_MAX)
        put_typed(m, (unsigned)v & 0xff, 0, 0);
    else if (v >= INT8_MIN && v <= INT8_MAX)
        put_typed(m, SIGNED_8, (uint64_t)v, 1);
    else if (v >= INT16_MIN && v <= INT16_MAX)
        put_typed(m, SIGNED_16, (uint64_t)v, 2);
    else if (v >= INT32_MIN && v <= INT32_MAX)
        put_typed(m, SIGNED_32, (uint64_t)v, 4);
    else
        put_typed(m, SIGNED_64, (uint64_t)v, 8);
}

void msgpack_u64(struct msgpack *m, uint64_t v)
{
    if (v <= INT8_MAX)
        put_typed(m, (unsigned)v, 0, 0);
    else if (v <= UINT8_MAX)
        put_typed(m, UNSIGNED_8, v, 1);
    else if (v <= UINT16_MAX)
        put_typed(m, UNSIGNED_16, v, 2);
    else if (v <= UINT32_MAX)
        put_typed(m, UNSIGNED_32, v, 4);
    else
        put_typed(m, UNSIGNED_64, v, 8);
}

void msgpack_double(struct msgpack *m, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_typed(m, DOUBLE, bits, 8);
}

void msgpack_string(struct msgpack *m, const char *text, size_t n)
{
    if (n < 32)
        put_typed(m, SHORT_TEXT | (unsigned)n, 0, 0);
    else if (n <= UINT8_MAX)
        put_typed(m, TEXT_8, n, 1);
    else if (n <= UINT16_MAX)
        put_typed(m, TEXT_16, n, 2);
    else if (n <= UINT32_MAX)
        put_typed(m, TEXT_32, n, 4);
    else if (m->err == BB_OK)
        m->err = BB_ELIMIT;
    put(m, text, n);
}

void msgpack_cstring(struct msgpack *m, const char *text)
{
    msgpack_string(m, text, strlen(text));
}

void msgpack_time(struct msgpack *m, int64_t time_ns)
{
    unsigned char out[3 + TIME_BYTES] = {EXTENSION_8, TIME_BYTES, TIME_TYPE};
    int64_t seconds = time_ns / 1000000000;
    int64_t rest = time_ns % 1000000000;
    if (rest < 0) {
        seconds--;
        rest += 1000000000;
    }
    big_endian(out + 3, (uint64_t)seconds, 8);
    big_endian(out + 11, (uint64_t)rest, 4);
    put(m, out, sizeof(out));
}

static void put_head(struct msgpack *m, unsigned short_type, unsigned type_16, unsigned type_32,
                     size_t n)
{
    if (n < 16)
        put_typed(m, short_type | (unsigned)n, 0, 0);
    else if (n <= UINT16_MAX)
        put_typed(m, type_16, n, 2);
    else if (n <= UINT32_MAX)
        put_typed(m, type_32, n, 4);
    else if (m->err == BB_OK)
        m->err = BB_ELIMIT;
}

void msgpack_array(struct msgpack *m, size_t n)
{
    put_head(m, SHORT_ARRAY, ARRAY_16, ARRAY_32, n);
}

void msgpack_map(struct msgpack *m, size_t n)
{
    put_head(m, SHORT_MAP, MAP_16, MAP_32, n);
}

size_t msgpack_open_array(struct msgpack *m)
{
    size_t at = m->out->len;
    put_typed(m, ARRAY_32, 0, 4);
    return at;
}

size_t msgpack_open_map(struct msgpack *m)
{
    size_t at = m->out->len;
    put_typed(m, SHORT_MAP, 0, 0);
    return at;
}

void msgpack_set_array(struct msgpack *m, size_t at, size_t n)
{
    if (m->err == BB_OK && n > UINT32_MAX)
        m->err = BB_ELIMIT;
    if (m->err == BB_OK)
        big_endian((unsigned char *)m->out->data + at + 1, n, 4);
}

void msgpack_set_map(struct msgpack *m, size_t at, size_t n)
{
    if (m->err == BB_OK)
        m->out->data[at] = (char)(SHORT_MAP | n);
}
