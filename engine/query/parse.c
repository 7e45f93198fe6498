#include "engine/query/parse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/influxql/influxql.h"
#include "engine/query/regex.h"

static int by_name(const void *a, const void *b)
{
    const struct bbi_ql_param *x = a;
    const struct bbi_ql_param *y = b;
    return strcmp(x->name, y->name);
}

static void convert(const struct bb_param *from, struct bbi_ql_param *to)
{
    to->name = from->name;
    switch (from->kind) {
    case BB_PARAM_FLOAT:
        to->kind = BBI_QL_NUMBER;
        to->value.number = from->v.f;
        break;
    case BB_PARAM_INT:
    case BB_PARAM_DURATION_NS:
        to->kind = from->kind == BB_PARAM_INT ? BBI_QL_INTEGER : BBI_QL_DURATION;
        to->value.integer = from->v.i;
        break;
    case BB_PARAM_BOOL:
        to->kind = BBI_QL_BOOLEAN;
        to->value.boolean = from->v.b;
        break;
    case BB_PARAM_DURATION:
        to->kind = BBI_QL_DURATION;
        to->text = from->v.str;
        break;
    case BB_PARAM_STRING:
    case BB_PARAM_REGEX:
    case BB_PARAM_IDENTIFIER:
    case BB_PARAM_ERROR:
        to->kind = from->kind == BB_PARAM_STRING       ? BBI_QL_STRING
                   : from->kind == BB_PARAM_REGEX      ? BBI_QL_REGEX
                   : from->kind == BB_PARAM_IDENTIFIER ? BBI_QL_VAR
                                                       : BBI_QL_PARAM;
        to->value.string = from->v.str;
        break;
    }
}

/* The parser wants them sorted. */
static int sorted_params(const struct bb_query *query, struct bbi_arena *arena,
                         struct bbi_ql_options *options, struct bb_error *err)
{
    size_t count = query->param_count;
    if (count == 0) {
        return BB_OK;
    }
    if (count > BB_PARAM_COUNT_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "more than %d query parameters", BB_PARAM_COUNT_MAX);
    }
    struct bbi_ql_param *params = bbi_arena_zalloc(arena, count, sizeof(params[0]));
    if (params == NULL) {
        return bbi_error_nomem(err, "query parameters");
    }
    for (size_t i = 0; i < count; i++) {
        if (query->params[i].kind == BB_PARAM_FLOAT && !isfinite(query->params[i].v.f)) {
            return bbi_error_set(err, BB_EINVAL, "query parameter %.200s is not finite",
                                 query->params[i].name);
        }
        convert(&query->params[i], &params[i]);
    }
    qsort(params, count, sizeof(params[0]), by_name);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(params[i - 1].name, params[i].name) == 0) {
            return bbi_error_set(err, BB_EINVAL, "query parameter %.200s is given twice",
                                 params[i].name);
        }
    }
    options->params = params;
    options->param_count = count;
    return BB_OK;
}

/* A pattern is refused with the text that it is part of, before anything runs. */
static bool regex_good(void *arg, const char *pattern, char *fault, size_t fault_size)
{
    struct bbi_arena *of_tree = arg;
    struct bbi_arena arena;
    struct bbi_regex *regex;
    struct bb_error err;
    bbi_arena_init(&arena, of_tree->acct);
    bool good = bbi_regex_compile(&arena, pattern, &regex, &err) == BB_OK;
    bbi_arena_fini(&arena);
    if (!good) {
        (void)snprintf(fault, fault_size, "%s", err.text);
    }
    return good;
}

static bool zone_known(void *zones, const char *name)
{
    const struct bbi_zone *zone;
    struct bb_error err;
    return bbi_zones_get(zones, name, &zone, &err) == BB_OK;
}

int bbi_query_parse(const struct bb_query *query, struct bbi_zones *zones, struct bbi_arena *arena,
                    struct bbi_ql_query **out, struct bb_error *err)
{
    struct bbi_ql_options options = {
        .regex_good = regex_good, .regex_arg = arena, .zone_known = zone_known, .zone_arg = zones};
    *out = NULL;
    int rc = sorted_params(query, arena, &options, err);
    return rc == BB_OK ? bbi_ql_parse(query->text, query->text_length, &options, arena, out, err)
                       : rc;
}
