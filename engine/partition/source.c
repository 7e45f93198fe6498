#include "engine/partition/source.h"

#include <string.h>

int bbi_segcursor_open(struct bbi_segcursor *c, struct bbi_segment *seg, const uint32_t *fields,
                       size_t field_count, struct bbi_account *acct, struct bb_error *err)
{
    memset(c, 0, sizeof(*c));
    int rc = bbi_segment_pin(seg, err);
    if (rc != BB_OK) {
        return rc;
    }
    c->seg = bbi_segment_ref(seg);
    c->groups = bbi_segment_groups(seg, &c->group_count);
    c->acct = acct;
    c->fields = fields;
    c->field_count = field_count;
    c->group = SIZE_MAX;
    c->at_end = true;
    bbi_timepage_init(&c->time, acct);
    return BB_OK;
}

void bbi_segcursor_close(struct bbi_segcursor *c)
{
    if (c->seg == NULL) {
        return;
    }
    for (size_t i = 0; i < c->slot_cap; i++) {
        bbi_fieldpage_fini(&c->slots[i].page);
    }
    bbi_mem_free(c->slots);
    bbi_timepage_fini(&c->time);
    bbi_segment_unpin(c->seg);
    bbi_segment_unref(&c->seg);
}

static bool is_wanted(const struct bbi_segcursor *c, uint32_t field_id)
{
    if (c->fields == NULL) {
        return true;
    }
    for (size_t i = 0; i < c->field_count; i++) {
        if (c->fields[i] == field_id) {
            return true;
        }
    }
    return false;
}

static int grow_slots(struct bbi_segcursor *c, size_t need, struct bb_error *err)
{
    if (need <= c->slot_cap) {
        return BB_OK;
    }
    struct bbi_fieldslot *slots = bbi_mem_realloc(c->acct, c->slots, need * sizeof(slots[0]));
    if (slots == NULL) {
        return bbi_error_nomem(err, "field pages");
    }
    for (size_t i = c->slot_cap; i < need; i++) {
        memset(&slots[i], 0, sizeof(slots[i]));
        bbi_fieldpage_init(&slots[i].page, c->acct);
    }
    c->slots = slots;
    c->slot_cap = need;
    return BB_OK;
}

/* Load the times of a group and note which fields it has; their pages come when they are asked for.
 */
static int enter_group(struct bbi_segcursor *c, size_t group, struct bb_error *err)
{
    if (c->group == group) {
        return BB_OK;
    }
    const struct bbi_segment_group *g = &c->groups[group];
    c->group = SIZE_MAX;
    int rc = grow_slots(c, g->field_count, err);
    if (rc == BB_OK) {
        rc = bbi_segment_read_time(c->seg, group, &c->time, err);
    }
    if (rc != BB_OK) {
        return rc;
    }
    c->pages_read++;
    c->slot_count = 0;
    for (size_t i = 0; i < g->field_count; i++) {
        if (is_wanted(c, g->fields[i].field_id)) {
            struct bbi_fieldslot *slot = &c->slots[c->slot_count++];
            slot->field_id = g->fields[i].field_id;
            slot->type = g->fields[i].type;
            slot->index = i;
            slot->loaded = false;
        }
    }
    c->group = group;
    return BB_OK;
}

/* The first chunk of the series in groups [from, c->group_count), as long as they can hold it. */
static int find_from(struct bbi_segcursor *c, size_t from, struct bb_error *err)
{
    c->at_end = true;
    for (size_t g = from; g < c->group_count; g++) {
        const struct bbi_segment_group *group = &c->groups[g];
        if (group->measurement_id > c->measurement_id ||
            (group->measurement_id == c->measurement_id && group->series_min > c->series_id)) {
            return BB_OK;
        }
        if (group->measurement_id != c->measurement_id || group->series_max < c->series_id) {
            continue;
        }
        int rc = enter_group(c, g, err);
        if (rc != BB_OK) {
            return rc;
        }
        size_t chunk = bbi_timepage_find(&c->time, c->series_id);
        if (chunk < c->time.chunk_count && c->time.series[chunk] == c->series_id) {
            c->chunk = chunk;
            c->at_end = false;
            return BB_OK;
        }
    }
    return BB_OK;
}

int bbi_segcursor_seek(struct bbi_segcursor *c, uint32_t measurement_id, uint32_t series_id,
                       struct bb_error *err)
{
    size_t first;
    size_t end;
    c->measurement_id = measurement_id;
    c->series_id = series_id;
    if (c->group != SIZE_MAX && c->groups[c->group].measurement_id == measurement_id &&
        c->groups[c->group].series_min < series_id && c->groups[c->group].series_max > series_id) {
        return find_from(c, c->group, err);
    }
    bbi_segment_find(c->seg, measurement_id, series_id, series_id, &first, &end);
    if (first >= end) {
        c->at_end = true;
        return BB_OK;
    }
    return find_from(c, first, err);
}

int bbi_segcursor_next(struct bbi_segcursor *c, struct bb_error *err)
{
    if (c->chunk + 1 < c->time.chunk_count) {
        c->chunk++;
        c->at_end = c->time.series[c->chunk] != c->series_id;
        return BB_OK;
    }
    return find_from(c, c->group + 1, err);
}

int bbi_segcursor_find(struct bbi_segcursor *c, uint32_t measurement_id, uint32_t series_id,
                       bool *found, uint32_t *found_measurement, uint32_t *found_series,
                       struct bb_error *err)
{
    size_t low = 0;
    size_t high = c->group_count;
    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct bbi_segment_group *g = &c->groups[mid];
        if (g->measurement_id < measurement_id ||
            (g->measurement_id == measurement_id && g->series_max < series_id)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == c->group_count) {
        return BB_OK;
    }
    int rc = enter_group(c, low, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_segment_group *g = &c->groups[low];
    size_t chunk = g->measurement_id == measurement_id ? bbi_timepage_find(&c->time, series_id) : 0;
    if (chunk < c->time.chunk_count) {
        *found = true;
        *found_measurement = g->measurement_id;
        *found_series = c->time.series[chunk];
    }
    return BB_OK;
}

int bbi_segcursor_load(struct bbi_segcursor *c, size_t slot, struct bb_error *err)
{
    struct bbi_fieldslot *s = &c->slots[slot];
    if (s->loaded) {
        return BB_OK;
    }
    int rc = bbi_segment_read_field(c->seg, c->group, s->index, &c->time, &s->page, err);
    if (rc == BB_OK) {
        s->loaded = true;
        c->pages_read++;
    }
    return rc;
}
