#ifndef CLIENT_EXPORT_ROWS_H
#define CLIENT_EXPORT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/busbar_client.h"
#include "client/export_out.h"
#include "client/import_buf.h"

/** Types of fields, as SHOW FIELD KEYS names them. */
enum export_type {
    EXPORT_FLOAT,
    EXPORT_INTEGER,
    EXPORT_UNSIGNED,
    EXPORT_BOOLEAN,
    EXPORT_STRING
};

struct export_field {
    char *name;
    enum export_type type;
};

/** One measurement's schema, and how rows are written. */
struct export_format {
    bool lines; /* of line protocol; else CSV */
    char delimiter;
    const char *time_column; /* name of the time's column */
    struct export_field *fields;
    size_t field_count;
    char **tags;
    size_t tag_count;
};

struct export_rows {
    const struct export_format *format;
    struct export_out *out;
    struct import_buf prefix; /* the series' key, or its tags' cells */
    struct import_buf row;
    enum export_type *types;  /* of the result's columns */
    struct import_buf *names; /* of fields, escaped, in the result's order */
    size_t column_count;
    uint64_t rows;
    const char *error; /* what of the result is not as expected */
};

void export_rows_init(struct export_rows *rows, const struct export_format *format,
                      struct export_out *out);
void export_rows_fini(struct export_rows *rows);

/** CSV's first row: tags, time, fields. */
bool export_rows_header(struct export_rows *rows);

/** A series' tags and columns, the first of which is the time. False: no memory, or error. */
bool export_rows_series(struct export_rows *rows, const struct bb_client_series *series);

/** One row. False: it cannot be written. */
bool export_rows_add(struct export_rows *rows, const struct bb_client_cell *cells, size_t n);

#endif
