#ifndef CLIENT_IMPORT_CONN_H
#define CLIENT_IMPORT_CONN_H

#include <stdbool.h>

#include "client/busbar_client.h"

/** Options that say which server, of import, export and status alike. */
enum {
    CONN_URL = 512,
    CONN_DATABASE,
    CONN_POLICY,
    CONN_USER,
    CONN_TOKEN
};

#define CONN_LONG_OPTIONS                                     \
    {"url", required_argument, NULL, CONN_URL},               \
        {"database", required_argument, NULL, CONN_DATABASE}, \
        {"db", required_argument, NULL, CONN_DATABASE},       \
        {"rp", required_argument, NULL, CONN_POLICY},         \
        {"user", required_argument, NULL, CONN_USER},         \
    {                                                         \
        "token", required_argument, NULL, CONN_TOKEN          \
    }

#define CONN_USAGE                                                                  \
    "  --url URL               the server (http://127.0.0.1:8086; or BUSBAR_URL)\n" \
    "  -d, --database NAME     its database\n"                                      \
    "  --rp NAME               and retention policy (the default one)\n"            \
    "  -u, --user NAME[:PASSWORD]  (or BUSBAR_USER, BUSBAR_PASSWORD)\n"             \
    "  --token TOKEN           (or BUSBAR_TOKEN)\n"

/** The library's defaults and the environment. */
void conn_init(struct bb_client_options *options);

/** Take an option, -d and -u among them. False: it is none of these, or its value is none. */
bool conn_take(struct bb_client_options *options, int c, char *value);

#endif
