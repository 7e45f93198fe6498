/**
 * Roaring bitmaps to and from bytes, in CRoaring's portable format.
 *
 * CRoaring (0.2 in Debian 12) trusts what it deserialises: sorted arrays, counts that are true. The
 * decoder here proves that first, so that bytes from a disk cannot corrupt memory or answers. This
 * release has no hooks for memory either: whoever keeps a big or long-lived bitmap charges
 * bbi_bitmap_bytes() to an account with bbi_account_charge.
 */
#ifndef BBI_BASE_BITMAP_H
#define BBI_BASE_BITMAP_H

#include <stddef.h>
#include <stdint.h>

#include <roaring/roaring.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"

/** Append the portable form, no length before it, run-compressed where that is smaller. */
void bbi_bitmap_put(struct bbi_buf *b, const roaring_bitmap_t *r);

/** The bitmap that these len bytes are, all of them; the caller's to roaring_bitmap_free.
 * BB_ECORRUPT or BB_ENOMEM. */
int bbi_bitmap_get(const void *p, size_t len, roaring_bitmap_t **out,
                   struct bb_error *err) BB_CHECKED;

/** About what it takes in memory. */
size_t bbi_bitmap_bytes(const roaring_bitmap_t *r);

#endif
