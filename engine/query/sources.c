#include "engine/query/sources.h"

#include <stdlib.h>
#include <string.h>

#include "engine/query/regex.h"

struct builder {
    struct bbi_qctx *ctx;
    struct bbi_measurements *out;
    size_t cap;
};

static int add(struct builder *b, uint32_t db_id, uint32_t mid, const uint8_t *name, size_t len,
               const struct bbi_rp *rp, struct bb_error *err)
{
    struct bbi_measurements *out = b->out;
    if (out->count == b->cap) {
        size_t cap = b->cap == 0 ? 4 : b->cap * 2;
        struct bbi_measurement *list;
        int rc = bbi_qctx_array(b->ctx, cap, sizeof(list[0]), &list, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (out->count != 0) {
            memcpy(list, out->list, out->count * sizeof(list[0]));
        }
        out->list = list;
        b->cap = cap;
    }
    struct bbi_measurement *m = &out->list[out->count];
    m->name = bbi_arena_dup(&b->ctx->arena, name, len);
    if (m->name == NULL) {
        return bbi_error_nomem(err, "measurements");
    }
    m->db_id = db_id;
    m->id = mid;
    if (rp != NULL) {
        m->rp = *rp;
    }
    out->count++;
    return BB_OK;
}

static int add_matching(struct builder *b, uint32_t db_id, const char *pattern,
                        const struct bbi_rp *rp, struct bb_error *err)
{
    struct bbi_names names;
    struct bbi_regex *regex = NULL;
    int rc = pattern == NULL ? BB_OK : bbi_regex_compile(&b->ctx->arena, pattern, &regex, err);
    if (rc == BB_OK) {
        rc = bbi_catalog_measurements(b->ctx->env->catalog, db_id, &b->ctx->acct, &names, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        const struct bbi_name *n = &names.list[i];
        bool found = true;
        if (regex != NULL) {
            rc = bbi_regex_match(regex, n->name, n->len, &found, err);
        }
        if (rc == BB_OK && found) {
            rc = add(b, db_id, n->id, n->name, n->len, rp, err);
        }
    }
    bbi_names_fini(&names);
    return rc;
}

static int add_source(struct builder *b, uint32_t db_id, const struct bbi_ql_source *source,
                      const struct bbi_rp *rp, struct bb_error *err)
{
    uint32_t mid;
    if (source->subquery != NULL) {
        return bbi_error_set(err, BB_EUNSUPPORTED, "a subquery is not supported");
    }
    if (source->name == NULL) {
        return add_matching(b, db_id, source->regex, rp, err);
    }
    const uint8_t *name = (const uint8_t *)source->name;
    size_t len = strlen(source->name);
    int rc = bbi_catalog_measurement_find(b->ctx->env->catalog, db_id, name, len, &mid, err);
    if (rc == BB_ENOTFOUND) {
        return BB_OK;
    }
    return rc == BB_OK ? add(b, db_id, mid, name, len, rp, err) : rc;
}

/* By name; those of one name in the order of FROM. */
static int by_name(const void *a, const void *b)
{
    const struct bbi_measurement *x = a;
    const struct bbi_measurement *y = b;
    int c = strcmp(x->name, y->name);
    return c != 0 ? c : (x->source > y->source) - (x->source < y->source);
}

static int compare(const void *a, const void *b)
{
    const struct bbi_measurement *x = a;
    const struct bbi_measurement *y = b;
    int c = strcmp(x->name, y->name);
    if (c != 0) {
        return c;
    }
    if (x->db_id != y->db_id) {
        return x->db_id < y->db_id ? -1 : 1;
    }
    return (x->rp.id > y->rp.id) - (x->rp.id < y->rp.id);
}

void bbi_sources_unique(struct bbi_measurements *m)
{
    size_t kept = 0;
    if (m->count == 0) {
        return;
    }
    qsort(m->list, m->count, sizeof(m->list[0]), compare);
    for (size_t i = 1; i < m->count; i++) {
        if (compare(&m->list[kept], &m->list[i]) != 0) {
            m->list[++kept] = m->list[i];
        }
    }
    m->count = kept + 1;
}

static int resolve_policy(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_source *source,
                          struct bbi_rp *rp, struct bb_error *err)
{
    const char *name = source->policy;
    if (name == NULL) {
        name = ctx->query->retention_policy;
    }
    int rc = bbi_catalog_rp_find(ctx->env->catalog, db_id, name, name == NULL ? 0 : strlen(name),
                                 rp, err);
    if (rc == BB_ENOTFOUND && (name == NULL || name[0] == '\0')) {
        const char *database = source->database;
        const char *lost = bbi_qctx_lost_policy(ctx, db_id);
        if (lost != NULL) {
            return bbi_error_set(err, rc, "retention policy not found: %s", lost);
        }
        return bbi_error_set(err, rc, "default retention policy not set for: %.200s",
                             database == NULL ? ctx->query->database : database);
    }
    return rc;
}

int bbi_sources_resolve(struct bbi_qctx *ctx, const struct bbi_ql_source *sources, size_t count,
                        struct bbi_measurements *out, struct bb_error *err)
{
    struct builder b = {.ctx = ctx, .out = out};
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        uint32_t db_id;
        struct bbi_rp rp;
        if (sources[i].subquery != NULL) {
            continue;
        }
        int rc = bbi_qctx_database(ctx, sources[i].database, &db_id, err);
        if (rc == BB_OK) {
            rc = resolve_policy(ctx, db_id, &sources[i], &rp, err);
        }
        size_t before = out->count;
        if (rc == BB_OK) {
            rc = add_source(&b, db_id, &sources[i], &rp, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        for (size_t k = before; k < out->count; k++) {
            out->list[k].source = i;
        }
    }
    if (out->count > 1) {
        qsort(out->list, out->count, sizeof(out->list[0]), by_name);
    }
    return BB_OK;
}

int bbi_sources_list(struct bbi_qctx *ctx, uint32_t db_id, const struct bbi_ql_source *sources,
                     size_t count, struct bbi_measurements *out, struct bb_error *err)
{
    struct builder b = {.ctx = ctx, .out = out};
    int rc = BB_OK;
    memset(out, 0, sizeof(*out));
    if (count == 0) {
        rc = add_matching(&b, db_id, NULL, NULL, err);
    }
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        uint32_t from_db = db_id;
        if (sources[i].database != NULL) {
            rc = bbi_qctx_database(ctx, sources[i].database, &from_db, err);
        }
        if (rc == BB_OK) {
            rc = add_source(&b, from_db, &sources[i], NULL, err);
        }
    }
    bbi_sources_unique(out);
    return rc;
}
