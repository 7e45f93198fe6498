#ifndef CLIENT_IMPORT_ROW_H
#define CLIENT_IMPORT_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/csv.h"
#include "client/import_buf.h"
#include "client/import_map.h"
#include "client/import_zone.h"

/** What rows become, beside their columns. */
struct row_options {
    const char *measurement; /* where no column is it */
    const char *const *tags; /* fixed ones, KEY=VALUE */
    unsigned tag_count;
    char decimal;
    bool end_stamped;   /* times tell the end of an interval: the start is stored */
    int64_t interval_s; /* its length; or */
    int interval_months;
    bool interval_is_days; /* interval_s is whole days of the local clock */
};

/** Turns rows into lines of line protocol with times in nanoseconds. */
struct row_maker;

struct row_counts {
    uint64_t lines;
    uint64_t missing;   /* values of fields that were not there */
    uint64_t empty;     /* rows without any value */
    uint64_t ambiguous; /* times that the local clock shows twice */
};

/** map, zone and options are borrowed. NULL with `error` [MAP_ERROR_MAX] on an error. */
struct row_maker *row_maker_create(const struct map *map, struct zone *zone,
                                   const struct row_options *options, char *error);
void row_maker_destroy(struct row_maker **maker);

/**
 * Append the row's lines: one; or one per wide column that has a value; or none.
 * Returns NULL, or why the row is refused: then nothing was appended. The reason stays until the
 * next call.
 */
const char *row_make(struct row_maker *maker, const struct csv_row *row, struct import_buf *out);

const struct row_counts *row_counts_get(const struct row_maker *maker);

#endif
