/**
 * A batch of points with series and fields resolved to ids: what the write path hands to the log
 * and the memtable.
 *
 * Ids are unique per database and never reused; a field id implies its measurement and type. Points
 * stand in the order of arrival: of two cells of the same (series, time, field), the later wins.
 */
#ifndef BBI_BASE_BATCH_H
#define BBI_BASE_BATCH_H

#include <stddef.h>
#include <stdint.h>

/** Field types, as stored. */
enum bbi_type {
    BBI_FLOAT = 1,
    BBI_INT = 2,
    BBI_UINT = 3,
    BBI_BOOL = 4,
    BBI_STRING = 5
};

/** The range of times that can be stored, InfluxDB's: one in from each end of int64 and one more
 * below. */
#define BBI_TIME_MIN (INT64_MIN + 2)
#define BBI_TIME_MAX (INT64_MAX - 1)

struct bbi_cell {
    uint32_t field_id;
    uint8_t type;    /* enum bbi_type */
    uint32_t length; /* bytes of a string; 0 for others */
    union {
        uint64_t bits;      /* the double's bits, int64, uint64, or 0 and 1 */
        const uint8_t *str; /* borrowed */
    } v;
};

struct bbi_point {
    int64_t time_ns;
    uint32_t series_id;
    uint32_t measurement_id; /* the series' own, for those who have no catalog at hand */
    uint32_t cell_first;     /* index into cells */
    uint32_t cell_count;
};

struct bbi_batch {
    uint32_t db_id;
    uint32_t rp_id;
    struct bbi_point *points; /* [point_count] */
    size_t point_count;
    struct bbi_cell *cells; /* [cell_count] */
    size_t cell_count;
};

#endif
