/**
 * What the server knows of names, asked by SHOW statements on a connection of its own.
 */
#ifndef CLIENT_SHELL_SCHEMA_H
#define CLIENT_SHELL_SCHEMA_H

#include "client/shell.h"

enum bbsh_type {
    BBSH_FLOAT, /* and what is no column of the measurement: a computed value */
    BBSH_INTEGER,
    BBSH_UNSIGNED,
    BBSH_BOOLEAN,
    BBSH_STRING,
    BBSH_TAG,
};

struct bbsh_schema;

/** The fields and tags of a measurement in the current database. NULL: told to the user. */
struct bbsh_schema *bbsh_schema_create(struct shell *shell, const char *measurement);
void bbsh_schema_destroy(struct bbsh_schema **schema);
const char *bbsh_schema_measurement(const struct bbsh_schema *schema);

/** enum bbsh_type of a column. */
int bbsh_schema_type(const struct bbsh_schema *schema, const char *column);

/** Text values of one column of a result, each with a zero behind. */
struct bbsh_names {
    struct text list;
    struct text second; /* of the column behind it, in step */
    size_t count;
};

#define BBSH_NAMES_MAX 100000

void bbsh_names_init(struct bbsh_names *names);
void bbsh_names_fini(struct bbsh_names *names);

/**
 * Ask for names; those beyond BBSH_NAMES_MAX are left out.
 *
 * column  which column of the answer holds them; that behind it goes to `second`
 * Returns as bb_client_query; also BB_CLIENT_SERVER when the statement failed.
 */
int bbsh_names_ask(struct bb_client *client, const char *query, size_t column,
                   struct bbsh_names *names, struct bb_client_error *error);

/** As an identifier in quotes: "a\"b". */
void bbsh_put_quoted(struct text *t, const char *name, char quote);

#endif
