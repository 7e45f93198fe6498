#include "client/export_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Collects the first two columns of a SHOW statement's rows. */
struct collected {
    struct export_names first, second;
    int want_column; /* the row counts only if this column is "true"; -1: always */
    bool failed;
    struct bb_client_error *err;
};

void export_names_fini(struct export_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct export_names){0};
}

void export_quote(struct import_buf *out, const char *name)
{
    import_buf_add_char(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '\n') {
            import_buf_add_text(out, "\\n");
            continue;
        }
        if (*name == '"' || *name == '\\')
            import_buf_add_char(out, '\\');
        import_buf_add_char(out, *name);
    }
    import_buf_add_char(out, '"');
}

static bool add_name(struct export_names *names, const char *text)
{
    if ((names->count & (names->count + 1)) == 0) { /* 0, 1, 3, 7 ... are full */
        char **grown = realloc(names->names, (2 * names->count + 1) * sizeof(*grown));
        if (grown == NULL)
            return false;
        names->names = grown;
    }
    names->names[names->count] = strdup(text);
    return names->names[names->count++] != NULL;
}

static int take_row(void *arg, const struct bb_client_cell *cells, size_t n)
{
    struct collected *c = arg;
    if (n == 0 || (c->want_column >= 0 && ((size_t)c->want_column >= n ||
                                           strcmp(cells[c->want_column].text, "true") != 0)))
        return 0;
    c->failed = !add_name(&c->first, cells[0].text) ||
                !add_name(&c->second, n > 1 ? cells[1].text : "");
    return c->failed;
}

static int take_error(void *arg, unsigned statement, const char *text)
{
    struct collected *c = arg;
    (void)statement;
    c->err->kind = BB_CLIENT_SERVER;
    c->err->status = 400;
    snprintf(c->err->text, sizeof(c->err->text), "%s", text);
    return 1;
}

static int collect(struct bb_client *client, struct import_buf *text, struct collected *c,
                   struct bb_client_error *err)
{
    struct bb_client_error query_err;
    struct bb_client_handler handler = {.arg = c, .row = take_row, .statement_error = take_error};
    *err = (struct bb_client_error){0};
    c->err = err;
    int rc = text->failed
                 ? BB_CLIENT_NOMEM
                 : bb_client_query(client, import_buf_text(text), NULL, &handler, &query_err);
    import_buf_fini(text);
    if (err->kind != BB_CLIENT_OK)
        return err->kind;
    if (rc == BB_CLIENT_NOMEM || c->failed) {
        snprintf(err->text, sizeof(err->text), "out of memory");
        return err->kind = BB_CLIENT_NOMEM;
    }
    if (rc != BB_CLIENT_OK)
        *err = query_err;
    return rc;
}

int export_measurements(struct bb_client *client, struct export_names *names,
                        struct bb_client_error *err)
{
    struct import_buf text = {0};
    struct collected c = {.want_column = -1};
    import_buf_add_text(&text, "SHOW MEASUREMENTS");
    int rc = collect(client, &text, &c, err);
    *names = c.first;
    export_names_fini(&c.second);
    return rc;
}

int export_default_policy(struct bb_client *client, const char *database,
                          struct export_names *policies, struct bb_client_error *err)
{
    struct import_buf text = {0};
    struct collected c = {.want_column = 4};
    import_buf_add_text(&text, "SHOW RETENTION POLICIES ON ");
    export_quote(&text, database);
    int rc = collect(client, &text, &c, err);
    *policies = c.first;
    export_names_fini(&c.second);
    return rc;
}

static bool type_of(const char *name, enum export_type *type)
{
    static const char *const names[] = {"float", "integer", "unsigned", "boolean", "string"};
    for (int i = 0; i < 5; i++) {
        if (strcmp(names[i], name) == 0) {
            *type = (enum export_type)i;
            return true;
        }
    }
    return false;
}

static int take_fields(struct export_format *format, struct collected *c,
                       struct bb_client_error *err)
{
    format->fields = calloc(c->first.count + 1, sizeof(*format->fields));
    if (format->fields == NULL) {
        snprintf(err->text, sizeof(err->text), "out of memory");
        return err->kind = BB_CLIENT_NOMEM;
    }
    for (size_t i = 0; i < c->first.count; i++) {
        struct export_field *field = &format->fields[format->field_count++];
        field->name = c->first.names[i];
        c->first.names[i] = NULL;
        if (type_of(c->second.names[i], &field->type))
            continue;
        snprintf(err->text, sizeof(err->text), "field %s is of an unknown type: %s", field->name,
                 c->second.names[i]);
        return err->kind = BB_CLIENT_PROTOCOL;
    }
    return BB_CLIENT_OK;
}

int export_schema(struct bb_client *client, const char *measurement, struct export_format *format,
                  struct bb_client_error *err)
{
    struct import_buf text = {0};
    struct collected fields = {.want_column = -1}, tags = {.want_column = -1};
    import_buf_add_text(&text, "SHOW FIELD KEYS FROM ");
    export_quote(&text, measurement);
    int rc = collect(client, &text, &fields, err);
    if (rc == BB_CLIENT_OK)
        rc = take_fields(format, &fields, err);
    if (rc == BB_CLIENT_OK) {
        import_buf_add_text(&text, "SHOW TAG KEYS FROM ");
        export_quote(&text, measurement);
        rc = collect(client, &text, &tags, err);
    }
    format->tags = tags.first.names;
    format->tag_count = tags.first.count;
    export_names_fini(&tags.second);
    export_names_fini(&fields.first);
    export_names_fini(&fields.second);
    return rc;
}

void export_schema_fini(struct export_format *format)
{
    for (size_t i = 0; i < format->field_count; i++)
        free(format->fields[i].name);
    free(format->fields);
    for (size_t i = 0; i < format->tag_count; i++)
        free(format->tags[i]);
    free(format->tags);
    format->fields = NULL;
    format->tags = NULL;
    format->field_count = format->tag_count = 0;
}
