/**
 * Posting lists: which series have a tag, in one value per 65,536 ids.
 *
 * A list belongs to a measurement and a tag blob: no bytes for all of its series; a tag key as in a
 * series key (length, bytes) for those that have the tag; key and value (length, bytes, length,
 * bytes) for those that have this value. The key in the index is
 *
 *     db | mid | form 0 | sid >> 16 be16                     all series
 *     db | mid | form 1, 2 | blob | sid >> 16 be16           a tag key; key and value
 *     db | mid | form 3 | hash be64 | probe | sid >> 16 be16 a blob too long for a key of LMDB
 *
 * and the value of form 3 begins with the blob (varint length, bytes); blobs of one hash have
 * different probes. Then a kind byte and the ids:
 *
 *     kind 1: one id, its low 16 bits; kind 2: an array of such, ascending; kind 3: a bitmap of
 *     whole ids in CRoaring's portable format; whichever is smallest.
 */
#ifndef BBI_CATALOG_POSTING_H
#define BBI_CATALOG_POSTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/catalog/index.h"

enum bbi_posting_form {
    BBI_POSTING_ALL = 0,
    BBI_POSTING_KEY = 1,
    BBI_POSTING_VALUE = 2,
    BBI_POSTING_LONG = 3
};

/** A measurement's lists of one form, or one list: the beginning of their keys. */
struct bbi_posting_prefix {
    uint8_t bytes[BBI_INDEX_KEY_MAX];
    size_t len;
};

/** Where the lists of a form begin. */
void bbi_posting_form_prefix(struct bbi_posting_prefix *p, uint32_t db_id, uint32_t mid,
                             enum bbi_posting_form form);

/** Where those begin whose blob begins with these bytes. False: too long for a key; look in form 3.
 */
bool bbi_posting_blob_prefix(struct bbi_posting_prefix *p, uint32_t db_id, uint32_t mid,
                             enum bbi_posting_form form, const uint8_t *blob, size_t blob_len);

/** The prefix of a long blob's lists, without probe. */
void bbi_posting_long_prefix(struct bbi_posting_prefix *p, uint32_t db_id, uint32_t mid,
                             const uint8_t *blob, size_t blob_len);

/** A value taken apart; the blob is in the key but for form 3. */
struct bbi_posting {
    const uint8_t *blob;
    size_t blob_len;
    uint32_t high; /* sid >> 16 */
    const uint8_t *ids;
    size_t ids_len;
};

/** Take apart an entry found at a prefix of this form. BB_ECORRUPT. */
int bbi_posting_parse(const struct bbi_index_entry *entry, enum bbi_posting_form form,
                      struct bbi_posting *posting, struct bb_error *err) BB_CHECKED;

/** out |= ids. */
int bbi_posting_or(const struct bbi_posting *posting, roaring_bitmap_t *out,
                   struct bb_error *err) BB_CHECKED;

/** Whether any of the ids is in this bitmap. */
int bbi_posting_intersects(const struct bbi_posting *posting, const roaring_bitmap_t *with,
                           bool *any, struct bb_error *err) BB_CHECKED;

/** A blob's parts. BB_ECORRUPT. For a tag key's blob has_value is false. */
struct bbi_posting_tag {
    const uint8_t *key;
    size_t key_len;
    bool has_value;
    const uint8_t *value;
    size_t value_len;
};
int bbi_posting_tag_of(const uint8_t *blob, size_t blob_len, struct bbi_posting_tag *tag,
                       struct bb_error *err) BB_CHECKED;

/** Add ids (ascending, all with the same sid >> 16) to the list of a blob. scratch is cleared. */
int bbi_posting_add(struct bbi_index_writer *writer, uint32_t db_id, uint32_t mid,
                    const uint8_t *blob, size_t blob_len, const uint32_t *sids, size_t count,
                    struct bbi_buf *scratch, struct bb_error *err) BB_CHECKED;

/** Take ids out of one value, found at its key; an empty one goes. scratch is cleared.
 * *changed: it had any of them. */
int bbi_posting_remove(struct bbi_index_writer *writer, const struct bbi_index_entry *entry,
                       const roaring_bitmap_t *gone, struct bbi_buf *scratch, bool *changed,
                       struct bb_error *err) BB_CHECKED;

/** The same of the list of a blob, for ids with this sid >> 16. */
int bbi_posting_forget(struct bbi_index_writer *writer, uint32_t db_id, uint32_t mid,
                       const uint8_t *blob, size_t blob_len, uint32_t high,
                       const roaring_bitmap_t *gone, struct bbi_buf *scratch,
                       struct bb_error *err) BB_CHECKED;

#endif
