#include "server/params.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bb_param error_param(const char *name, const char *why)
{
    return (struct bb_param){.name = name, .kind = BB_PARAM_ERROR, .v.str = why};
}

static struct bb_param text_param(const char *name, enum bb_param_kind kind, const json_t *value,
                                  const char *otherwise)
{
    if (!json_is_string(value))
        return error_param(name, otherwise);
    return (struct bb_param){.name = name, .kind = kind, .v.str = json_string_value(value)};
}

static struct bb_param integer_param(const char *name, enum bb_param_kind kind, const json_t *value,
                                     const char *otherwise)
{
    if (!json_is_integer(value))
        return error_param(name, otherwise);
    return (struct bb_param){.name = name, .kind = kind, .v.i = json_integer_value(value)};
}

static struct bb_param float_param(const char *name, const json_t *value)
{
    if (!json_is_number(value))
        return error_param(name, "number literal must be a float value");
    return (struct bb_param){.name = name, .kind = BB_PARAM_FLOAT, .v.f = json_number_value(value)};
}

/** {"kind": value} */
static struct bb_param object_param(const char *name, json_t *object)
{
    static const char one[] = "bound object parameter value must have exactly one entry";
    if (json_object_size(object) != 1)
        return error_param(name, one);
    void *entry = json_object_iter(object);
    const char *kind = json_object_iter_key(entry);
    const json_t *value = json_object_iter_value(entry);
    if (strcmp(kind, "ident") == 0 || strcmp(kind, "identifier") == 0)
        return text_param(name, BB_PARAM_IDENTIFIER, value, "identifier must be a string value");
    if (strcmp(kind, "regex") == 0)
        return text_param(name, BB_PARAM_REGEX, value, "regex literal must be a string value");
    if (strcmp(kind, "string") == 0)
        return text_param(name, BB_PARAM_STRING, value, "string literal must be a string value");
    if (strcmp(kind, "float") == 0 || strcmp(kind, "number") == 0)
        return float_param(name, value);
    if (strcmp(kind, "int") == 0 || strcmp(kind, "integer") == 0)
        return integer_param(name, BB_PARAM_INT, value, "integer literal must be an integer value");
    if (strcmp(kind, "duration") != 0)
        return error_param(name, "unknown bind object type");
    if (json_is_string(value))
        return text_param(name, BB_PARAM_DURATION, value, "");
    return integer_param(name, BB_PARAM_DURATION_NS, value,
                         "duration literal must be a string or integer value");
}

static struct bb_param make_param(const char *name, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return text_param(name, BB_PARAM_STRING, value, "");
    case JSON_INTEGER:
        return integer_param(name, BB_PARAM_INT, value, "");
    case JSON_REAL:
        return float_param(name, value);
    case JSON_TRUE:
    case JSON_FALSE:
        return (struct bb_param){.name = name, .kind = BB_PARAM_BOOL, .v.b = json_is_true(value)};
    case JSON_OBJECT:
        return object_param(name, value);
    case JSON_ARRAY:
        return error_param(name, "unable to bind parameter with an array");
    case JSON_NULL:
    default:
        return error_param(name, "unable to bind parameter with null");
    }
}

static int fail(struct bb_error *err, int code, const char *why)
{
    snprintf(err->text, sizeof(err->text), "error parsing query parameters: %s", why);
    return err->code = code;
}

int params_parse(const char *text, size_t n, struct params *params, struct bb_error *err)
{
    json_error_t why;
    memset(params, 0, sizeof(*params));
    if (n == 0)
        return BB_OK;
    json_t *document = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (document == NULL)
        return fail(err, BB_EPARSE, why.text);
    params->document = document;
    size_t count = json_object_size(document);
    int rc = BB_OK;
    if (!json_is_object(document))
        rc = fail(err, BB_EPARSE, "not a JSON object");
    else if (count > BB_PARAM_COUNT_MAX)
        rc = fail(err, BB_ELIMIT, "too many");
    else if (count > 0 && (params->list = calloc(count, sizeof(params->list[0]))) == NULL)
        rc = fail(err, BB_ENOMEM, "out of memory");
    if (rc != BB_OK) {
        params_fini(params);
        return rc;
    }
    const char *name;
    json_t *value;
    json_object_foreach(document, name, value)
        params->list[params->count++] = make_param(name, value);
    return BB_OK;
}

void params_fini(struct params *params)
{
    free(params->list);
    json_decref(params->document);
    memset(params, 0, sizeof(*params));
}
