#include "engine/partition/flush.h"

#include <string.h>

#include "engine/partition/merge.h"

/* Of the series that lie in several partitions, so many are looked at to estimate the rows of each.
 */
#define SAMPLE_SERIES 512

#define FIELDS_MAX 64

/* Rows of a series: those of its largest field, which is what it has but for nulls. */
static uint64_t series_rows(const struct bbi_memspace *space, uint32_t series_id)
{
    struct bbi_memfield fields[FIELDS_MAX];
    uint64_t rows = 0;
    size_t count = bbi_memspace_fields(space, series_id, fields, FIELDS_MAX);
    for (size_t i = 0; i < count && i < FIELDS_MAX; i++) {
        rows = fields[i].row_count > rows ? fields[i].row_count : rows;
    }
    return rows;
}

/* Count a sampled series' rows partition by partition, each standing for `weight` series. */
static int sample_series(const struct bbi_memspace *space, uint32_t series_id, uint64_t weight,
                         const struct bbi_split_job *job, struct bbi_memrows *rows,
                         struct bbi_split_counts *counts, struct bb_error *err)
{
    struct bbi_memfield field;
    if (bbi_memspace_fields(space, series_id, &field, 1) == 0) {
        return BB_OK;
    }
    int rc = bbi_memspace_read(space, series_id, field.field_id, INT64_MIN, INT64_MAX, job->lsn_hi,
                               rows, err);
    size_t i = 0;
    while (rc == BB_OK && i < rows->count) {
        struct bbi_span span = bbi_span_of(rows->times[i], job->shard_ns);
        size_t from = i;
        while (i < rows->count && rows->times[i] < span.t1) {
            i++;
        }
        rc = bbi_split_counts_add(counts, span, (i - from) * weight, false, err);
    }
    return rc;
}

static int count_rows(const struct bbi_memspace *space, const struct bbi_memseries *series,
                      size_t series_count, const struct bbi_split_job *job,
                      struct bbi_split_counts *counts, struct bb_error *err)
{
    struct bbi_memrows rows;
    size_t stride = series_count / SAMPLE_SERIES + 1;
    int rc = BB_OK;
    bbi_memrows_init(&rows, job->acct);
    for (size_t i = 0; rc == BB_OK && i < series_count; i++) {
        int64_t tmin;
        int64_t tmax;
        if (!bbi_memspace_series_range(space, series[i].series_id, &tmin, &tmax)) {
            continue;
        }
        struct bbi_span span = bbi_span_of(tmin, job->shard_ns);
        if (tmax < span.t1) {
            rc = bbi_split_counts_add(counts, span, series_rows(space, series[i].series_id), false,
                                      err);
        } else if (i % stride == 0) {
            rc = sample_series(space, series[i].series_id, stride, job, &rows, counts, err);
        }
    }
    bbi_memrows_fini(&rows);
    return rc;
}

static int write_rows(const struct bbi_memspace *space, const struct bbi_memseries *series,
                      size_t series_count, const struct bbi_split_job *job,
                      const struct bbi_tombset *tombs, struct bbi_splitter *splitter,
                      struct bb_error *err)
{
    struct bbi_merge merge;
    bbi_merge_init(&merge, job->acct, job->db_id, job->rp_id, NULL, 0, tombs, job->lsn_hi);
    int rc = bbi_merge_add_memspace(&merge, space, err);
    for (size_t i = 0; rc == BB_OK && i < series_count; i++) {
        struct bbi_window window;
        rc = bbi_merge_series(&merge, series[i].measurement_id, series[i].series_id, INT64_MIN,
                              INT64_MAX, err);
        while (rc == BB_OK && (rc = bbi_merge_next(&merge, &window, err)) == BB_OK &&
               window.rows != 0) {
            rc = bbi_splitter_add(splitter, series[i].measurement_id, series[i].series_id, &window,
                                  err);
        }
    }
    bbi_merge_fini(&merge);
    return rc;
}

int bbi_flush_space(const struct bbi_memspace *space, const struct bbi_split_job *job,
                    const struct bbi_tombset *tombs, struct bbi_splitter **out,
                    struct bb_error *err)
{
    struct bbi_split_counts counts;
    struct bbi_memseries *series = NULL;
    size_t series_count;
    *out = NULL;
    bbi_split_counts_init(&counts, job->acct);
    int rc = bbi_memspace_series(space, job->acct, &series, &series_count, err);
    if (rc == BB_OK) {
        rc = count_rows(space, series, series_count, job, &counts, err);
    }
    if (rc == BB_OK) {
        bbi_split_counts_decide(&counts);
        rc = bbi_splitter_create(job, &counts, out, err);
    }
    if (rc == BB_OK) {
        rc = write_rows(space, series, series_count, job, tombs, *out, err);
    }
    if (rc != BB_OK) {
        bbi_splitter_destroy(out, false);
    }
    bbi_mem_free(series);
    bbi_split_counts_fini(&counts);
    return rc;
}
