#include "client/import_conn.h"

#include <stdlib.h>

static void take_environment(const char **value, const char *name)
{
    const char *text = getenv(name);
    if (text != NULL && *text != '\0')
        *value = text;
}

void conn_init(struct bb_client_options *options)
{
    bb_client_options_init(options);
    take_environment(&options->url, "BUSBAR_URL");
    take_environment(&options->user, "BUSBAR_USER");
    take_environment(&options->password, "BUSBAR_PASSWORD");
    take_environment(&options->token, "BUSBAR_TOKEN");
}

bool conn_take(struct bb_client_options *options, int c, const char *value)
{
    const char **target;
    switch (c) {
    case 'H':
        target = &options->url;
        break;
    case 'd':
    case CONN_DATABASE:
        target = &options->database;
        break;
    case CONN_POLICY:
        target = &options->retention_policy;
        break;
    case 'u':
        target = &options->user;
        break;
    case CONN_PASSWORD:
        target = &options->password;
        break;
    case CONN_TOKEN:
        target = &options->token;
        break;
    case CONN_CA_FILE:
        target = &options->ca_file;
        break;
    default:
        return false;
    }
    *target = value;
    return *value != '\0';
}
