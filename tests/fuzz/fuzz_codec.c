/*
 * The value codec on any bytes, by the first: as an integer column, as strings, as a chunk
 * directory with the payloads behind it, or as values to be encoded, which must come back.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/codec/chunk.h"
#include "engine/codec/intcol.h"
#include "engine/codec/strings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_column(struct bbi_cursor *c)
{
    static uint64_t out[BBI_INTCOL_MAX];
    struct bb_error err;
    (void)!bbi_intcol_decode(c, bbi_cursor_u16(c), out, &err);
}

static void read_strings(struct bbi_cursor *c)
{
    struct bb_error err;
    struct bbi_account acct;
    struct bbi_strings *s;
    size_t n = (size_t)bbi_cursor_u8(c) + 1;
    bbi_account_init(&acct, "strings", 1 << 24, NULL);
    if (c->err == BB_OK &&
        bbi_strings_open(&s, c->p, bbi_cursor_left(c), n, &acct, &err) == BB_OK) {
        size_t bytes = 0;
        for (size_t i = 0; i < n; i++) {
            struct bbi_string text = bbi_strings_get(s, i);
            for (size_t b = 0; b < text.len; b++) {
                bytes += text.ptr[b];
            }
        }
        must(bytes < SIZE_MAX);
        bbi_strings_destroy(&s);
    }
    must(acct.used_bytes == 0);
}

static void read_chunk(enum bbi_type type, const struct bbi_chunk *chunk, const uint8_t *payload,
                       size_t from)
{
    struct bb_error err;
    static uint64_t bits[BBI_CHUNK_MAX];
    static int64_t scaled[BBI_CHUNK_MAX];
    struct bbi_chunk_total total;
    struct bbi_chunk_extremes extremes;
    size_t n = chunk->value_count;
    from %= n;
    for (int k = BBI_KERNEL_C; k <= BBI_KERNEL_AVX512; k++) {
        if (!bbi_codec_set_kernel((enum bbi_codec_kernel)k)) {
            continue;
        }
        (void)!bbi_chunk_decode(type, chunk, payload, 0, n, bits, &err);
        (void)!bbi_chunk_decode(type, chunk, payload, from, n, bits, &err);
        (void)!bbi_chunk_decode(type, chunk, payload, 0, from, bits, &err);
        (void)!bbi_chunk_sum(type, chunk, payload, from, n, &total, &err);
        (void)!bbi_chunk_minmax(type, chunk, payload, from, n, &extremes, &err);
        (void)!bbi_chunk_decode_scaled(type, chunk, payload, from, n, scaled, &err);
    }
}

static void read_chunks(struct bbi_cursor *c)
{
    struct bb_error err;
    struct bbi_chunk chunks[4];
    enum bbi_type type = (enum bbi_type)(BBI_FLOAT + bbi_cursor_u8(c) % 4);
    size_t from = bbi_cursor_u16(c);
    for (size_t i = 0; i < 4; i++) {
        chunks[i].value_count = bbi_cursor_u16(c);
    }
    if (c->err != BB_OK || bbi_chunkdir_decode(c, type, 4, chunks, NULL, &err) != BB_OK) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        size_t bytes = chunks[i].payload_bytes;
        uint8_t *payload = calloc(1, bytes + BBI_CODEC_PAD);
        must(payload != NULL);
        size_t left = bbi_cursor_left(c);
        memcpy(payload, c->p, left < bytes ? left : bytes);
        read_chunk(type, &chunks[i], payload, from);
        free(payload);
    }
}

static void encode_values(struct bbi_cursor *c)
{
    static uint64_t bits[BBI_CHUNK_MAX];
    static uint64_t back[BBI_CHUNK_MAX];
    struct bb_error err;
    struct bbi_chunk chunk;
    struct bbi_buf payload;
    enum bbi_type type = (enum bbi_type)(BBI_FLOAT + bbi_cursor_u8(c) % 3);
    size_t n = bbi_cursor_left(c) / 8;
    n = n < BBI_CHUNK_MAX ? n : BBI_CHUNK_MAX;
    struct bbi_chunk_scratch *scratch = bbi_chunk_scratch_create(NULL);
    must(scratch != NULL);
    bbi_buf_init(&payload, NULL, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        bits[i] = bbi_cursor_u64(c);
    }
    for (int k = BBI_KERNEL_C; n > 0 && k <= BBI_KERNEL_AVX512; k++) {
        if (!bbi_codec_set_kernel((enum bbi_codec_kernel)k)) {
            continue;
        }
        bbi_buf_reset(&payload);
        must(bbi_chunk_encode(type, bits, n, &chunk, &payload, scratch, &err) == BB_OK);
        bbi_buf_zero(&payload, BBI_CODEC_PAD);
        must(bbi_chunk_decode(type, &chunk, payload.data, 0, n, back, &err) == BB_OK);
        must(memcmp(bits, back, n * sizeof(bits[0])) == 0);
    }
    bbi_buf_fini(&payload);
    bbi_chunk_scratch_destroy(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, data, size);
    switch (bbi_cursor_u8(&c) % 4) {
    case 0:
        read_column(&c);
        break;
    case 1:
        read_strings(&c);
        break;
    case 2:
        read_chunks(&c);
        break;
    default:
        encode_values(&c);
    }
    return 0;
}
