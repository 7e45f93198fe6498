#ifndef CLIENT_IMPORT_CONN_H
#define CLIENT_IMPORT_CONN_H

#include <stdbool.h>

#include "client/busbar_client.h"

/** Options that say which server, of import, export and status alike. */
enum {
    CONN_DATABASE = 512,
    CONN_POLICY,
    CONN_PASSWORD,
    CONN_TOKEN,
    CONN_CA_FILE
};

#define CONN_LONG_OPTIONS                                                                     \
    {"url", required_argument, NULL, 'H'}, {"database", required_argument, NULL, 'd'},        \
        {"db", required_argument, NULL, CONN_DATABASE},                                       \
        {"rp", required_argument, NULL, CONN_POLICY}, {"user", required_argument, NULL, 'u'}, \
        {"password", required_argument, NULL, CONN_PASSWORD},                                 \
        {"token", required_argument, NULL, CONN_TOKEN},                                       \
    {                                                                                         \
        "ca-file", required_argument, NULL, CONN_CA_FILE                                      \
    }

#define CONN_USAGE                                                                       \
    "  -H, --url URL           the server (http://127.0.0.1:8086; BUSBAR_URL)\n"         \
    "  -d, --database NAME     its database\n"                                           \
    "  --rp NAME               and retention policy (the default one)\n"                 \
    "  -u, --user NAME         (BUSBAR_USER); its password is asked for if not given\n"  \
    "  --password WORD         better by BUSBAR_PASSWORD, which no process list shows\n" \
    "  --token TOKEN           better by BUSBAR_TOKEN\n"                                 \
    "  --ca-file FILE          certificates to trust\n"

/** The library's defaults and the environment. */
void conn_init(struct bb_client_options *options);

/** Take an option, -H, -d and -u among them. False: it is none of these, or its value is none. */
bool conn_take(struct bb_client_options *options, int c, const char *value);

#endif
