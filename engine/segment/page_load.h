/** Making pages of their bytes; private to engine/segment. */
#ifndef BBI_SEGMENT_PAGE_LOAD_H
#define BBI_SEGMENT_PAGE_LOAD_H

#include "engine/segment/format.h"
#include "engine/segment/segment.h"

/** Fill tp from tp->body, which holds the page and its pad; check it against header and group.
 * BB_ECORRUPT, BB_ENOMEM: tp is empty. */
BB_CHECKED int bbi_timepage_load(struct bbi_timepage *tp, const struct bbi_page_header *header,
                                 const struct bbi_segment_group *group, struct bb_error *err);

/** The same for a field page, of whose group tp holds the times. */
BB_CHECKED int bbi_fieldpage_load(struct bbi_fieldpage *fp, const struct bbi_page_header *header,
                                  const struct bbi_segment_group *group,
                                  const struct bbi_segment_field *field,
                                  const struct bbi_timepage *tp, struct bb_error *err);

#endif
