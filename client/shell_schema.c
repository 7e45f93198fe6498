#include "client/shell_schema.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_BYTES_MAX ((size_t)32 << 20)
#define ASK_TIMEOUT_MS  10000

struct bbsh_schema {
    char *measurement;
    struct bbsh_names fields; /* with their types */
    struct bbsh_names tags;
};

struct asking {
    struct bbsh_names *names;
    size_t column;
    struct bb_client_error *error;
    bool failed;
};

void bbsh_names_init(struct bbsh_names *names)
{
    text_init(&names->list, NAMES_BYTES_MAX);
    text_init(&names->second, NAMES_BYTES_MAX);
    names->count = 0;
}

void bbsh_names_fini(struct bbsh_names *names)
{
    text_fini(&names->list);
    text_fini(&names->second);
    names->count = 0;
}

static int take_row(void *arg, const struct bb_client_cell *cells, size_t n)
{
    struct asking *a = arg;
    struct bbsh_names *names = a->names;
    if (a->column >= n || names->count >= BBSH_NAMES_MAX)
        return 0;
    const struct bb_client_cell *c = &cells[a->column];
    if (strlen(c->text) != c->len)
        return 0;
    const char *second = a->column + 1 < n ? cells[a->column + 1].text : "";
    text_put(&names->list, c->text, c->len + 1);
    text_put(&names->second, second, strlen(second) + 1);
    names->count++;
    return names->list.failed || names->second.failed ? -1 : 0;
}

static int take_error(void *arg, unsigned statement, const char *text)
{
    struct asking *a = arg;
    (void)statement;
    a->failed = true;
    a->error->kind = BB_CLIENT_SERVER;
    snprintf(a->error->text, sizeof(a->error->text), "%s", text);
    return 0;
}

int bbsh_names_ask(struct bb_client *client, const char *query, size_t column,
                   struct bbsh_names *names, struct bb_client_error *error)
{
    struct bb_client_error said = {0};
    struct asking asking = {names, column, &said, false};
    struct bb_client_handler handler = {
        .arg = &asking, .row = take_row, .statement_error = take_error};
    int rc = bb_client_query(client, query, NULL, &handler, error);
    if (rc == BB_CLIENT_OK && asking.failed) {
        *error = said;
        rc = said.kind;
    }
    return rc;
}

void bbsh_put_quoted(struct text *t, const char *name, char quote)
{
    text_putc(t, quote);
    for (; *name != '\0'; name++) {
        if (*name == quote || *name == '\\')
            text_putc(t, '\\');
        text_putc(t, *name);
    }
    text_putc(t, quote);
}

static int ask(struct bb_client *client, const char *what, const char *measurement,
               struct bbsh_names *names, struct bb_client_error *error)
{
    struct text query;
    text_init(&query, (size_t)1 << 20);
    text_printf(&query, "SHOW %s FROM ", what);
    bbsh_put_quoted(&query, measurement, '"');
    int rc = bbsh_names_ask(client, text_get(&query), 0, names, error);
    text_fini(&query);
    return rc;
}

struct bbsh_schema *bbsh_schema_create(struct shell *shell, const char *measurement)
{
    struct bbsh_schema *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    bbsh_names_init(&s->fields);
    bbsh_names_init(&s->tags);
    s->measurement = strdup(measurement);
    /* The shell's own connection carries the result that asks. */
    struct bb_client *client = NULL;
    struct bb_client_error error = {.kind = BB_CLIENT_NOMEM, .text = "out of memory"};
    struct bb_client_options options = shell->options;
    options.database = shell->database;
    options.query_timeout_ms = ASK_TIMEOUT_MS;
    int rc = s->measurement == NULL ? BB_CLIENT_NOMEM : bb_client_create(&client, &options, &error);
    if (rc == BB_CLIENT_OK)
        rc = ask(client, "FIELD KEYS", measurement, &s->fields, &error);
    if (rc == BB_CLIENT_OK)
        rc = ask(client, "TAG KEYS", measurement, &s->tags, &error);
    bb_client_destroy(&client);
    if (rc != BB_CLIENT_OK) {
        bbsh_tell(shell, &error);
        bbsh_schema_destroy(&s);
    }
    return s;
}

void bbsh_schema_destroy(struct bbsh_schema **schema)
{
    struct bbsh_schema *s = *schema;
    if (s == NULL)
        return;
    bbsh_names_fini(&s->fields);
    bbsh_names_fini(&s->tags);
    free(s->measurement);
    free(s);
    *schema = NULL;
}

const char *bbsh_schema_measurement(const struct bbsh_schema *schema)
{
    return schema->measurement;
}

int bbsh_schema_type(const struct bbsh_schema *schema, const char *column)
{
    const char *name = text_get(&schema->fields.list), *type = text_get(&schema->fields.second);
    for (size_t i = 0; i < schema->fields.count; i++) {
        if (strcmp(name, column) == 0)
            return strcmp(type, "integer") == 0    ? BBSH_INTEGER
                   : strcmp(type, "unsigned") == 0 ? BBSH_UNSIGNED
                   : strcmp(type, "boolean") == 0  ? BBSH_BOOLEAN
                   : strcmp(type, "string") == 0   ? BBSH_STRING
                                                   : BBSH_FLOAT;
        name += strlen(name) + 1;
        type += strlen(type) + 1;
    }
    name = text_get(&schema->tags.list);
    for (size_t i = 0; i < schema->tags.count; i++, name += strlen(name) + 1)
        if (strcmp(name, column) == 0)
            return BBSH_TAG;
    return BBSH_FLOAT;
}
