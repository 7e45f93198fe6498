/**
 * The table of settings, for the files that read it.
 */
#ifndef SERVER_SETTINGS_TABLE_H
#define SERVER_SETTINGS_TABLE_H

#include "server/settings.h"

enum kind {
    KIND_TEXT,
    KIND_CHOICE,
    KIND_BYTES,
    KIND_COUNT,
    KIND_TIME
};

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *preset;
    uint64_t min, max;   /* of a number */
    const char *choices; /* of a KIND_CHOICE, blanks between; of a number: whether 0 is one, too */
    const char *help;
};

#define SETTING_COUNT 62

extern const struct setting settings_table[]; /* [SETTING_COUNT] */

/** Give a setting its value. source: "--memory", "BUSBAR_MEMORY" or "FILE:7: memory". */
int settings_set(struct settings *s, const struct setting *setting, const char *source,
                 const char *text, struct bb_error *err) BB_CHECKED;

/** err with that text; BB_EINVAL. */
int settings_fail(struct bb_error *err, const char *fmt, ...) BB_PRINTF(2, 3);

#endif
