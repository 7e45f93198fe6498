/**
 * Pages in memory: the times and the values of a group of chunks.
 *
 * A group holds chunks of one measurement by rising (series, time); its time page says which series
 * and rows there are, each field page holds one field's values of the same chunks, by the same row
 * numbers. A row of the time page may lack a value in a field (null), and a field may lack a whole
 * chunk.
 *
 * Pages are filled by bbi_segment_read_time and bbi_segment_read_field, can be filled again and
 * again, and keep their memory until fini. Nothing is cached beyond them.
 *
 * Bitmaps: bit r%64 of word r/64 stands for the window's row r; bits behind the window are zero.
 *
 * Errors  BB_EINVAL a window outside its chunk or a wrong type; BB_ECORRUPT; BB_ENOMEM. Thread  one
 * owner at a time for each page.
 */
#ifndef BBI_SEGMENT_PAGE_H
#define BBI_SEGMENT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/arena.h"
#include "engine/base/batch.h"
#include "engine/base/buf.h"
#include "engine/base/sum.h"
#include "engine/codec/chunk.h"
#include "engine/codec/strings.h"
#include "engine/codec/time.h"

#define BBI_SEGMENT_CHUNK_ROWS   1024
#define BBI_SEGMENT_GROUP_ROWS   32768
#define BBI_SEGMENT_GROUP_CHUNKS 8192

/** Words of a bitmap of this many rows. */
#define BBI_BITMAP_WORDS(rows) (((size_t)(rows) + 63) / 64)

struct bbi_timepage {
    size_t chunk_count;
    size_t row_count;
    const uint32_t *series; /* [chunk_count] not falling; a long series has several chunks */
    const uint16_t *rows;   /* [chunk_count] 1..BBI_SEGMENT_CHUNK_ROWS */
    const int64_t *tmin;    /* [chunk_count] time of the first row */
    const int64_t *tmax;    /* [chunk_count] time of the last row */

    /* The rest is private. */
    struct bbi_times times;
    struct bbi_buf body;
    struct bbi_arena arena;
};

void bbi_timepage_init(struct bbi_timepage *tp, struct bbi_account *acct);
void bbi_timepage_fini(struct bbi_timepage *tp);

/** The first chunk whose series is >= series_id; chunk_count if there is none. */
size_t bbi_timepage_find(const struct bbi_timepage *tp, uint32_t series_id);

/** As bbi_times_regular, bbi_times_lower_bound and bbi_times_decode. */
bool bbi_timepage_regular(const struct bbi_timepage *tp, size_t chunk, int64_t *t0, uint64_t *step);
BB_CHECKED int bbi_timepage_lower_bound(struct bbi_timepage *tp, size_t chunk, int64_t time,
                                        size_t *row, struct bb_error *err);
BB_CHECKED int bbi_timepage_times(struct bbi_timepage *tp, size_t chunk, size_t from, size_t to,
                                  int64_t *out, struct bb_error *err);

/** Which of a chunk's rows have a value in a field. */
enum bbi_presence {
    BBI_PRESENT_ALL,
    BBI_PRESENT_NONE,
    BBI_PRESENT_SOME
};

struct bbi_fieldpage_chunk;

struct bbi_fieldpage {
    uint32_t field_id;
    enum bbi_type type;
    size_t chunk_count;
    uint64_t packed_values;  /* values that bbi_fieldpage_sum and _minmax have gone through in their
                                packed form; the caller may reset it */
    uint64_t decoded_values; /* values that had to be decoded, for them or for the caller */

    /* The rest is private. */
    struct bbi_fieldpage_chunk *chunks; /* [chunk_count] */
    struct bbi_chunk *entries;          /* the codec's directory, of chunks with values */
    struct bbi_strings *strings;
    const uint8_t *payload;
    struct bbi_buf body;
    struct bbi_arena arena;
    struct bbi_account *acct;
};

void bbi_fieldpage_init(struct bbi_fieldpage *fp, struct bbi_account *acct);
void bbi_fieldpage_fini(struct bbi_fieldpage *fp);

enum bbi_presence bbi_fieldpage_presence(const struct bbi_fieldpage *fp, size_t chunk);

/** Values in the whole chunk: no more work than looking it up. */
size_t bbi_fieldpage_chunk_values(const struct bbi_fieldpage *fp, size_t chunk);

/** Values in rows [from, to), which must lie in the chunk. valid: NULL, or
 * [BBI_BITMAP_WORDS(to - from)] where they are. */
size_t bbi_fieldpage_valid(const struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                           uint64_t *valid);

/**
 * Values of rows [from, to), by row; not for strings.
 *
 * bits    [to - from] those of rows without a value are 0
 * valid   as above; NULL: the caller knows
 * count   out: values there are
 */
BB_CHECKED int bbi_fieldpage_values(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                                    uint64_t *bits, uint64_t *valid, size_t *count,
                                    struct bb_error *err);

/** The same without gaps: bits[*count] (room for to - from) are the values in order. */
BB_CHECKED int bbi_fieldpage_dense(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                                   uint64_t *bits, size_t *count, struct bb_error *err);

/** As bbi_fieldpage_values, for BBI_STRING; the strings stay until the page is filled again. Rows
 * without a value get {NULL, 0}. */
BB_CHECKED int bbi_fieldpage_strings(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                                     struct bbi_string *strs, uint64_t *valid, size_t *count,
                                     struct bb_error *err);

/**
 * Add the values of rows [from, to) exactly, from their packed form where they are scaled integers.
 *
 * floats    gets the values of BBI_FLOAT; else may be NULL
 * integers  gets the values of BBI_INT, BBI_UINT and BBI_BOOL (the number of trues); else may be
 *           NULL
 * count     out: how many
 * On an error *floats may have got some of them.
 */
BB_CHECKED int bbi_fieldpage_sum(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                                 struct bbi_sum *floats, __int128 *integers, size_t *count,
                                 struct bb_error *err);

struct bbi_fieldpage_extremes {
    size_t count;      /* values that are not NaN; 0: nothing below holds */
    uint64_t min_bits; /* the earliest of the smallest, as stored (-0.0 equals 0.0) */
    uint64_t max_bits; /* the earliest of the largest */
    size_t min_row;    /* rows of the chunk */
    size_t max_row;
    bool non_finite; /* a NaN or an infinity is among the values */
};

/** The extremes of rows [from, to), in the order of the type (uint64 unsigned, false before true);
 * not for strings. */
BB_CHECKED int bbi_fieldpage_minmax(struct bbi_fieldpage *fp, size_t chunk, size_t from, size_t to,
                                    struct bbi_fieldpage_extremes *out, struct bb_error *err);

#endif
