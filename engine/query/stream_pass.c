/* Points to points: functions over all of a group, derivative() and its like. */
#include "engine/query/machines.h"

#include <string.h>

struct pass {
    struct bbi_stream base;
    struct bbi_flow flow;
    struct bbi_stream *input;
    struct bbi_machines machines;
    struct bbi_stream_point head;
    bool has_head;
    bool ended;
    size_t giving; /* the machine whose results are given */
    bool ending;   /* all of these points have come: machine by machine gives the rest */
    uint64_t count;
};

static int pull(struct pass *p, struct bb_error *err)
{
    int rc = BB_OK;
    do {
        rc = p->input->next(p->input, &p->head, &p->has_head, err);
    } while (rc == BB_OK && p->has_head && p->head.value.kind == BB_VALUE_NULL);
    p->ended = !p->has_head;
    if (rc == BB_OK && p->count++ % 4096 == 4095) {
        rc = bbi_qctx_check(p->flow.plan->ctx, err);
    }
    return rc;
}

/* Whether the next point may go to one of the machines. */
static bool goes_on(const struct pass *p)
{
    return p->has_head &&
           (p->machines.count == 0 ||
            bbi_group_compare_order(p->flow.plan, &p->head.group, &p->machines.list[0].group) == 0);
}

static int push(struct pass *p, struct bb_error *err)
{
    struct bbi_machine *machine;
    int rc = bbi_machines_find(&p->machines, &p->head.group, &machine, err);
    if (rc == BB_OK) {
        p->giving = (size_t)(machine - p->machines.list);
        rc = bbi_machines_push(&p->machines, machine, &p->head, err);
    }
    p->has_head = false;
    return rc;
}

/* The end of these groups. */
static int finish(struct pass *p, struct bb_error *err)
{
    int rc = BB_OK;
    bbi_machines_sort(&p->machines);
    for (size_t i = 0; rc == BB_OK && i < p->machines.count; i++) {
        rc = bbi_fn_finish(p->machines.list[i].fn, err);
    }
    p->giving = 0;
    p->ending = true;
    return rc;
}

static bool next_result(struct pass *p, struct bbi_stream_point *out)
{
    struct bbi_fn_point point;
    while (p->giving < p->machines.count) {
        const struct bbi_machine *machine = &p->machines.list[p->giving];
        if (bbi_fn_next(machine->fn, &point)) {
            bbi_machines_result(&p->machines, machine, &point, out);
            if (point.timeless) {
                int64_t start = bbi_flow_window(&p->flow, point.time_ns);
                out->time = start == BBI_TIME_MIN ? 0 : start;
            }
            return true;
        }
        if (!p->ending) {
            return false;
        }
        p->giving++;
    }
    return false;
}

static int pass_next(struct bbi_stream *s, struct bbi_stream_point *out, bool *any,
                     struct bb_error *err)
{
    struct pass *p = (struct pass *)s;
    int rc = BB_OK;
    *any = false;
    while (rc == BB_OK) {
        if (next_result(p, out)) {
            *any = true;
            return BB_OK;
        }
        if (p->ending) {
            bbi_machines_clear(&p->machines);
            p->ending = false;
        }
        if (!p->has_head && !p->ended) {
            rc = pull(p, err);
        }
        if (rc == BB_OK && goes_on(p)) {
            rc = push(p, err);
        } else if (rc == BB_OK && p->machines.count > 0) {
            rc = finish(p, err);
        } else {
            return rc;
        }
    }
    return rc;
}

/* There is one machine: groups do not interleave. */
static void pass_skip(struct bbi_stream *s)
{
    struct pass *p = (struct pass *)s;
    if (!p->ended && p->machines.count > 0) {
        bbi_stream_skip_head(p->flow.plan, p->input, &p->machines.list[0].group, &p->head,
                             &p->has_head);
    }
    bbi_machines_clear(&p->machines);
    p->giving = 0;
    p->ending = false;
}

static void pass_close(struct bbi_stream *s)
{
    struct pass *p = (struct pass *)s;
    bbi_machines_fini(&p->machines);
    bbi_stream_close(&p->input);
}

int bbi_stream_pass(const struct bbi_flow *flow, const struct bbi_call *call,
                    struct bbi_stream *input, struct bbi_stream **out, struct bb_error *err)
{
    struct pass *p;
    int rc = bbi_qctx_array(flow->plan->ctx, 1, sizeof(*p), &p, err);
    if (rc != BB_OK) {
        bbi_stream_close(&input);
        return rc;
    }
    p->base = (struct bbi_stream){pass_next, pass_close,
                                  input != NULL && input->skip != NULL ? pass_skip : NULL};
    p->flow = *flow;
    p->input = input;
    *out = &p->base;
    return bbi_machines_init(&p->machines, flow, call, err);
}
