#include "client/import_conn.h"

#include <stdlib.h>
#include <string.h>

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

bool conn_take(struct bb_client_options *options, int c, char *value)
{
    char *colon;
    switch (c) {
    case CONN_URL:
        options->url = value;
        return *value != '\0';
    case 'd':
    case CONN_DATABASE:
        options->database = value;
        return *value != '\0';
    case CONN_POLICY:
        options->retention_policy = value;
        return *value != '\0';
    case 'u':
    case CONN_USER:
        options->user = value;
        colon = strchr(value, ':');
        if (colon != NULL) {
            *colon = '\0';
            options->password = colon + 1;
        }
        return *value != '\0';
    case CONN_TOKEN:
        options->token = value;
        return *value != '\0';
    default:
        return false;
    }
}
