#include "engine/wal/format.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/wal/wal.h"

#define FILE_MAGIC  UINT64_C(0x6c61777261627362) /* "bsbarwal" */
#define FRAME_MAGIC 0xb5f7U
#define VERSION     1U
#define COPY_BYTES  ((size_t)64)
#define CHECK_AT    56

void wal_name(char out[WAL_NAME_BYTES], uint64_t start_lsn)
{
    snprintf(out, WAL_NAME_BYTES, "%016llx.wal", (unsigned long long)start_lsn);
}

bool wal_parse_name(const char *name, uint64_t *start_lsn)
{
    uint64_t v = 0;
    if (strlen(name) != WAL_NAME_BYTES - 1 || strcmp(name + 16, ".wal") != 0) {
        return false;
    }
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) {
            return false;
        }
        v = v << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *start_lsn = v;
    return v % 8 == 0;
}

/* ---- file header ---- */

void wal_put_file_header(uint8_t out[WAL_FILE_HEADER], const struct wal_file_header *h)
{
    memset(out, 0, WAL_FILE_HEADER);
    bbi_put_u64(out, FILE_MAGIC);
    bbi_put_u32(out + 8, VERSION);
    bbi_put_u32(out + 12, WAL_FILE_HEADER);
    bbi_put_u64(out + 16, h->start_lsn);
    bbi_put_u64(out + 24, (uint64_t)h->created_ns);
    bbi_put_u32(out + 32, h->salt);
    bbi_put_u64(out + CHECK_AT, bbi_hash64(out, CHECK_AT));
    memcpy(out + COPY_BYTES, out, COPY_BYTES);
}

int wal_get_file_header(const uint8_t in[WAL_FILE_HEADER], struct wal_file_header *h,
                        struct bb_error *err)
{
    for (const uint8_t *p = in; p < in + WAL_FILE_HEADER; p += COPY_BYTES) {
        if (bbi_get_u64(p) != FILE_MAGIC || bbi_get_u64(p + CHECK_AT) != bbi_hash64(p, CHECK_AT)) {
            continue;
        }
        if (bbi_get_u32(p + 8) != VERSION || bbi_get_u32(p + 12) != WAL_FILE_HEADER) {
            return bbi_error_set(err, BB_EVERSION, "log file of version %u, expected %u",
                                 bbi_get_u32(p + 8), VERSION);
        }
        *h = (struct wal_file_header){.start_lsn = bbi_get_u64(p + 16),
                                      .created_ns = (int64_t)bbi_get_u64(p + 24),
                                      .salt = bbi_get_u32(p + 32)};
        return BB_OK;
    }
    return BB_ECORRUPT;
}

/* ---- frame header ---- */

void wal_put_frame_header(uint8_t out[WAL_FRAME_HEADER], const struct wal_frame_header *h)
{
    bbi_put_u16(out, FRAME_MAGIC);
    bbi_put_u16(out + 2, h->flags);
    bbi_put_u32(out + 4, h->length);
    bbi_put_u64(out + 8, h->lsn);
    bbi_put_u64(out + 16, (uint64_t)h->commit_ns);
    bbi_put_u64(out + 24, h->synced_lsn);
    bbi_put_u64(out + 32, h->payload_check);
    bbi_put_u32(out + 40, h->salt);
    bbi_put_u32(out + 44, (uint32_t)bbi_hash64(out, 44));
}

bool wal_may_be_frame(const uint8_t in[WAL_FRAME_HEADER], uint64_t lsn)
{
    return bbi_get_u16(in) == FRAME_MAGIC && bbi_get_u64(in + 8) == lsn;
}

bool wal_get_frame_header(const uint8_t in[WAL_FRAME_HEADER], struct wal_frame_header *h)
{
    if (bbi_get_u16(in) != FRAME_MAGIC || bbi_get_u32(in + 44) != (uint32_t)bbi_hash64(in, 44)) {
        return false;
    }
    *h = (struct wal_frame_header){.flags = bbi_get_u16(in + 2),
                                   .length = bbi_get_u32(in + 4),
                                   .lsn = bbi_get_u64(in + 8),
                                   .commit_ns = (int64_t)bbi_get_u64(in + 16),
                                   .synced_lsn = bbi_get_u64(in + 24),
                                   .payload_check = bbi_get_u64(in + 32),
                                   .salt = bbi_get_u32(in + 40)};
    return true;
}

/* ---- source ---- */

size_t wal_source_bytes(const struct bb_source *source)
{
    if (source == NULL) {
        return 0;
    }
    return WAL_SOURCE_FIXED + (source->topic == NULL ? 0 : strlen(source->topic));
}

void wal_put_source(uint8_t *out, const struct bb_source *source)
{
    size_t topic_bytes = wal_source_bytes(source) - WAL_SOURCE_FIXED;
    bbi_put_u16(out, (uint16_t)topic_bytes);
    bbi_put_u32(out + 2, source->partition);
    bbi_put_u64(out + 6, source->offset);
    bbi_put_u64(out + 14, source->epoch);
    if (topic_bytes > 0) {
        memcpy(out + WAL_SOURCE_FIXED, source->topic, topic_bytes);
    }
}

size_t wal_get_source(const uint8_t *data, size_t len, struct bb_source *source, char *topic)
{
    if (len < WAL_SOURCE_FIXED) {
        return 0;
    }
    size_t topic_bytes = bbi_get_u16(data);
    if (topic_bytes > BBI_WAL_TOPIC_MAX || topic_bytes > len - WAL_SOURCE_FIXED) {
        return 0;
    }
    memcpy(topic, data + WAL_SOURCE_FIXED, topic_bytes);
    topic[topic_bytes] = '\0';
    *source = (struct bb_source){.topic = topic,
                                 .partition = bbi_get_u32(data + 2),
                                 .offset = bbi_get_u64(data + 6),
                                 .epoch = bbi_get_u64(data + 14)};
    return WAL_SOURCE_FIXED + topic_bytes;
}
