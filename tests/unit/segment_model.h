/**
 * Random series and fields in plain arrays, to write as segments and to compare with what is read.
 *
 * Measurement m has the fields m * 100 + k, k below MODEL_FIELDS, of types MODEL_TYPES[k].
 */
#ifndef TESTS_SEGMENT_MODEL_H
#define TESTS_SEGMENT_MODEL_H

#include "engine/base/arena.h"
#include "engine/segment/segment.h"
#include "engine/segment/writer.h"
#include "tests/lib/rng.h"

#define MODEL_FIELDS 7

struct model_series {
    uint32_t measurement_id;
    uint32_t series_id;
    size_t rows;
    int64_t *times;
    struct bbi_column columns[MODEL_FIELDS]; /* bits or strs NULL: the series lacks the field */
};

struct model {
    struct rng *rng;
    struct bbi_arena arena;
    struct model_series *series; /* [count] in order */
    size_t count;
    size_t cap;
};

void model_init(struct model *m, struct rng *rng);
void model_fini(struct model *m);

/** How times and presence of values are made. */
enum model_style {
    MODEL_PLAIN, /* regular times, one field of three decimals, all there: like a meter */
    MODEL_WILD   /* anything */
};

/** Add a series behind the last one. */
void model_add(struct model *m, uint32_t measurement_id, uint32_t series_id, size_t rows,
               enum model_style style);

/** Rows from `row` on that have a value in a column; NULL column: 0. */
bool model_has(const struct bbi_column *column, size_t row);

/** Write everything as segment `id` of dir, each series in one call or, `split`, in several. */
int model_write(const struct model *m, const struct bbi_fs *fs, const char *dir, uint64_t id,
                bool split, struct bbi_account *acct, struct bbi_segment_meta *meta,
                struct bb_error *err);

/** Assert that a segment says what the model says, in all the ways of reading. */
void model_check(const struct model *m, struct bbi_segment *seg, struct bbi_account *acct);

#endif
