/*
 * The writer holds one open chunk (rows of one series), inside one open group (packed chunks of one
 * measurement), inside one file that grows at its end. A chunk closes when it is full or another
 * series begins; a group when another chunk might not fit, or another measurement begins.
 */
#include "engine/segment/writer.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/segment/field_builder.h"
#include "engine/segment/format.h"
#include "engine/segment/grow.h"
#include "engine/segment/index.h"

#define WRITE_BYTES       (UINT32_C(1) << 20) /* of one write to the file */
#define OUT_BYTES_MAX     (SIZE_MAX / 2)      /* pages have limits of their own */
#define GROUP_BYTES_MAX   (UINT32_C(16) << 20)
#define GROUP_ENTRIES_MAX 65536 /* chunks times fields: bounds memory of directories */
#define CHUNK_TEXT_MAX    (UINT32_C(1) << 20) /* bytes of strings of one column in a chunk */
#define INDEX_GROUP_BYTES 48                  /* about, in the page index */
#define INDEX_FIELD_BYTES 48

struct bbi_segment_writer {
    const struct bbi_fs *fs;
    struct bbi_account *acct;
    struct bbi_segment_meta meta;
    char dir[BBI_FS_PATH_MAX];
    char tmp_path[BBI_FS_PATH_MAX];
    struct bbi_file *file;
    bool created; /* the temporary file is ours to remove */
    bool failed;
    uint64_t reserved_bytes;
    uint64_t written_bytes; /* in the file */
    struct bbi_buf out;     /* what comes behind them */
    struct bbi_segment_index index;
    struct bbi_chunk_scratch *scratch;

    struct bbi_field_builder **fields; /* [field_count] of this measurement, by field id */
    size_t field_count, field_cap;

    bool any; /* the three below hold */
    uint32_t measurement_id;
    uint32_t series_id;
    int64_t last_time;

    size_t chunk_rows; /* the open chunk */
    size_t chunk_text; /* strings of one column, at most */
    int64_t chunk_times[BBI_SEGMENT_CHUNK_ROWS];

    size_t group_rows; /* the open group */
    size_t group_chunks;
    size_t group_entries;
    size_t group_bytes;
    int64_t times[BBI_SEGMENT_GROUP_ROWS];
    uint32_t series[BBI_SEGMENT_GROUP_CHUNKS];
    uint16_t rows[BBI_SEGMENT_GROUP_CHUNKS];
    uint64_t column[BBI_SEGMENT_GROUP_CHUNKS]; /* work */
};

/* ---- file ---- */

static int flush(struct bbi_segment_writer *w, size_t least, struct bb_error *err)
{
    int code = bbi_buf_check(&w->out, "segment", err);
    if (code != BB_OK || w->out.len < least || w->out.len == 0) {
        return code;
    }
    code = bbi_file_write(w->file, w->out.data, w->out.len, w->written_bytes, err);
    if (code == BB_OK) {
        w->written_bytes += w->out.len;
        bbi_buf_reset(&w->out);
    }
    return code;
}

/* Begin a page in w->out. Returns where. */
static size_t begin_page(struct bbi_segment_writer *w)
{
    size_t at = w->out.len;
    bbi_buf_zero(&w->out, BBI_PAGE_BYTES);
    return at;
}

/* The page that began at `at` is complete: seal it. *bytes: its length. */
static int end_page(struct bbi_segment_writer *w, size_t at, struct bbi_page_header *header,
                    uint32_t *bytes, struct bb_error *err)
{
    int code = bbi_buf_check(&w->out, "page", err);
    if (code != BB_OK) {
        return code;
    }
    size_t len = w->out.len - at;
    if (len > BBI_PAGE_BYTES_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "a page of %zu bytes", len);
    }
    *bytes = (uint32_t)len;
    header->body_bytes = (uint32_t)(len - BBI_PAGE_BYTES);
    bbi_format_seal_page(w->out.data + at, header, w->meta.id, w->written_bytes + at);
    return flush(w, WRITE_BYTES, err);
}

static int writer_init(struct bbi_segment_writer *w, const char *dir, struct bb_error *err)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "tmp-%016" PRIx64 ".bbs", w->meta.id);
    int code = bbi_fs_join(w->tmp_path, dir, name, err);
    if (code != BB_OK) {
        return code;
    }
    memcpy(w->dir, dir, strlen(dir) + 1);
    w->scratch = bbi_chunk_scratch_create(w->acct);
    if (w->scratch == NULL) {
        return bbi_error_nomem(err, "segment writer");
    }
    code = bbi_fs_open(w->fs, w->tmp_path, BBI_FS_WRITE | BBI_FS_CREATE | BBI_FS_EXCL, &w->file,
                       err);
    if (code != BB_OK) {
        return code;
    }
    w->created = true;
    uint8_t header[BBI_FILE_BYTES];
    bbi_format_put_file_header(header, w->meta.id);
    bbi_buf_put(&w->out, header, sizeof(header));
    return bbi_buf_check(&w->out, "segment", err);
}

int bbi_segment_writer_create(const struct bbi_fs *fs, const char *dir,
                              const struct bbi_segment_meta *identity, struct bbi_account *acct,
                              struct bbi_segment_writer **out, struct bb_error *err)
{
    *out = NULL;
    struct bbi_segment_writer *w = bbi_mem_zalloc(acct, 1, sizeof(*w));
    if (w == NULL) {
        return bbi_error_nomem(err, "segment writer");
    }
    w->fs = fs;
    w->acct = acct;
    w->meta = *identity;
    w->meta.tmin = INT64_MAX;
    w->meta.tmax = INT64_MIN;
    w->meta.series_min = UINT32_MAX;
    w->meta.series_max = 0;
    w->meta.series_count = 0;
    w->meta.row_count = 0;
    w->meta.value_count = 0;
    w->meta.file_bytes = 0;
    bbi_buf_init(&w->out, acct, OUT_BYTES_MAX);
    bbi_segment_index_init(&w->index, acct);
    int code = writer_init(w, dir, err);
    if (code != BB_OK) {
        bbi_segment_writer_destroy(&w);
        return code;
    }
    *out = w;
    return BB_OK;
}

static void drop_fields(struct bbi_segment_writer *w)
{
    for (size_t i = 0; i < w->field_count; i++) {
        bbi_field_builder_destroy(&w->fields[i]);
    }
    w->field_count = 0;
}

void bbi_segment_writer_destroy(struct bbi_segment_writer **writer)
{
    struct bbi_segment_writer *w = *writer;
    *writer = NULL;
    if (w == NULL) {
        return;
    }
    bbi_file_close(&w->file);
    if (w->created) {
        struct bb_error ignored;
        (void)!bbi_fs_unlink(w->fs, w->tmp_path, &ignored);
    }
    drop_fields(w);
    bbi_mem_free(w->fields);
    bbi_chunk_scratch_destroy(&w->scratch);
    bbi_segment_index_fini(&w->index);
    bbi_buf_fini(&w->out);
    bbi_mem_free(w);
}

int bbi_segment_writer_reserve(struct bbi_segment_writer *w, uint64_t bytes, struct bb_error *err)
{
    int code = bbi_file_reserve(w->file, 0, bytes, err);
    if (code == BB_OK && bytes > w->reserved_bytes) {
        w->reserved_bytes = bytes;
    }
    return code;
}

/* ---- groups ---- */

static int put_series(struct bbi_segment_writer *w, struct bb_error *err)
{
    size_t n = w->group_chunks;
    for (size_t i = 0; i < n; i++) {
        w->column[i] = w->series[i];
    }
    int code = bbi_intcol_encode(w->column, n, &w->out);
    for (size_t i = 0; i < n; i++) {
        w->column[i] = w->rows[i] - 1U;
    }
    if (code == BB_OK) {
        code = bbi_intcol_encode(w->column, n, &w->out);
    }
    return code == BB_OK ? BB_OK : bbi_buf_check(&w->out, "time page", err);
}

static int write_time_page(struct bbi_segment_writer *w, struct bb_error *err)
{
    size_t at = begin_page(w);
    int code = put_series(w, err);
    if (code == BB_OK) {
        code = bbi_times_encode(w->times, w->rows, w->group_chunks, &w->out, w->acct, err);
    }
    if (code != BB_OK) {
        return code;
    }
    struct bbi_page_header header = {.kind = BBI_PAGE_TIME,
                                     .chunk_count = (uint16_t)w->group_chunks,
                                     .row_count = (uint32_t)w->group_rows,
                                     .measurement_id = w->measurement_id};
    struct bbi_segment_group group = {.measurement_id = w->measurement_id,
                                      .series_min = w->series[0],
                                      .series_max = w->series[w->group_chunks - 1],
                                      .chunk_count = (uint32_t)w->group_chunks,
                                      .row_count = (uint32_t)w->group_rows,
                                      .tmin = INT64_MAX,
                                      .tmax = INT64_MIN};
    for (size_t i = 0; i < w->group_rows; i++) {
        group.tmin = w->times[i] < group.tmin ? w->times[i] : group.tmin;
        group.tmax = w->times[i] > group.tmax ? w->times[i] : group.tmax;
    }
    w->meta.tmin = group.tmin < w->meta.tmin ? group.tmin : w->meta.tmin;
    w->meta.tmax = group.tmax > w->meta.tmax ? group.tmax : w->meta.tmax;
    code = end_page(w, at, &header, &group.page_bytes, err);
    return code == BB_OK ? bbi_segment_index_add_group(&w->index, &group, err) : code;
}

static int write_field_page(struct bbi_segment_writer *w, struct bbi_field_builder *b,
                            struct bb_error *err)
{
    size_t at = begin_page(w);
    struct bbi_segment_field field;
    int code = bbi_field_builder_finish_group(b, w->rows, w->group_chunks, &w->out, &field, err);
    if (code != BB_OK) {
        return code;
    }
    struct bbi_page_header header = {.kind = BBI_PAGE_FIELD,
                                     .type = field.type,
                                     .chunk_count = (uint16_t)w->group_chunks,
                                     .row_count = field.value_count,
                                     .measurement_id = w->measurement_id,
                                     .field_id = field.field_id};
    w->meta.value_count += field.value_count;
    code = end_page(w, at, &header, &field.page_bytes, err);
    return code == BB_OK ? bbi_segment_index_add_field(&w->index, &field, err) : code;
}

static int close_group(struct bbi_segment_writer *w, struct bb_error *err)
{
    if (w->group_chunks == 0) {
        return BB_OK;
    }
    int code = write_time_page(w, err);
    for (size_t i = 0; code == BB_OK && i < w->field_count; i++) {
        if (w->fields[i]->value_count > 0) {
            code = write_field_page(w, w->fields[i], err);
        }
    }
    w->group_rows = 0;
    w->group_chunks = 0;
    w->group_entries = 0;
    w->group_bytes = 0;
    return code;
}

/* ---- chunks ---- */

static int close_chunk(struct bbi_segment_writer *w, struct bb_error *err)
{
    size_t rows = w->chunk_rows;
    if (rows == 0) {
        return BB_OK;
    }
    w->group_bytes = 0;
    for (size_t i = 0; i < w->field_count; i++) {
        struct bbi_field_builder *b = w->fields[i];
        if (b->touched) {
            int code = bbi_field_builder_close_chunk(b, w->group_chunks, rows, w->scratch, err);
            if (code != BB_OK) {
                return bbi_error_wrap(err, "field %" PRIu32, b->field_id);
            }
            w->group_entries++;
        }
        w->group_bytes += bbi_field_builder_bytes(b);
    }
    memcpy(w->times + w->group_rows, w->chunk_times, rows * sizeof(w->times[0]));
    w->series[w->group_chunks] = w->series_id;
    w->rows[w->group_chunks] = (uint16_t)rows;
    w->group_chunks++;
    w->group_rows += rows;
    w->chunk_rows = 0;
    w->chunk_text = 0;
    bool full = w->group_rows > BBI_SEGMENT_GROUP_ROWS - BBI_SEGMENT_CHUNK_ROWS ||
                w->group_chunks == BBI_SEGMENT_GROUP_CHUNKS || w->group_bytes >= GROUP_BYTES_MAX ||
                w->group_entries >= GROUP_ENTRIES_MAX;
    return full ? close_group(w, err) : BB_OK;
}

/* The builder of a column's field, made if it is new. */
static int get_builder(struct bbi_segment_writer *w, const struct bbi_column *column,
                       struct bbi_field_builder **out, struct bb_error *err)
{
    size_t low = 0;
    size_t high = w->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->fields[middle]->field_id < column->field_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < w->field_count && w->fields[low]->field_id == column->field_id) {
        *out = w->fields[low];
        if ((uint8_t)(*out)->type != column->type) {
            return bbi_error_set(err, BB_EINVAL, "field %" PRIu32 " changes its type",
                                 column->field_id);
        }
        return BB_OK;
    }
    struct bbi_field_builder **fields = bbi_grow(
        w->acct, w->fields, &w->field_cap, w->field_count + 1, sizeof(struct bbi_field_builder *));
    if (fields == NULL) {
        return bbi_error_nomem(err, "segment writer");
    }
    w->fields = fields;
    *out = bbi_field_builder_create(column->field_id, (enum bbi_type)column->type, w->acct);
    if (*out == NULL) {
        return bbi_error_nomem(err, "segment writer");
    }
    memmove(fields + low + 1, fields + low, (w->field_count - low) * sizeof(*fields));
    fields[low] = *out;
    w->field_count++;
    return BB_OK;
}

/* ---- rows ---- */

static int check_columns(const struct bbi_column *columns, size_t count, struct bb_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i].type < BBI_FLOAT || columns[i].type > BBI_STRING) {
            return bbi_error_set(err, BB_EINVAL, "field %" PRIu32 " of unknown type %d",
                                 columns[i].field_id, columns[i].type);
        }
        if (i > 0 && columns[i].field_id <= columns[i - 1].field_id) {
            return bbi_error_set(err, BB_EINVAL, "fields out of order");
        }
    }
    return BB_OK;
}

static int check_times(const struct bbi_segment_writer *w, bool same_series, const int64_t *times,
                       size_t rows, struct bb_error *err)
{
    bool rising = !same_series || times[0] > w->last_time;
    for (size_t i = 1; i < rows; i++) {
        rising &= times[i] > times[i - 1];
    }
    return rising ? BB_OK : bbi_error_set(err, BB_EINVAL, "times do not rise");
}

/* Close what ends where this series begins. */
static int begin_series(struct bbi_segment_writer *w, uint32_t measurement_id, uint32_t series_id,
                        struct bb_error *err)
{
    bool same_measurement = w->any && w->measurement_id == measurement_id;
    if (w->any &&
        (measurement_id < w->measurement_id || (same_measurement && series_id < w->series_id))) {
        return bbi_error_set(err, BB_EINVAL, "series out of order");
    }
    if (same_measurement && series_id == w->series_id) {
        return BB_OK;
    }
    int code = close_chunk(w, err);
    if (code == BB_OK && w->any && !same_measurement) {
        code = close_group(w, err);
        drop_fields(w);
    }
    w->any = true;
    w->measurement_id = measurement_id;
    w->series_id = series_id;
    w->meta.series_count++;
    w->meta.series_min = series_id < w->meta.series_min ? series_id : w->meta.series_min;
    w->meta.series_max = series_id > w->meta.series_max ? series_id : w->meta.series_max;
    return code;
}

/* How many rows from `at` on may join a chunk that holds `text` bytes of strings of this column.
 * Adds their bytes to *text. */
static size_t rows_by_text(const struct bbi_column *column, size_t at, size_t most, size_t *text)
{
    size_t n = 0;
    while (n < most && *text < CHUNK_TEXT_MAX) {
        size_t row = at + n;
        bool has = column->valid == NULL || (column->valid[row / 64] >> row % 64 & 1) != 0;
        *text += has ? column->strs[row].len : 0;
        n++;
    }
    return n;
}

/* Rows from `at` on that the open chunk takes; 0: it is full. */
static size_t rows_that_fit(struct bbi_segment_writer *w, size_t at, size_t rows,
                            const struct bbi_column *columns, size_t column_count)
{
    size_t room = BBI_SEGMENT_CHUNK_ROWS - w->chunk_rows;
    size_t n = rows - at < room ? rows - at : room;
    size_t longest = w->chunk_text;
    for (size_t i = 0; i < column_count; i++) {
        if (columns[i].type == BBI_STRING) {
            size_t text = w->chunk_text;
            n = rows_by_text(&columns[i], at, n, &text);
            longest = text > longest ? text : longest;
        }
    }
    w->chunk_text = longest;
    return n;
}

static int add_rows(struct bbi_segment_writer *w, const int64_t *times, size_t rows,
                    const struct bbi_column *columns, size_t column_count, struct bb_error *err)
{
    int code = BB_OK;
    for (size_t at = 0; code == BB_OK && at < rows;) {
        size_t n = rows_that_fit(w, at, rows, columns, column_count);
        if (n == 0) {
            code = close_chunk(w, err);
            continue;
        }
        memcpy(w->chunk_times + w->chunk_rows, times + at, n * sizeof(times[0]));
        for (size_t i = 0; code == BB_OK && i < column_count; i++) {
            struct bbi_field_builder *b = NULL;
            code = get_builder(w, &columns[i], &b, err);
            if (code == BB_OK) {
                code = bbi_field_builder_put(b, w->chunk_rows, &columns[i], at, n, err);
            }
        }
        w->chunk_rows += n;
        w->meta.row_count += n;
        at += n;
    }
    return code;
}

int bbi_segment_writer_add(struct bbi_segment_writer *w, uint32_t measurement_id,
                           uint32_t series_id, const int64_t *times, size_t rows,
                           const struct bbi_column *columns, size_t column_count,
                           struct bb_error *err)
{
    if (rows == 0) {
        return BB_OK;
    }
    if (w->failed) {
        return bbi_error_set(err, BB_EINVAL, "segment %s: failed before", w->tmp_path);
    }
    bool same = w->any && w->measurement_id == measurement_id && w->series_id == series_id;
    int code = check_columns(columns, column_count, err);
    if (code == BB_OK) {
        code = check_times(w, same, times, rows, err);
    }
    if (code == BB_OK) {
        code = begin_series(w, measurement_id, series_id, err);
    }
    if (code == BB_OK) {
        code = add_rows(w, times, rows, columns, column_count, err);
        w->last_time = times[rows - 1];
    }
    if (code != BB_OK) {
        w->failed = true;
        return bbi_error_wrap(err, "segment %s", w->tmp_path);
    }
    return BB_OK;
}

uint64_t bbi_segment_writer_bytes(const struct bbi_segment_writer *w)
{
    uint64_t index = (w->index.group_count + 1) * INDEX_GROUP_BYTES +
                     (w->index.field_count + w->field_count) * INDEX_FIELD_BYTES;
    /* The open group: a header for each page, times at their worst, directories, the open chunk as
     * it is. */
    uint64_t group = (w->field_count + 1) * BBI_PAGE_BYTES + w->group_rows * 2 + w->group_bytes +
                     w->group_entries * 6 + w->chunk_rows * (w->field_count + 1) * 8;
    return w->written_bytes + w->out.len + group + index + BBI_PAGE_BYTES + BBI_FOOTER_BYTES;
}

uint64_t bbi_segment_writer_rows(const struct bbi_segment_writer *w)
{
    return w->meta.row_count;
}

void bbi_segment_writer_set_place(struct bbi_segment_writer *w, int64_t span_t0, int64_t span_t1,
                                  uint32_t job_part, uint32_t job_parts)
{
    w->meta.span_t0 = span_t0;
    w->meta.span_t1 = span_t1;
    w->meta.job_part = job_part;
    w->meta.job_parts = job_parts;
}

/* ---- finish ---- */

static int write_index(struct bbi_segment_writer *w, struct bb_error *err)
{
    struct bbi_footer footer = {.group_count = (uint32_t)w->index.group_count,
                                .index_offset = w->written_bytes + w->out.len};
    size_t at = begin_page(w);
    int code = bbi_segment_index_encode(&w->index, &w->out, err);
    if (code != BB_OK) {
        return code;
    }
    uint32_t bytes = 0;
    struct bbi_page_header header = {.kind = BBI_PAGE_INDEX, .row_count = footer.group_count};
    code = end_page(w, at, &header, &bytes, err);
    if (code != BB_OK) {
        return code;
    }
    footer.index_bytes = bytes;
    w->meta.file_bytes = footer.index_offset + bytes + BBI_FOOTER_BYTES;
    footer.meta = w->meta;
    uint8_t end[BBI_FOOTER_BYTES];
    bbi_format_put_footer(end, &footer);
    bbi_buf_put(&w->out, end, sizeof(end));
    return flush(w, 0, err);
}

static int write_rest(struct bbi_segment_writer *w, struct bb_error *err)
{
    int code = close_chunk(w, err);
    if (code == BB_OK) {
        code = close_group(w, err);
    }
    if (code == BB_OK) {
        code = write_index(w, err);
    }
    if (code == BB_OK && w->reserved_bytes > w->meta.file_bytes) {
        code = bbi_file_truncate(w->file, w->meta.file_bytes, err);
    }
    return code == BB_OK ? bbi_file_sync(w->file, err) : code;
}

static int publish(struct bbi_segment_writer *w, struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    int code = bbi_segment_path(path, w->dir, w->meta.id, err);
    if (code == BB_OK) {
        bbi_file_close(&w->file);
        code = bbi_fs_rename(w->fs, w->tmp_path, path, err);
    }
    if (code != BB_OK) {
        return code;
    }
    w->created = false;
    return bbi_fs_sync_dir(w->fs, w->dir, err);
}

int bbi_segment_writer_finish(struct bbi_segment_writer *w, struct bbi_segment_meta *meta,
                              struct bb_error *err)
{
    *meta = (struct bbi_segment_meta){.id = w->meta.id};
    if (w->failed) {
        return bbi_error_set(err, BB_EINVAL, "segment %s: failed before", w->tmp_path);
    }
    w->failed = true; /* nothing may follow */
    int code = write_rest(w, err);
    if (code == BB_OK) {
        code = publish(w, err);
    }
    if (code != BB_OK) {
        return bbi_error_wrap(err, "segment %s", w->tmp_path);
    }
    *meta = w->meta;
    return BB_OK;
}
