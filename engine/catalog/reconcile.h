/**
 * Which of the segment files on disk count, when catalog.log has lost what it said about them.
 *
 * Of a job that wrote several parts, all count or none: parts whose brothers are missing are
 * dropped if the segments that they were made of are there still. A segment is superseded by the
 * whole output of a newer job of the same database, policy and span whose log range contains its
 * own. Keeping too much is harmless: rows that are there twice are the same rows.
 */
#ifndef BBI_CATALOG_RECONCILE_H
#define BBI_CATALOG_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/meta.h"

struct bbi_reconcile_item {
    struct bbi_segment_meta meta;
    bool is_known;    /* the catalog had it: its job is whole */
    bool is_complete; /* out: all parts of its job are there */
    bool is_live;     /* out */
};

/** Decide on items, whose order changes; each id once. */
void bbi_reconcile(struct bbi_reconcile_item *items, size_t count);

#endif
