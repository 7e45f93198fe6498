#include "server/params.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/json_check.h"
#include "server/json_repair.h"

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

/** texts keeps the reason. */
static struct bb_param unknown_param(const char *name, const char *kind, json_t *texts)
{
    json_t *why = json_sprintf("unknown bind object type: %s", kind);
    bool kept = why != NULL && json_array_append_new(texts, why) == 0;
    return error_param(name, kept ? json_string_value(why) : "unknown bind object type");
}

/** {"kind": value} */
static struct bb_param object_param(const char *name, json_t *object, json_t *texts)
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
        return unknown_param(name, kind, texts);
    if (json_is_string(value))
        return text_param(name, BB_PARAM_DURATION, value, "");
    return integer_param(name, BB_PARAM_DURATION_NS, value,
                         "duration literal must be a string or integer value");
}

static struct bb_param make_param(const char *name, json_t *value, json_t *texts)
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
        return object_param(name, value, texts);
    case JSON_ARRAY:
        return error_param(name, "unable to bind parameter with type []interface {}");
    case JSON_NULL:
    default:
        return error_param(name, "unable to bind parameter with type <nil>");
    }
}

static int fail(struct bb_error *err, int code, const char *what, const char *why)
{
    snprintf(err->text, sizeof(err->text), "error parsing %s: %s", what, why);
    return err->code = code;
}

/** In the words of InfluxDB: syntax, then that it is an object, then its numbers. */
static int check(const char *text, size_t n, size_t *used, struct bb_error *err)
{
    static const char what[] = "query parameters";
    static const char no_object[] = "json: cannot unmarshal %s into Go value of type "
                                    "map[string]interface {}";
    struct json_check c;
    char why[128];
    json_check(text, n, &c);
    *used = c.kind == 'n' ? 0 : c.end;
    if (c.why[0] != '\0')
        return fail(err, BB_EPARSE, what, c.why);
    if (c.kind != '{' && c.kind != 'n') {
        snprintf(why, sizeof(why), no_object,
                 c.kind == '['                    ? "array"
                 : c.kind == '"'                  ? "string"
                 : c.kind == 't' || c.kind == 'f' ? "bool"
                                                  : "number");
        return fail(err, BB_EPARSE, what, why);
    }
    return c.number[0] == '\0' ? BB_OK : fail(err, BB_EPARSE, "json value", c.number);
}

static int load(const char *text, size_t n, struct params *params, struct bb_error *err)
{
    static const char what[] = "query parameters";
    json_error_t why;
    struct buf sound;
    buf_init(&sound, SIZE_MAX, NULL);
    int rc = json_repair(text, n, &sound);
    if (rc == BB_OK)
        params->document = json_loadb(sound.data, sound.len, 0, &why);
    buf_fini(&sound);
    if (rc != BB_OK)
        return fail(err, rc, what, "out of memory");
    params->texts = json_array();
    if (params->document == NULL)
        return fail(err, BB_EPARSE, what, why.text);
    size_t count = json_object_size(params->document);
    if (count > BB_PARAM_COUNT_MAX)
        return fail(err, BB_ELIMIT, what, "too many");
    if (count > 0)
        params->list = calloc(count, sizeof(params->list[0]));
    if (params->texts == NULL || (count > 0 && params->list == NULL))
        return fail(err, BB_ENOMEM, what, "out of memory");
    return BB_OK;
}

int params_parse(const char *text, size_t n, struct params *params, struct bb_error *err)
{
    size_t used = 0;
    memset(params, 0, sizeof(*params));
    int rc = n == 0 ? BB_OK : check(text, n, &used, err);
    if (rc != BB_OK || used == 0) /* null: none */
        return rc;
    rc = load(text, used, params, err);
    if (rc != BB_OK) {
        params_fini(params);
        return rc;
    }
    const char *name;
    json_t *value;
    json_object_foreach(params->document, name, value)
        params->list[params->count++] = make_param(name, value, params->texts);
    return BB_OK;
}

void params_fini(struct params *params)
{
    free(params->list);
    json_decref(params->document);
    json_decref(params->texts);
    memset(params, 0, sizeof(*params));
}
