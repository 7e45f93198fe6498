#ifndef CLIENT_CSV_H
#define CLIENT_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * Rows of CSV (RFC 4180) as they come from meters, databases and spreadsheets: any one-byte
 * delimiter, LF or CR LF, a byte order mark, fields in quotes with doubled quotes, delimiters and
 * newlines inside. A quote inside a field that does not begin with one is text. Empty lines are
 * passed over.
 *
 * A row that cannot be understood is handed out with its reason, and reading goes on behind it: a
 * quote that is never closed costs its own line only.
 */
struct csv_reader;

#define CSV_COLUMNS_MAX 4096
#define CSV_ROW_MAX     (1u << 20) /* bytes */

struct csv_field {
    const char *text; /* not terminated */
    size_t len;
    bool quoted; /* "" is a text, nothing is a missing value */
};

struct csv_row {
    struct csv_field *fields;
    unsigned count;
    const char *raw; /* the row as it stands, without its line end */
    size_t raw_len;
    uint64_t line;      /* of its first byte, from 1 */
    uint64_t end_line;  /* of what follows it */
    uint64_t end;       /* position behind it, with its line end */
    const char *reason; /* of CSV_BAD */
};

enum csv_result {
    CSV_ROW,
    CSV_END,
    CSV_BAD,  /* row->raw and row->reason tell */
    CSV_ERROR /* the input failed, or no memory */
};

/** Up to n bytes; 0 at the end; -1 on an error. */
typedef ssize_t csv_read_fn(void *context, void *bytes, size_t n);

struct csv_options {
    char delimiter;
    char comment;                /* lines that begin with it are passed over; 0: none */
    uint64_t first_line, offset; /* where reading starts; 1 and 0 at the start of a file */
};

struct csv_reader *csv_create(const struct csv_options *options, csv_read_fn *read, void *context);
void csv_destroy(struct csv_reader **reader);

/** The next row; valid until the next call. */
enum csv_result csv_next(struct csv_reader *reader, struct csv_row *row);

/**
 * The first bytes of the input, which csv_next hands out later: as many as there are, at most
 * CSV_ROW_MAX. Only before the first row. NULL on an error.
 */
const char *csv_peek(struct csv_reader *reader, size_t *len);

/** Another delimiter or comment character; only before the first row. */
void csv_set_format(struct csv_reader *reader, char delimiter, char comment);

#endif
