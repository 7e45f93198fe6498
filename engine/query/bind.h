/**
 * A plan bound to one measurement: names become fields and tags, the condition becomes series and a
 * filter, and the scan is ready to run.
 */
#ifndef BBI_QUERY_BIND_H
#define BBI_QUERY_BIND_H

#include "engine/query/filter.h"
#include "engine/query/groups.h"
#include "engine/query/plan.h"
#include "engine/query/scan.h"

enum bbi_ref_kind {
    BBI_REF_NONE, /* no value in this measurement */
    BBI_REF_FIELD,
    BBI_REF_TAG
};

/** Where a name of the plan comes from. */
struct bbi_ref_source {
    enum bbi_ref_kind kind;
    size_t index;          /* of binding->refs' fields, or of the series' tags */
    enum bbi_ql_type cast; /* UNKNOWN: as it is */
};

/** Some fields of a measurement, ascending. */
struct bbi_field_list {
    uint32_t *ids; /* [count] */
    uint8_t *types;
    size_t count;
};

struct bbi_binding {
    const struct bbi_plan *plan;
    const struct bbi_measurement *measurement;
    struct bbi_field_list fields;     /* what the scan reads */
    struct bbi_field_list ref_fields; /* those of the plan's names */
    size_t *call_fields;              /* [call_count] into fields; SIZE_MAX: there is none */
    struct bbi_ref_source *refs;      /* [ref_count]; fields count into ref_fields */
    const char **tags;                /* [tag_count] that names and filter want */
    size_t tag_count;
    bool has_filter;
    struct bbi_filter filter; /* fields count into fields */
    bool is_empty;            /* nothing can come of it */
    struct bbi_series_set series;
    uint32_t *order_of; /* [series.groups.count] the place of each group in the order of the query,
                           where several may share one; NULL: each its own */
    size_t order_count;
    struct bbi_qscan scan;
    roaring_bitmap_t *others;
};

/** Bind. out needs bbi_binding_fini afterwards, also on an error. */
int bbi_binding_build(const struct bbi_plan *plan, const struct bbi_measurement *measurement,
                      struct bbi_binding *out, struct bb_error *err) BB_CHECKED;
void bbi_binding_fini(struct bbi_binding *b);

/** The place of a series in the order of the query. */
static inline uint32_t bbi_binding_order(const struct bbi_binding *b, size_t series_at)
{
    uint32_t group = bbi_series_group(&b->series, series_at);
    return b->order_of == NULL ? group : b->order_of[group];
}

/** Index of a field; SIZE_MAX: it is not among them. */
size_t bbi_field_list_find(const struct bbi_field_list *list, uint32_t field_id);

#endif
