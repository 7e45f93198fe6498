#ifndef CLIENT_IMPORT_MAP_INTERNAL_H
#define CLIENT_IMPORT_MAP_INTERNAL_H

#include "client/import_map.h"

/** Write the error. Returns false. */
bool map_fail(char *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Replace a name by a copy of the text. False: no memory. */
bool map_set_name(char **name, const char *text, size_t len);

/** Give the columns that are left what * says. */
bool map_apply_star(struct map *map, char *error);

#endif
