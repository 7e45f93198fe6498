/**
 * The machines of one function for groups that interleave: one for each group that is met.
 */
#ifndef BBI_QUERY_MACHINES_H
#define BBI_QUERY_MACHINES_H

#include "engine/query/fn.h"
#include "engine/query/stream.h"

struct bbi_machine {
    struct bbi_group group;
    struct bbi_fn *fn;
};

struct bbi_machines {
    const struct bbi_plan *plan;
    const struct bbi_call *call;
    struct bbi_fn_spec spec;
    struct bb_value *aux;     /* [spec.aux_count] of the point that is pushed */
    struct bbi_machine *list; /* [count] in use, others up to `made` wait to be used again */
    size_t count;
    size_t made;
    size_t cap;
    size_t last;       /* that was found */
    uint32_t *slots;   /* [slot_count] hash table: index + 1; 0: free */
    size_t slot_count; /* a power of two */
};

/** Read the call. flow: of the machines' points. Needs bbi_machines_fini afterwards, also on an
 * error. */
int bbi_machines_init(struct bbi_machines *m, const struct bbi_flow *flow,
                      const struct bbi_call *call, struct bb_error *err) BB_CHECKED;
void bbi_machines_fini(struct bbi_machines *m);

/** The group's machine, made if need be. */
int bbi_machines_find(struct bbi_machines *m, const struct bbi_group *group,
                      struct bbi_machine **out, struct bb_error *err) BB_CHECKED;

/** Push a point, cast to what the function takes; one that cannot be is left out. */
int bbi_machines_push(struct bbi_machines *m, struct bbi_machine *machine,
                      const struct bbi_stream_point *point, struct bb_error *err) BB_CHECKED;

/** Sort the list by group. Nothing is found any more until they are cleared. */
void bbi_machines_sort(struct bbi_machines *m);

/** Forget all groups; their machines are reset. */
void bbi_machines_clear(struct bbi_machines *m);

/** A result as a point of the stream, its time as it is. aux: as a stream gives it. */
void bbi_machines_result(const struct bbi_machines *m, const struct bbi_machine *machine,
                         const struct bbi_fn_point *result, struct bbi_stream_point *out);

#endif
