/** Taking dropped series and measurements out of LMDB, inside one write transaction. */
#ifndef BBI_CATALOG_PURGE_H
#define BBI_CATALOG_PURGE_H

#include "engine/base/record.h"
#include "engine/catalog/index.h"

/**
 * SERIES_DROP: records, ids by key, postings. Ids that are not there change nothing.
 *
 * Few ids cost a look at each of their tags, many a walk over the measurement's postings.
 */
int bbi_purge_series(struct bbi_index_writer *writer, const struct bbi_record *record,
                     struct bbi_account *acct, struct bb_error *err) BB_CHECKED;

/** MEASUREMENT_DROP: the measurement, its fields, all of its postings. Its series went before. */
int bbi_purge_measurement(struct bbi_index_writer *writer, const struct bbi_record *record,
                          struct bb_error *err) BB_CHECKED;

#endif
