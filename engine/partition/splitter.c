#include "engine/partition/splitter.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/segment/writer.h"

/* Partitions counted; rows of others share a file without being counted. */
#define SPANS_MAX 16384

/* One output file, being written or finished. */
struct output {
    struct bbi_segment_writer *writer;
    struct bbi_segment_meta identity;
    size_t lane;
};

/* One partition with files of its own, or (the last) all the others. */
struct lane {
    struct bbi_span span;
    size_t output; /* the one being written; SIZE_MAX: none yet */
    uint32_t last_series;
    uint32_t last_measurement;
};

struct bbi_splitter {
    struct bbi_split_job job;
    struct lane *lanes;   /* [lane_count + 1], by span; the last is the shared one */
    struct bbi_span *own; /* [lane_count] the lanes' spans */
    size_t lane_count;
    struct output *outputs;
    size_t output_count;
    size_t output_cap;
    struct bbi_segment_meta *metas;
    size_t meta_count;
    struct bbi_span shared_span; /* partitions that the shared file has rows of */
    bool shared_any;
    uint64_t unreserved;
    struct bbi_arena arena;
};

void bbi_split_counts_init(struct bbi_split_counts *counts, struct bbi_account *acct)
{
    *counts = (struct bbi_split_counts){.acct = acct};
}

void bbi_split_counts_fini(struct bbi_split_counts *counts)
{
    bbi_mem_free(counts->list);
    counts->list = NULL;
    counts->count = 0;
}

int bbi_split_counts_add(struct bbi_split_counts *counts, struct bbi_span span, uint64_t rows,
                         bool own, struct bb_error *err)
{
    size_t low = 0;
    size_t high = counts->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (counts->list[mid].span.t0 < span.t0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low < counts->count && counts->list[low].span.t0 == span.t0) {
        counts->list[low].rows += rows;
        counts->list[low].own |= own;
        return BB_OK;
    }
    if (counts->count >= SPANS_MAX && !own) {
        return BB_OK;
    }
    if (counts->count == counts->cap) {
        size_t cap = counts->cap == 0 ? 16 : counts->cap * 2;
        struct bbi_split_count *list = bbi_mem_realloc(counts->acct, counts->list,
                                                       cap * sizeof(list[0]));
        if (list == NULL) {
            return bbi_error_nomem(err, "list of partitions");
        }
        counts->list = list;
        counts->cap = cap;
    }
    memmove(&counts->list[low + 1], &counts->list[low],
            (counts->count - low) * sizeof(counts->list[0]));
    counts->list[low] = (struct bbi_split_count){span, rows, own};
    counts->count++;
    return BB_OK;
}

void bbi_split_counts_decide(struct bbi_split_counts *counts)
{
    size_t own = 0;
    for (size_t i = 0; i < counts->count; i++) {
        own += counts->list[i].own;
    }
    while (own < BBI_SPLIT_OWN_MAX) {
        struct bbi_split_count *most = NULL;
        for (size_t i = 0; i < counts->count; i++) {
            struct bbi_split_count *c = &counts->list[i];
            bool worth = c->rows >= BBI_SPLIT_OWN_ROWS || counts->count == 1;
            if (!c->own && worth && (most == NULL || c->rows > most->rows)) {
                most = c;
            }
        }
        if (most == NULL) {
            break;
        }
        most->own = true;
        own++;
    }
}

int bbi_splitter_create(const struct bbi_split_job *job, const struct bbi_split_counts *counts,
                        struct bbi_splitter **out, struct bb_error *err)
{
    *out = NULL;
    struct bbi_splitter *s = bbi_mem_zalloc(job->acct, 1, sizeof(*s));
    if (s == NULL) {
        return bbi_error_nomem(err, "segment writers");
    }
    s->job = *job;
    s->unreserved = job->reserve_bytes;
    bbi_arena_init(&s->arena, job->acct);
    s->lanes = bbi_mem_zalloc(job->acct, counts->count + 1, sizeof(s->lanes[0]));
    s->own = bbi_mem_zalloc(job->acct, counts->count, sizeof(s->own[0]));
    if (s->lanes == NULL || s->own == NULL) {
        bbi_splitter_destroy(&s, false);
        return bbi_error_nomem(err, "segment writers");
    }
    for (size_t i = 0; i < counts->count; i++) {
        if (counts->list[i].own) {
            s->own[s->lane_count] = counts->list[i].span;
            s->lanes[s->lane_count].span = counts->list[i].span;
            s->lanes[s->lane_count++].output = SIZE_MAX;
        }
    }
    s->lanes[s->lane_count].output = SIZE_MAX;
    *out = s;
    return BB_OK;
}

/* The lane of a time: its partition's own, or the shared one. */
static size_t lane_of(const struct bbi_splitter *s, int64_t time_ns)
{
    size_t low = 0;
    size_t high = s->lane_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->lanes[mid].span.t1 <= time_ns) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < s->lane_count && s->lanes[low].span.t0 <= time_ns ? low : s->lane_count;
}

static int new_output(struct bbi_splitter *s, size_t lane, struct bb_error *err)
{
    if (s->output_count == s->output_cap) {
        size_t cap = s->output_cap == 0 ? 8 : s->output_cap * 2;
        struct output *outputs = bbi_mem_realloc(s->job.acct, s->outputs, cap * sizeof(outputs[0]));
        if (outputs == NULL) {
            return bbi_error_nomem(err, "segment writers");
        }
        s->outputs = outputs;
        s->output_cap = cap;
    }
    struct output *o = &s->outputs[s->output_count];
    *o = (struct output){.lane = lane};
    o->identity = (struct bbi_segment_meta){.id = s->job.new_id(s->job.new_id_arg),
                                            .db_id = s->job.db_id,
                                            .rp_id = s->job.rp_id,
                                            .lsn_lo = s->job.lsn_lo,
                                            .lsn_hi = s->job.lsn_hi,
                                            .tombs_lsn = s->job.tombs_lsn,
                                            .span_t0 = s->lanes[lane].span.t0,
                                            .span_t1 = s->lanes[lane].span.t1,
                                            .job_id = s->job.job_id,
                                            .level = s->job.level};
    if (s->job.input_count != 0) {
        bbi_split_range(s->job.inputs, s->job.input_count, s->own, s->lane_count, lane,
                        &o->identity.lsn_lo, &o->identity.lsn_hi);
    }
    int rc = bbi_segment_writer_create(s->job.fs, s->job.dir, &o->identity, s->job.acct, &o->writer,
                                       err);
    if (rc != BB_OK) {
        return rc;
    }
    s->lanes[lane].output = s->output_count++;
    uint64_t claim = s->unreserved < BBI_SPLIT_FILE_BYTES ? s->unreserved : BBI_SPLIT_FILE_BYTES;
    s->unreserved -= claim;
    return claim == 0 ? BB_OK : bbi_segment_writer_reserve(o->writer, claim, err);
}

/* The writer for a series' rows in a lane, a new file if the old one is large enough and the series
 * another. */
static int writer_for(struct bbi_splitter *s, size_t lane, uint32_t measurement_id,
                      uint32_t series_id, struct bbi_segment_writer **out, struct bb_error *err)
{
    struct lane *l = &s->lanes[lane];
    bool same = l->last_series == series_id && l->last_measurement == measurement_id;
    if (l->output == SIZE_MAX ||
        (!same && bbi_segment_writer_bytes(s->outputs[l->output].writer) >= BBI_SPLIT_FILE_BYTES)) {
        int rc = new_output(s, lane, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    l->last_series = series_id;
    l->last_measurement = measurement_id;
    *out = s->outputs[l->output].writer;
    return BB_OK;
}

/* Rows [from, to) of a window as columns of their own. */
static int cut_columns(struct bbi_splitter *s, const struct bbi_window *w, size_t from, size_t to,
                       struct bbi_column **out, struct bb_error *err)
{
    size_t rows = to - from;
    struct bbi_column *columns = bbi_arena_zalloc(&s->arena, w->column_count, sizeof(columns[0]));
    if (columns == NULL) {
        return bbi_error_nomem(err, "rows of a partition");
    }
    for (size_t k = 0; k < w->column_count; k++) {
        const struct bbi_column *c = &w->columns[k];
        columns[k] = *c;
        columns[k].bits = c->bits == NULL ? NULL : c->bits + from;
        columns[k].strs = c->strs == NULL ? NULL : c->strs + from;
        if (c->valid == NULL) {
            continue;
        }
        uint64_t *valid = bbi_arena_zalloc(&s->arena, BBI_BITMAP_WORDS(rows), sizeof(valid[0]));
        if (valid == NULL) {
            return bbi_error_nomem(err, "rows of a partition");
        }
        for (size_t i = 0; i < rows; i++) {
            uint64_t bit = c->valid[(from + i) / 64] >> ((from + i) % 64) & 1;
            valid[i / 64] |= bit << (i % 64);
        }
        columns[k].valid = valid;
    }
    *out = columns;
    return BB_OK;
}

static void widen_shared(struct bbi_splitter *s, int64_t first, int64_t last)
{
    struct bbi_span a = bbi_span_of(first, s->job.shard_ns);
    struct bbi_span b = bbi_span_of(last, s->job.shard_ns);
    if (!s->shared_any || a.t0 < s->shared_span.t0) {
        s->shared_span.t0 = a.t0;
    }
    if (!s->shared_any || b.t1 > s->shared_span.t1) {
        s->shared_span.t1 = b.t1;
    }
    s->shared_any = true;
}

int bbi_splitter_add(struct bbi_splitter *s, uint32_t measurement_id, uint32_t series_id,
                     const struct bbi_window *rows, struct bb_error *err)
{
    size_t from = 0;
    bbi_arena_reset(&s->arena);
    while (from < rows->rows) {
        struct bbi_segment_writer *writer;
        struct bbi_column *columns = rows->columns;
        size_t lane = lane_of(s, rows->times[from]);
        size_t to = rows->rows;
        if (lane_of(s, rows->times[to - 1]) != lane || lane == s->lane_count) {
            to = from + 1;
            while (to < rows->rows && lane_of(s, rows->times[to]) == lane) {
                to++;
            }
        }
        int rc = writer_for(s, lane, measurement_id, series_id, &writer, err);
        if (rc == BB_OK && (from != 0 || to != rows->rows)) {
            rc = cut_columns(s, rows, from, to, &columns, err);
        }
        if (rc == BB_OK) {
            rc = bbi_segment_writer_add(writer, measurement_id, series_id, rows->times + from,
                                        to - from, columns, rows->column_count, err);
        }
        if (rc != BB_OK) {
            return rc;
        }
        if (lane == s->lane_count) {
            widen_shared(s, rows->times[from], rows->times[to - 1]);
        }
        from = to;
    }
    return BB_OK;
}

int bbi_splitter_finish(struct bbi_splitter *s, const struct bbi_segment_meta **metas,
                        size_t *count, struct bb_error *err)
{
    *metas = NULL;
    *count = 0;
    s->metas = bbi_mem_zalloc(s->job.acct, s->output_count, sizeof(s->metas[0]));
    if (s->metas == NULL) {
        return bbi_error_nomem(err, "list of segments");
    }
    for (size_t i = 0; i < s->output_count; i++) {
        struct output *o = &s->outputs[i];
        struct bbi_span span = o->lane == s->lane_count ? s->shared_span : s->lanes[o->lane].span;
        bbi_segment_writer_set_place(o->writer, span.t0, span.t1, (uint32_t)i,
                                     (uint32_t)s->output_count);
        int rc = bbi_segment_writer_finish(o->writer, &s->metas[i], err);
        if (rc != BB_OK) {
            return rc;
        }
        bbi_segment_writer_destroy(&o->writer);
        s->meta_count++;
    }
    *metas = s->metas;
    *count = s->meta_count;
    return BB_OK;
}

/* Finished files that nobody published. A failure only leaves an orphan for the next start to
 * remove. */
static void remove_finished(struct bbi_splitter *s)
{
    for (size_t i = 0; i < s->meta_count; i++) {
        char path[BBI_FS_PATH_MAX];
        struct bb_error err;
        if (bbi_segment_path(path, s->job.dir, s->metas[i].id, &err) == BB_OK) {
            int rc = bbi_fs_unlink(s->job.fs, path, &err);
            (void)rc;
        }
    }
}

void bbi_splitter_destroy(struct bbi_splitter **splitter, bool keep)
{
    struct bbi_splitter *s = *splitter;
    *splitter = NULL;
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->output_count; i++) {
        bbi_segment_writer_destroy(&s->outputs[i].writer);
    }
    if (!keep) {
        remove_finished(s);
    }
    bbi_arena_fini(&s->arena);
    bbi_mem_free(s->metas);
    bbi_mem_free(s->outputs);
    bbi_mem_free(s->own);
    bbi_mem_free(s->lanes);
    bbi_mem_free(s);
}
