/**
 * The string values of a page: a dictionary and packed codes when words repeat, else lengths and
 * one zstd blob; strings keep the order of the page.
 *
 * Source  docs/format/codec.md, "Strings".
 */
#ifndef BBI_CODEC_STRINGS_H
#define BBI_CODEC_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

/** Bytes of one string. */
#define BBI_STRINGS_LENGTH_MAX 65535

/** Strings of a page, and bytes of all of them together: the page writer cuts pages below both. */
#define BBI_STRINGS_COUNT_MAX 65536
#define BBI_STRINGS_BYTES_MAX (64U << 20)

struct bbi_string {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    uint32_t len;
};

/** An opened column: owns its memory, borrows nothing. */
struct bbi_strings;

/**
 * Append the column v[n] to out.
 *
 * n       1..BBI_STRINGS_COUNT_MAX
 * acct    for work memory, zstd's too
 * Returns BB_OK; BB_ELIMIT (a string, the count or the bytes over the limits above); BB_ENOMEM; the
 * sticky error of out.
 */
BB_CHECKED int bbi_strings_encode(const struct bbi_string *v, size_t n, struct bbi_buf *out,
                                  struct bbi_account *acct, struct bb_error *err);

/**
 * Open a column of n strings that takes exactly data[len].
 *
 * out     out: for bbi_strings_destroy
 * acct    charged with the decompressed column and zstd's memory
 * Returns BB_OK; BB_ECORRUPT; BB_ENOMEM (also when acct's limit is too low for it).
 */
BB_CHECKED int bbi_strings_open(struct bbi_strings **out, const uint8_t *data, size_t len, size_t n,
                                struct bbi_account *acct, struct bb_error *err);

/** p may point to NULL. */
void bbi_strings_destroy(struct bbi_strings **p);

/** String i < n, borrowed until destroy. Thread  safe. */
struct bbi_string bbi_strings_get(const struct bbi_strings *s, size_t i);

/** out[to - from] = the strings [from, to), borrowed until destroy. Thread  safe. */
void bbi_strings_range(const struct bbi_strings *s, size_t from, size_t to, struct bbi_string *out);

#endif
