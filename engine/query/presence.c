#include "engine/query/presence.h"

#include <string.h>

#include "engine/query/raw_cursor.h"
#include "engine/query/shards.h"

/* Bytes of rows to hold while looking for one. */
#define PROBE_BYTES (1 << 20)

/* What is known of a field so far. */
enum known {
    UNSEEN,
    LIKELY, /* rows of it may lie in the time, or may have been deleted */
    CERTAIN
};

struct search {
    struct bbi_qctx *ctx;
    struct bbi_measurement *m;
    int64_t tmin; /* whole shards */
    int64_t tmax;
    uint32_t *ids; /* [count] ascending: all fields that the measurement has somewhere */
    const char **names;
    uint8_t *known;
    size_t count;
    size_t certain_count;
};

static bool is_inside(const struct search *s, int64_t time)
{
    return time >= s->tmin && time <= s->tmax;
}

static void note(struct search *s, uint32_t field_id, enum known known)
{
    size_t i = bbi_series_find(s->ids, 0, s->count, field_id);
    if (i < s->count && s->ids[i] == field_id && s->known[i] < known) {
        s->known[i] = (uint8_t)known;
        s->certain_count += known == CERTAIN;
    }
}

/* ---- segments ---- */

static void look_at_group(struct search *s, const struct bbi_segment_meta *meta,
                          const struct bbi_segment_group *group)
{
    const struct bbi_snapshot *snapshot = &s->ctx->snapshot;
    bool whole = group->tmin >= s->tmin && group->tmax <= s->tmax;
    bool touches = is_inside(s, group->tmin) || is_inside(s, group->tmax);
    if (group->tmin > s->tmax || group->tmax < s->tmin) {
        return;
    }
    bool deleted = bbi_tombset_touches_range(snapshot->tombs, snapshot->lsn, meta->db_id,
                                             meta->rp_id, group->series_min, group->series_max,
                                             group->tmin, group->tmax, meta->tombs_lsn);
    for (uint32_t i = 0; i < group->field_count; i++) {
        const struct bbi_segment_field *f = &group->fields[i];
        bool sure = whole || (touches && f->value_count == group->row_count);
        note(s, f->field_id, sure && !deleted ? CERTAIN : LIKELY);
    }
}

static int look_at_segment(struct search *s, const struct bbi_live_segment *live,
                           struct bb_error *err)
{
    size_t first;
    size_t end;
    size_t count;
    int rc = bbi_segment_pin(live->segment, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_segment_group *groups = bbi_segment_groups(live->segment, &count);
    bbi_segment_find(live->segment, s->m->id, 0, UINT32_MAX, &first, &end);
    for (size_t i = first; i < end && s->certain_count < s->count; i++) {
        if (groups[i].measurement_id == s->m->id) {
            look_at_group(s, &live->meta, &groups[i]);
        }
    }
    bbi_segment_unpin(live->segment);
    return bbi_qctx_check(s->ctx, err);
}

/* New ones first: they are the likeliest to have all fields of today. */
static int look_at_segments(struct search *s, struct bb_error *err)
{
    const struct bbi_version *version = s->ctx->snapshot.version;
    size_t first = 0;
    size_t count = 0;
    int rc = BB_OK;
    if (version != NULL) {
        bbi_version_range(version, s->m->db_id, s->m->rp.id, &first, &count);
    }
    for (size_t i = first + count; rc == BB_OK && i > first; i--) {
        const struct bbi_live_segment *live = &version->segments[i - 1];
        if (live->meta.tmin > s->tmax || live->meta.tmax < s->tmin) {
            continue;
        }
        s->m->has_shard = true;
        if (!live->quarantined && s->certain_count < s->count) {
            rc = look_at_segment(s, live, err);
        }
    }
    return rc;
}

/* ---- memory ---- */

static void look_at_series(struct search *s, const struct bbi_memspace *space, uint32_t series_id)
{
    const struct bbi_snapshot *snapshot = &s->ctx->snapshot;
    struct bbi_memfield fields[64];
    size_t count = bbi_memspace_fields(space, series_id, fields, 64);
    for (size_t i = 0; i < s->count && count > 64; i++) {
        note(s, s->ids[i], LIKELY); /* more than can be told here */
    }
    for (size_t i = 0; i < count && i < 64; i++) {
        const struct bbi_memfield *f = &fields[i];
        if (f->tmin > s->tmax || f->tmax < s->tmin) {
            continue;
        }
        bool deleted = bbi_tombset_touches(snapshot->tombs, snapshot->lsn, s->m->db_id, s->m->rp.id,
                                           series_id, f->tmin, f->tmax, 0);
        bool sure = is_inside(s, f->tmin) || is_inside(s, f->tmax);
        note(s, f->field_id, sure && !deleted ? CERTAIN : LIKELY);
    }
}

static int look_at_space(void *arg, const struct bbi_memspace *space, uint64_t base_lsn,
                         struct bb_error *err)
{
    struct search *s = arg;
    roaring_bitmap_t *all;
    (void)base_lsn;
    s->m->has_shard = true;
    int rc = bbi_catalog_select(s->ctx->env->catalog, s->m->db_id, s->m->id, NULL, &all, err);
    if (rc != BB_OK) {
        return rc;
    }
    roaring_uint32_iterator_t it;
    roaring_init_iterator(all, &it);
    for (size_t n = 1; rc == BB_OK && it.has_value && s->certain_count < s->count; n++) {
        look_at_series(s, space, it.current_value);
        roaring_advance_uint32_iterator(&it);
        rc = n % 4096 == 0 ? bbi_qctx_check(s->ctx, err) : BB_OK;
    }
    roaring_bitmap_free(all);
    return rc;
}

static int look_at_memory(struct search *s, struct bb_error *err)
{
    return bbi_shards_each_space(s->ctx, &s->m->rp, s->tmin, s->tmax, look_at_space, s, err);
}

/* ---- where only the rows can tell ---- */

static int probe(struct search *s, size_t i, struct bb_error *err)
{
    struct bbi_ref ref = {
        .name = s->names[i], .cast = BBI_QL_TYPE_FIELD, .type = BBI_QL_TYPE_FIELD};
    struct bbi_plan plan = {
        .ctx = s->ctx, .refs = &ref, .ref_count = 1, .tie_count = 1, .limit = 1};
    struct bbi_binding b;
    struct bbi_raw_cursor cursor;
    struct bbi_raw_row row;
    bool any = false;
    plan.when = (struct bbi_ql_condition){NULL, s->tmin, s->tmax, true, true};
    int rc = bbi_binding_build(&plan, s->m, &b, err);
    if (rc == BB_OK) {
        rc = bbi_raw_cursor_open(&cursor, &b, PROBE_BYTES, err);
        rc = rc == BB_OK ? bbi_raw_cursor_next(&cursor, &row, &any, err) : rc;
        bbi_raw_cursor_close(&cursor);
    }
    bbi_binding_fini(&b);
    if (rc == BB_OK && any) {
        note(s, s->ids[i], CERTAIN);
    }
    return rc;
}

/* ---- all together ---- */

static int list_fields(struct search *s, struct bb_error *err)
{
    struct bbi_qctx *ctx = s->ctx;
    struct bbi_names names;
    int rc = bbi_catalog_fields(ctx->env->catalog, s->m->db_id, s->m->id, &ctx->acct, &names, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_qctx_array(ctx, names.count, sizeof(s->ids[0]), &s->ids, err);
    rc = rc == BB_OK ? bbi_qctx_array(ctx, names.count, sizeof(s->names[0]), &s->names, err) : rc;
    rc = rc == BB_OK ? bbi_qctx_array(ctx, names.count, sizeof(s->known[0]), &s->known, err) : rc;
    for (size_t i = 0; rc == BB_OK && i < names.count; i++) {
        size_t at = s->count++;
        for (; at > 0 && s->ids[at - 1] > names.list[i].id; at--) {
            s->ids[at] = s->ids[at - 1];
            s->names[at] = s->names[at - 1];
        }
        s->ids[at] = names.list[i].id;
        s->names[at] = bbi_arena_dup(&ctx->arena, names.list[i].name, names.list[i].len);
        rc = s->names[at] == NULL ? bbi_error_nomem(err, "names of fields") : BB_OK;
    }
    bbi_names_fini(&names);
    return rc;
}

int bbi_presence_find(struct bbi_qctx *ctx, struct bbi_measurement *m,
                      const struct bbi_ql_condition *when, struct bb_error *err)
{
    struct search s = {.ctx = ctx, .m = m};
    int rc = BB_OK;
    if (m->is_looked_up) {
        return BB_OK;
    }
    rc = bbi_shards_are_all(ctx, m->db_id, when, &m->has_all, err);
    m->has_shard = m->has_all;
    if (rc == BB_OK && !m->has_all) {
        bbi_shards_round(&m->rp, when, &s.tmin, &s.tmax);
        rc = list_fields(&s, err);
        rc = rc == BB_OK ? look_at_segments(&s, err) : rc;
        rc = rc == BB_OK ? look_at_memory(&s, err) : rc;
    }
    for (size_t i = 0; rc == BB_OK && i < s.count; i++) {
        rc = s.known[i] == LIKELY ? probe(&s, i, err) : BB_OK;
    }
    for (size_t i = 0; rc == BB_OK && i < s.count; i++) {
        if (s.known[i] == CERTAIN) {
            s.ids[m->field_count++] = s.ids[i];
        }
    }
    m->fields = s.ids;
    m->is_looked_up = rc == BB_OK;
    return rc;
}

bool bbi_presence_has(const struct bbi_measurement *m, uint32_t field_id)
{
    size_t i = m->has_all ? 0 : bbi_series_find(m->fields, 0, m->field_count, field_id);
    return m->has_all || (i < m->field_count && m->fields[i] == field_id);
}
