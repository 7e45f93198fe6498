#ifndef CLIENT_IMPORT_MAP_H
#define CLIENT_IMPORT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/csv.h"
#include "client/import_time.h"

/**
 * Which column of a CSV file becomes what. Items of --map, each COLUMN=ROLE:
 *
 *     COLUMN=tag[:KEY]             COLUMN=time[:FORMAT]      DATE+CLOCK=time[:FORMAT]
 *     COLUMN=field[:NAME[:TYPE]]   COLUMN=measurement        COLUMN=skip
 *     *=wide:TAG:FIELD[:TYPE]      each further column is a series; its name is the tag's value
 *
 * COLUMN is a name of the header, #N for the N-th, or * for all that are not named. Columns that
 * no item names are guessed from their names and first values.
 */
enum column_role {
    COLUMN_UNKNOWN,
    COLUMN_SKIP,
    COLUMN_TIME,
    COLUMN_MEASUREMENT,
    COLUMN_TAG,
    COLUMN_FIELD,
    COLUMN_WIDE
};

enum column_type {
    TYPE_GUESS,
    TYPE_FLOAT,
    TYPE_INT,
    TYPE_UINT,
    TYPE_BOOL,
    TYPE_STRING
};

struct map_column {
    char *header;
    enum column_role role;
    enum column_type type;
    char *name; /* tag key, field name */
    bool guessed;
};

struct map {
    struct map_column *columns;
    unsigned count;
    int time_columns[2]; /* -1: none; the second one's text follows the first's behind a blank */
    struct time_format time;
    bool time_given;       /* the format is the user's */
    const char *star;      /* the item of *, in its --map; applied when the time is known */
    char *wide_tag;        /* of COLUMN_WIDE columns, whose name is the field's */
    bool needs_date_order; /* nothing tells 03/04 from 04/03 */
};

#define MAP_ERROR_MAX 512

/** What the columns hold in the first rows: cells[row * columns + column]. */
struct map_samples {
    const struct csv_field *cells;
    unsigned rows;
    char decimal;
};

/** Columns with these names, all of unknown role. False: no memory. */
bool map_init(struct map *map, const struct csv_field *names, unsigned count);
void map_fini(struct map *map);

/** Take one --map, which must stay. False: `error` [MAP_ERROR_MAX] names what is wrong. */
bool map_apply(struct map *map, const char *spec, char *error);

/** Guess what no item named, and check that there are a time and a field, and no name twice. */
bool map_complete(struct map *map, const struct map_samples *samples, char *error);

/** One line per column for people. */
void map_print(const struct map *map, FILE *out);

/** A decimal number, blanks around it allowed. */
bool map_is_number(const char *text, size_t len, char decimal);

/** What stands for a missing value: nothing, NA, N/A, NaN, null, None, -. */
bool map_is_null(const struct csv_field *cell);

#endif
