#include "engine/codec/chunk_plan.h"

#include <string.h>

/* Directory bits that a coding costs beyond the least, about. */
#define PRICE_PATCHED 10
#define PRICE_LAYERED 11

/* A layer costs its width in the directory, rounding to bytes, and time to read: it must earn more
 * than its bits. */
#define PRICE_LAYER 20

#define PRICE_NONE (UINT32_MAX / 2)

uint32_t bbi_chunk_plan_floor(const struct bbi_profile *profile)
{
    uint32_t total = 0;
    for (unsigned w = 0; w < profile->widest; w++) {
        total += profile->above[0][w];
    }
    return total;
}

static void plan_patched(const struct bbi_profile *profile, size_t m, struct bbi_chunk_plan *best)
{
    unsigned place_bits = bbi_position_bits(m);
    for (unsigned w = profile->widest; w-- > 0;) {
        uint32_t patches = profile->above[0][w];
        unsigned bits = place_bits + profile->widest - w;
        if (patches > m / 8 || bits > 64) {
            break;
        }
        uint32_t price = (uint32_t)m * w + patches * bits + PRICE_PATCHED;
        if (price < best->price) {
            *best = (struct bbi_chunk_plan){
                .price = price,
                .coding = BBI_CODING_PATCHED,
                .width = {(uint8_t)w, (uint8_t)(profile->widest - w)},
                .part_count = (uint16_t)patches,
            };
        }
    }
}

/* Lengths at which groups end: the only widths worth a cut. */
static unsigned list_cuts(const struct bbi_profile *profile, unsigned group_log, size_t groups,
                          uint8_t cuts[65])
{
    const uint16_t *above = profile->above[group_log];
    unsigned count = 0;
    size_t before = groups;
    for (unsigned w = 0; w <= profile->widest; w++) {
        if (above[w] < before) {
            cuts[count++] = (uint8_t)w;
        }
        before = above[w];
    }
    return count;
}

/*
 * Dynamic programming over the cuts: cost[l][j] is the least for the bits above cut j with up to l
 * more layers. A layer from cut j to cut x costs its bits for every group above j, and a bitmap of
 * those groups if a layer follows.
 */
static void plan_layered(const struct bbi_profile *profile, size_t m, unsigned group_log,
                         struct bbi_chunk_plan *best)
{
    uint8_t cuts[65];
    uint32_t cost[BBI_CHUNK_LAYERS_MAX][65];
    uint8_t next[BBI_CHUNK_LAYERS_MAX][65];
    const uint16_t *above = profile->above[group_log];
    uint32_t groups = (uint32_t)((m + ((size_t)1 << group_log) - 1) >> group_log);
    unsigned last = list_cuts(profile, group_log, groups, cuts) - 1;
    if (last == 0) {
        return;
    }
    for (unsigned l = 1; l < BBI_CHUNK_LAYERS_MAX; l++) {
        for (unsigned j = 0; j < last; j++) {
            uint32_t members = above[cuts[j]];
            uint32_t values = members << group_log;
            uint32_t least = values * (uint32_t)(cuts[last] - cuts[j]) + PRICE_LAYER;
            next[l][j] = (uint8_t)last;
            for (unsigned x = j + 1; l > 1 && x < last; x++) {
                uint32_t price = values * (uint32_t)(cuts[x] - cuts[j]) + members + PRICE_LAYER +
                                 cost[l - 1][x];
                next[l][j] = price < least ? (uint8_t)x : next[l][j];
                least = price < least ? price : least;
            }
            cost[l][j] = least;
        }
    }
    for (unsigned j = 0; j < last; j++) {
        uint32_t price = (uint32_t)m * cuts[j] + groups + PRICE_LAYERED +
                         cost[BBI_CHUNK_LAYERS_MAX - 1][j];
        if (price >= best->price) {
            continue;
        }
        *best = (struct bbi_chunk_plan){.price = price, .coding = BBI_CODING_LAYERED};
        best->group_log = (uint8_t)group_log;
        best->width[0] = cuts[j];
        unsigned at = j;
        for (unsigned l = 1; at < last; l++) {
            unsigned to = next[BBI_CHUNK_LAYERS_MAX - l][at];
            best->width[l] = (uint8_t)(cuts[to] - cuts[at]);
            at = to;
        }
    }
}

/* Group sizes from 4 outwards, while they get cheaper. */
static void plan_groups(const struct bbi_profile *profile, size_t m, struct bbi_chunk_plan *best)
{
    struct bbi_chunk_plan at[BBI_GROUP_LOG_MAX + 1];
    for (unsigned g = 0; g <= BBI_GROUP_LOG_MAX; g++) {
        at[g].price = PRICE_NONE;
    }
    plan_layered(profile, m, 2, &at[2]);
    plan_layered(profile, m, 1, &at[1]);
    unsigned winner = at[1].price < at[2].price ? 1 : 2;
    if (winner == 1) {
        plan_layered(profile, m, 0, &at[0]);
        winner = at[0].price < at[1].price ? 0 : 1;
    } else {
        for (unsigned g = 3; g <= BBI_GROUP_LOG_MAX && winner == g - 1; g++) {
            plan_layered(profile, m, g, &at[g]);
            winner = at[g].price < at[g - 1].price ? g : g - 1;
        }
    }
    if (at[winner].price < best->price) {
        *best = at[winner];
    }
}

struct bbi_chunk_plan bbi_chunk_plan_residuals(const struct bbi_profile *profile, size_t m)
{
    struct bbi_chunk_plan best = {
        .price = (uint32_t)m * profile->widest,
        .coding = BBI_CODING_PACKED,
        .width = {(uint8_t)profile->widest},
    };
    if (profile->widest > 0) {
        plan_patched(profile, m, &best);
        plan_groups(profile, m, &best);
    }
    return best;
}
