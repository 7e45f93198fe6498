#ifndef CLIENT_EXPORT_SCHEMA_H
#define CLIENT_EXPORT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "client/export_rows.h"
#include "client/import_buf.h"

/** A list of texts, owned. */
struct export_names {
    char **names;
    size_t count;
};

void export_names_fini(struct export_names *names);

/** Append "name", quoted for InfluxQL. */
void export_quote(struct import_buf *out, const char *name);

/** The database's measurements. Returns an enum bb_client_kind. */
int export_measurements(struct bb_client *client, struct export_names *names,
                        struct bb_client_error *err);

/** The default policy's name, in policies->names[0]; none if the server does not tell. */
int export_default_policy(struct bb_client *client, const char *database,
                          struct export_names *policies, struct bb_client_error *err);

/** Tags and fields of a measurement, into format; freed by export_schema_fini. */
int export_schema(struct bb_client *client, const char *measurement, struct export_format *format,
                  struct bb_client_error *err);
void export_schema_fini(struct export_format *format);

#endif
