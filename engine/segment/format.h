/**
 * The fixed-size parts of a segment file, byte for byte; private to engine/segment.
 *
 * file = header, groups, page index, footer; group = time page, field pages; all of it without
 * holes. Integers are little-endian. Source  docs/format/segment.md.
 */
#ifndef BBI_SEGMENT_FORMAT_H
#define BBI_SEGMENT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/meta.h"

#define BBI_SEGMENT_VERSION 1

/* ---- file header, 32 bytes ---- */
#define BBI_FILE_MAGIC       UINT64_C(0x0a1a0d4745534242) /* "BBSEG\r\x1a\n" */
#define BBI_FILE_MAGIC_AT    0                            /* u64 */
#define BBI_FILE_VERSION_AT  8                            /* u32 */
#define BBI_FILE_FLAGS_AT    12                           /* u32, 0 */
#define BBI_FILE_ID_AT       16                           /* u64 segment id */
#define BBI_FILE_CHECKSUM_AT 24                           /* u64 XXH3-64 of the 24 bytes before */
#define BBI_FILE_BYTES       32
_Static_assert(BBI_FILE_CHECKSUM_AT + 8 == BBI_FILE_BYTES, "file header");

/* ---- page header, 64 bytes; the body follows ---- */
#define BBI_PAGE_CHECKSUM_AT    0      /* u64 XXH3-64 of everything behind it */
#define BBI_PAGE_MAGIC          0x5042 /* "BP" */
#define BBI_PAGE_MAGIC_AT       8      /* u16 */
#define BBI_PAGE_VERSION_AT     10     /* u8 */
#define BBI_PAGE_KIND_AT        11     /* u8 enum bbi_page_kind */
#define BBI_PAGE_FLAGS_AT       12     /* u8, 0; later: sealed */
#define BBI_PAGE_TYPE_AT        13     /* u8 field page: enum bbi_type; else 0 */
#define BBI_PAGE_CHUNKS_AT      14     /* u16 chunks of the group; index: 0 */
#define BBI_PAGE_BODY_AT        16     /* u32 bytes of the body */
#define BBI_PAGE_ROWS_AT        20     /* u32 time: rows; field: values; index: groups */
#define BBI_PAGE_MEASUREMENT_AT 24     /* u32; index: 0 */
#define BBI_PAGE_FIELD_AT       28     /* u32; time, index: 0 */
#define BBI_PAGE_KEY_AT         32     /* u32 id of the key it is sealed with; 0 */
#define BBI_PAGE_NONCE_AT       36     /* 12 bytes, 0 */
#define BBI_PAGE_TAG_AT         48     /* 16 bytes, 0 */
#define BBI_PAGE_BYTES          64
_Static_assert(BBI_PAGE_NONCE_AT + 12 == BBI_PAGE_TAG_AT, "nonce");
_Static_assert(BBI_PAGE_TAG_AT + 16 == BBI_PAGE_BYTES, "page header");

/* ---- footer, 192 bytes: the end of the file ---- */
#define BBI_FOOTER_CHECKSUM_AT     0                            /* u64 XXH3-64 of what follows */
#define BBI_FOOTER_VERSION_AT      8                            /* u32 */
#define BBI_FOOTER_FLAGS_AT        12                           /* u32, 0 */
#define BBI_FOOTER_ID_AT           16                           /* u64 */
#define BBI_FOOTER_DB_AT           24                           /* u32 */
#define BBI_FOOTER_RP_AT           28                           /* u32 */
#define BBI_FOOTER_LSN_LO_AT       32                           /* u64 */
#define BBI_FOOTER_LSN_HI_AT       40                           /* u64 */
#define BBI_FOOTER_SPAN_T0_AT      48                           /* i64 */
#define BBI_FOOTER_SPAN_T1_AT      56                           /* i64 */
#define BBI_FOOTER_TMIN_AT         64                           /* i64 */
#define BBI_FOOTER_TMAX_AT         72                           /* i64 */
#define BBI_FOOTER_SERIES_MIN_AT   80                           /* u32 */
#define BBI_FOOTER_SERIES_MAX_AT   84                           /* u32 */
#define BBI_FOOTER_SERIES_COUNT_AT 88                           /* u64 */
#define BBI_FOOTER_ROW_COUNT_AT    96                           /* u64 */
#define BBI_FOOTER_VALUE_COUNT_AT  104                          /* u64 */
#define BBI_FOOTER_FILE_BYTES_AT   112                          /* u64 */
#define BBI_FOOTER_JOB_ID_AT       120                          /* u64 */
#define BBI_FOOTER_JOB_PART_AT     128                          /* u32 */
#define BBI_FOOTER_JOB_PARTS_AT    132                          /* u32 */
#define BBI_FOOTER_LEVEL_AT        136                          /* u32 */
#define BBI_FOOTER_GROUP_COUNT_AT  140                          /* u32 */
#define BBI_FOOTER_INDEX_OFFSET_AT 144                          /* u64 */
#define BBI_FOOTER_INDEX_BYTES_AT  152                          /* u64 header included */
#define BBI_FOOTER_TOMBS_LSN_AT    160                          /* u64 */
#define BBI_FOOTER_RESERVED_AT     168                          /* 16 bytes, 0 */
#define BBI_FOOTER_MAGIC           UINT64_C(0x544f4f4647455342) /* "BSEGFOOT" */
#define BBI_FOOTER_MAGIC_AT        184                          /* u64 */
#define BBI_FOOTER_BYTES           192
_Static_assert(BBI_FOOTER_RESERVED_AT + 16 == BBI_FOOTER_MAGIC_AT, "footer");
_Static_assert(BBI_FOOTER_MAGIC_AT + 8 == BBI_FOOTER_BYTES, "footer");

/** Zero bytes that stand behind a page in memory, for decoders that read ahead; not in the file. */
#define BBI_PAGE_PAD 64

/** Longest page: 1 GiB keeps every size and sum of sizes far from overflow. */
#define BBI_PAGE_BYTES_MAX (UINT32_C(1) << 30)

enum bbi_page_kind {
    BBI_PAGE_TIME = 1,
    BBI_PAGE_FIELD = 2,
    BBI_PAGE_INDEX = 3
};

struct bbi_page_header {
    enum bbi_page_kind kind;
    uint8_t type;
    uint16_t chunk_count;
    uint32_t body_bytes;
    uint32_t row_count;
    uint32_t measurement_id;
    uint32_t field_id;
};

struct bbi_footer {
    struct bbi_segment_meta meta;
    uint32_t group_count;
    uint64_t index_offset;
    uint64_t index_bytes;
};

void bbi_format_put_file_header(uint8_t out[BBI_FILE_BYTES], uint64_t id);
BB_CHECKED int bbi_format_get_file_header(const uint8_t in[BBI_FILE_BYTES], uint64_t *id,
                                          struct bb_error *err);

void bbi_format_put_footer(uint8_t out[BBI_FOOTER_BYTES], const struct bbi_footer *footer);

/** BB_ECORRUPT also for statements that contradict each other; BB_EVERSION. */
BB_CHECKED int bbi_format_get_footer(const uint8_t in[BBI_FOOTER_BYTES], struct bbi_footer *footer,
                                     struct bb_error *err);

/**
 * Write the header before the body that stands behind it. The checksum is bound to the place, so
 * that a page that some layer below put elsewhere is not taken for the one that belongs there.
 *
 * page    [BBI_PAGE_BYTES + body_bytes]
 */
void bbi_format_seal_page(uint8_t *page, const struct bbi_page_header *header, uint64_t segment_id,
                          uint64_t offset);

/** The checksum of a page of `bytes` bytes, header included, of which the first 8 do not count. */
uint64_t bbi_format_page_checksum(const uint8_t *page, size_t bytes, uint64_t segment_id,
                                  uint64_t offset);

/** Check a page of `bytes` bytes and read its header. */
BB_CHECKED int bbi_format_open_page(const uint8_t *page, size_t bytes, uint64_t segment_id,
                                    uint64_t offset, struct bbi_page_header *header,
                                    struct bb_error *err);

#endif
