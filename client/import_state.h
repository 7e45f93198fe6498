#ifndef CLIENT_IMPORT_STATE_H
#define CLIENT_IMPORT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/import_source.h"

/**
 * How far a file has been imported, in $XDG_STATE_HOME/busbar/import (~/.local/state without it):
 * one small file for each source, server, database and policy. It is there while an import is
 * under way, and goes when it is done.
 */
struct import_position {
    uint64_t rows;   /* data rows that are on the server's disk, or rejected */
    uint64_t offset; /* behind them, in decompressed bytes */
    uint64_t line;   /* at `offset` */
    uint64_t stored; /* lines of line protocol */
};

struct import_state {
    char path[4096];
    struct source_identity identity;
    uint32_t options_crc; /* of what decides how rows become lines */
    bool usable;
    int64_t saved_ms;
};

enum import_state_found {
    STATE_NONE,
    STATE_FOUND,
    STATE_CHANGED, /* the file or the options are others than then */
};

/** source: the file's path; target: server, database and policy in one text. */
enum import_state_found import_state_open(struct import_state *state, const char *source,
                                          const char *target, struct source_identity identity,
                                          uint32_t options_crc, struct import_position *position);

/** Replace the state; at most ten times a second unless `now`. False: it cannot be written. */
bool import_state_save(struct import_state *state, const struct import_position *position,
                       bool now);

void import_state_remove(struct import_state *state);

#endif
