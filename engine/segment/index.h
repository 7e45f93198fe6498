/**
 * The page index: what each group and each of its pages hold, and where; private to
 * engine/segment.
 *
 * Source  docs/format/segment.md, "Page index".
 */
#ifndef BBI_SEGMENT_INDEX_H
#define BBI_SEGMENT_INDEX_H

#include "engine/base/buf.h"
#include "engine/base/cursor.h"
#include "engine/segment/segment.h"

struct bbi_segment_index {
    struct bbi_segment_group *groups; /* [group_count] */
    struct bbi_segment_field *fields; /* [field_count] group after group */
    size_t group_count;
    size_t field_count;
    size_t group_cap;
    size_t field_cap;
    struct bbi_account *acct;
};

void bbi_segment_index_init(struct bbi_segment_index *ix, struct bbi_account *acct);
void bbi_segment_index_fini(struct bbi_segment_index *ix);

/** Append a group without fields, then each of its fields. Their `fields` and `offset` are found
 * out by the reader. BB_ENOMEM: unchanged. */
BB_CHECKED int bbi_segment_index_add_group(struct bbi_segment_index *ix,
                                           const struct bbi_segment_group *group,
                                           struct bb_error *err);
BB_CHECKED int bbi_segment_index_add_field(struct bbi_segment_index *ix,
                                           const struct bbi_segment_field *field,
                                           struct bb_error *err);

/** Append the index to out. */
BB_CHECKED int bbi_segment_index_encode(const struct bbi_segment_index *ix, struct bbi_buf *out,
                                        struct bb_error *err);

/**
 * Read an index into an empty one and check that it describes a file whose pages begin at
 * BBI_FILE_BYTES and end at index_offset.
 *
 * Returns BB_OK; BB_ECORRUPT; BB_ENOMEM; ix is empty then.
 */
BB_CHECKED int bbi_segment_index_decode(struct bbi_segment_index *ix, struct bbi_cursor *c,
                                        uint64_t index_offset, struct bb_error *err);

#endif
