/*
 * Refused calls. InfluxDB goes through the shards that the query's times touch, and refuses a call
 * in the first that has its field and a series which passes the tags.
 */
#include "engine/query/refusal.h"

#include <string.h>

#include "engine/query/bind.h"
#include "engine/query/presence.h"
#include "engine/query/shard_places.h"
#include "engine/query/shards.h"
#include "engine/query/stream.h"

struct finder {
    struct bbi_qctx *ctx;
    const struct bbi_measurement *measurement;
    const roaring_bitmap_t *series;
    uint32_t field_id;
    int64_t tmin; /* of whole shards, both inclusive */
    int64_t tmax;
    bool found;
};

/* Whether the shard in which the time lies has the field and one of the series. */
static int look_at_shard(struct finder *f, int64_t time_ns, struct bb_error *err)
{
    const struct bbi_ql_condition when = {NULL, time_ns, time_ns, true, true};
    struct bbi_measurement m = *f->measurement;
    m.is_looked_up = false;
    m.fields = NULL;
    m.field_count = 0;
    int rc = bbi_presence_find(f->ctx, &m, &when, err);
    if (rc != BB_OK || !bbi_presence_has(&m, f->field_id)) {
        return rc;
    }
    roaring_bitmap_t *ids = roaring_bitmap_copy(f->series);
    if (ids == NULL) {
        return bbi_error_nomem(err, "series");
    }
    rc = bbi_shards_keep(f->ctx, &m, &when, ids, err);
    f->found = rc == BB_OK && !roaring_bitmap_is_empty(ids);
    roaring_bitmap_free(ids);
    return rc;
}

/* The shards in which a partition lies: InfluxDB's begin on other days. */
static int look_at_place(struct finder *f, uint32_t place, struct bb_error *err)
{
    const struct bbi_rp *rp = &f->measurement->rp;
    int64_t start = bbi_place_start(place, rp->shard_ns);
    int64_t ends[2] = {start,
                       start > INT64_MAX - rp->shard_ns ? INT64_MAX : start + rp->shard_ns - 1};
    int rc = bbi_qctx_check(f->ctx, err);
    for (size_t i = 0; rc == BB_OK && !f->found && i < 2; i++) {
        const struct bbi_ql_condition at = {NULL, ends[i], ends[i], true, true};
        int64_t tmin;
        int64_t tmax;
        bbi_shards_round(rp, &at, &tmin, &tmax);
        if (tmax >= f->tmin && tmin <= f->tmax) {
            rc = look_at_shard(f, ends[i], err);
        }
    }
    return rc;
}

static int find_shard(const struct bbi_plan *plan, const struct bbi_binding *b,
                      const struct bbi_refusal *refusal, bool *found, struct bb_error *err)
{
    const struct bbi_measurement *m = b->measurement;
    struct finder f = {.ctx = plan->ctx, .measurement = m, .series = b->series.bitmap};
    enum bbi_type type;
    roaring_bitmap_t *places;
    while (plan->parent != NULL) {
        plan = plan->parent;
    }
    int rc = bbi_catalog_field_find(f.ctx->env->catalog, m->db_id, m->id,
                                    (const uint8_t *)refusal->field, strlen(refusal->field),
                                    &f.field_id, &type, err);
    if (rc != BB_OK) {
        return rc == BB_ENOTFOUND ? BB_OK : rc;
    }
    bbi_shards_round(&m->rp, &plan->reach, &f.tmin, &f.tmax);
    rc = bbi_shard_places(f.ctx, &m->rp, false, &places, err);
    if (rc != BB_OK) {
        return rc;
    }
    roaring_uint32_iterator_t it;
    roaring_init_iterator(places, &it);
    for (; rc == BB_OK && !f.found && it.has_value; roaring_advance_uint32_iterator(&it)) {
        rc = look_at_place(&f, it.current_value, err);
    }
    roaring_bitmap_free(places);
    *found = f.found;
    return rc;
}

static int find_series(const struct bbi_plan *plan, const struct bbi_refusal *refusal, bool *found,
                       struct bb_error *err)
{
    struct bbi_ref ref = {.name = refusal->field, .cast = refusal->cast, .type = refusal->cast};
    struct bbi_plan rows = *plan;
    int rc = BB_OK;
    rows.call_count = 0;
    rows.refs = &ref;
    rows.ref_count = 1;
    *found = plan->sub_count > 0;
    for (size_t i = 0; rc == BB_OK && !*found && i < plan->from.count; i++) {
        struct bbi_binding b;
        rc = bbi_binding_build(&rows, &plan->from.list[i], &b, err);
        if (rc == BB_OK && !b.is_empty && b.series.groups.count > 0) {
            rc = find_shard(plan, &b, refusal, found, err);
        }
        bbi_binding_fini(&b);
    }
    return rc;
}

/* Whether InfluxDB begins with a subquery: for rows always, for functions if it has what one of
 * them is over; but not if no type is known. */
static bool reads(const struct bbi_plan *plan, const struct bbi_plan *sub)
{
    bool found = plan->call_count == 0 && bbi_plan_begins(plan);
    for (size_t i = 0; i < plan->call_count; i++) {
        const struct bbi_call *call = &plan->calls[i];
        struct bbi_ref name = {.name = call->field, .cast = call->cast, .type = call->input};
        bool known = call->type != BBI_QL_TYPE_UNKNOWN || call->input != BBI_QL_TYPE_UNKNOWN;
        found = found || (known && bbi_stream_subquery_has(sub, &name));
    }
    return found;
}

int bbi_refusal_find(const struct bbi_plan *plan, struct bb_error *err)
{
    bool found = false;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < plan->sub_count; i++) {
        if (reads(plan, plan->subs[i])) {
            rc = bbi_refusal_find(plan->subs[i], err);
        }
    }
    for (const struct bbi_refusal *r = plan->refusals; rc == BB_OK && r != NULL; r = r->next) {
        rc = find_series(plan, r, &found, err);
        rc = rc == BB_OK && found ? bbi_error_set(err, BB_EINVAL, "%s", r->text) : rc;
    }
    return rc;
}
