/** Batches for tests: built by hand or at random, with memory of their own. */
#ifndef TESTS_BATCH_GEN_H
#define TESTS_BATCH_GEN_H

#include <stdlib.h>

#include "engine/base/batch.h"
#include "tests/lib/rng.h"

#define GEN_POINTS_MAX 4096
#define GEN_CELLS_MAX  16384
#define GEN_TEXT       "the quick brown fox jumps over the lazy dog, twice a day, every day"

struct gen {
    struct bbi_batch batch;
    struct bbi_point points[GEN_POINTS_MAX];
    struct bbi_cell cells[GEN_CELLS_MAX];
};

static inline struct gen *gen_create(void)
{
    return calloc(1, sizeof(struct gen));
}

static inline void gen_start(struct gen *g, uint32_t db_id, uint32_t rp_id)
{
    g->batch = (struct bbi_batch){
        .db_id = db_id, .rp_id = rp_id, .points = g->points, .cells = g->cells};
}

/** A point without cells; false: the batch is full. */
static inline bool gen_point(struct gen *g, uint32_t measurement_id, uint32_t series_id,
                             int64_t time_ns)
{
    if (g->batch.point_count == GEN_POINTS_MAX || g->batch.cell_count + 64 > GEN_CELLS_MAX) {
        return false;
    }
    g->points[g->batch.point_count++] = (struct bbi_point){
        .time_ns = time_ns,
        .series_id = series_id,
        .measurement_id = measurement_id,
        .cell_first = (uint32_t)g->batch.cell_count};
    return true;
}

/** A cell of the last point. */
static inline struct bbi_cell *gen_cell(struct gen *g, uint32_t field_id, uint8_t type,
                                        uint64_t bits)
{
    struct bbi_cell *c = &g->cells[g->batch.cell_count++];
    *c = (struct bbi_cell){.field_id = field_id, .type = type, .v.bits = bits};
    g->points[g->batch.point_count - 1].cell_count++;
    return c;
}

static inline void gen_string(struct gen *g, uint32_t field_id, const char *s, uint32_t length)
{
    struct bbi_cell *c = gen_cell(g, field_id, BBI_STRING, 0);
    c->v.str = (const uint8_t *)s;
    c->length = length;
}

/** What the field with this id has for its type. */
static inline uint8_t gen_type(uint32_t field_id)
{
    return (uint8_t)(BBI_FLOAT + field_id % 5);
}

static inline void gen_random_cell(struct gen *g, struct rng *r, uint32_t field_id)
{
    uint8_t type = gen_type(field_id);
    uint64_t bits = rng_u64(r) >> rng_below(r, 64);
    if (type == BBI_STRING) {
        gen_string(g, field_id, GEN_TEXT, (uint32_t)rng_below(r, sizeof(GEN_TEXT)));
    } else {
        gen_cell(g, field_id, type, type == BBI_BOOL ? bits & 1 : bits);
    }
}

#endif
