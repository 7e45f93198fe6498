#ifndef CLIENT_IMPORT_OPTIONS_H
#define CLIENT_IMPORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/busbar_client.h"
#include "client/import_row.h"

#define IMPORT_LIST_MAX 64

enum import_format {
    FORMAT_GUESS,
    FORMAT_CSV,
    FORMAT_LINE
};

struct import_options {
    struct bb_client_options client;
    bool database_given;
    enum import_format format;
    const char *maps[IMPORT_LIST_MAX];
    unsigned map_count;
    const char *tags[IMPORT_LIST_MAX];
    struct row_options row;
    const char *columns; /* NULL: the first row names them */
    char delimiter;      /* 0: guessed */
    char comment;
    const char *tz;
    const char *precision; /* of a line's timestamp */
    bool dry_run, restart, create, quiet;
    unsigned dry_lines;
    const char *rejects; /* NULL: FILE.rejects */
    unsigned batch_rows;
    const char *const *files;
    int file_count;
};

/** Returns -1 to go on, else the exit code: of --help, or of a usage error told on stderr. */
int import_options_parse(struct import_options *options, int argc, char **argv);

/** A checksum of what decides how rows become lines. */
uint32_t import_options_crc(const struct import_options *options);

#endif
