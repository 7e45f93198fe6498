#include "client/import_order.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024
#define MAX_SLOTS   (UINT64_C(1) << 26)

struct order_slot {
    uint64_t series; /* 0: free */
    int64_t last_s;  /* the last moment that was chosen */
};

void order_step(struct order *o, int64_t local_s)
{
    o->forward += local_s > o->last_s;
    o->back += local_s < o->last_s;
    o->last_s = local_s;
}

static struct order_slot *find(struct order_slot *slots, size_t cap, uint64_t series)
{
    size_t i = series & (cap - 1);
    while (slots[i].series != 0 && slots[i].series != series)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static bool grow(struct order *o)
{
    size_t cap = o->cap == 0 ? FIRST_SLOTS : o->cap * 2;
    struct order_slot *slots = cap > MAX_SLOTS ? NULL : calloc(cap, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < o->cap; i++) {
        if (o->slots[i].series != 0)
            *find(slots, cap, o->slots[i].series) = o->slots[i];
    }
    free(o->slots);
    o->slots = slots;
    o->cap = cap;
    return true;
}

bool order_choose(struct order *o, uint64_t series, const int64_t utc_s[2], int64_t *chosen_s)
{
    series += series == 0;
    if (o->used >= o->cap / 2 && !grow(o))
        return false;
    struct order_slot *slot = find(o->slots, o->cap, series);
    bool falling = o->back > o->forward;
    bool known = slot->series != 0;
    int64_t chosen = utc_s[falling];
    if (known && falling && chosen >= slot->last_s && utc_s[0] < slot->last_s)
        chosen = utc_s[0];
    else if (known && !falling && chosen <= slot->last_s && utc_s[1] > slot->last_s)
        chosen = utc_s[1];
    if (!known) {
        slot->series = series;
        o->used++;
    }
    slot->last_s = *chosen_s = chosen;
    return true;
}

void order_fini(struct order *o)
{
    free(o->slots);
    *o = (struct order){0};
}
