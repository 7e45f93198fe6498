/*
 * Any bytes as the body of a page of a segment.
 *
 * Input: what u8 (0: pages of a group, else a page index), then
 *   pages: what the index would say: chunks u16, rows u16, values u16, type u8, series_min u32,
 *          series_max u32, tmin u64, tmax u64, time body length u16; the time body; the field body
 *   index: offset of the index u32; the body
 * What is read must keep the promises of the headers.
 */
#include <stdlib.h>

#include "engine/base/bytes.h"
#include "engine/base/cursor.h"
#include "engine/segment/index.h"
#include "engine/segment/page_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* A page with this body, as the reader leaves it in memory. */
static void fill_body(struct bbi_buf *body, const uint8_t *data, size_t len)
{
    bbi_buf_reset(body);
    bbi_buf_zero(body, BBI_PAGE_BYTES);
    bbi_buf_put(body, data, len);
    bbi_buf_zero(body, BBI_PAGE_PAD);
    expect(body->err == BB_OK);
}

static void read_times(struct bbi_timepage *tp)
{
    struct bb_error err;
    int64_t times[BBI_SEGMENT_CHUNK_ROWS];
    for (size_t c = 0; c < tp->chunk_count; c++) {
        size_t n = tp->rows[c];
        size_t row = 0;
        expect(n >= 1 && n <= BBI_SEGMENT_CHUNK_ROWS && tp->tmin[c] <= tp->tmax[c]);
        if (bbi_timepage_times(tp, c, 0, n, times, &err) != BB_OK) {
            expect(err.code == BB_ECORRUPT);
            continue;
        }
        expect(times[0] == tp->tmin[c] && times[n - 1] == tp->tmax[c]);
        for (size_t i = 1; i < n; i++) {
            expect(times[i] > times[i - 1]);
        }
        expect(bbi_timepage_lower_bound(tp, c, times[n / 2], &row, &err) == BB_OK && row == n / 2);
    }
}

static void read_values(struct bbi_fieldpage *fp, const struct bbi_timepage *tp)
{
    struct bb_error err;
    struct bbi_sum sum;
    bbi_sum_init(&sum, NULL);
    for (size_t c = 0; c < fp->chunk_count; c++) {
        uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
        uint64_t valid[BBI_BITMAP_WORDS(BBI_SEGMENT_CHUNK_ROWS)];
        struct bbi_string strs[BBI_SEGMENT_CHUNK_ROWS];
        struct bbi_fieldpage_extremes extremes;
        __int128 integers = 0;
        size_t n = tp->rows[c];
        size_t count = 0;
        if (fp->type == BBI_STRING) {
            expect(bbi_fieldpage_strings(fp, c, n / 4, n, strs, valid, &count, &err) == BB_OK);
            for (size_t i = 0; i < n - n / 4; i++) {
                expect(strs[i].len <= BBI_STRINGS_LENGTH_MAX);
            }
            continue;
        }
        if (bbi_fieldpage_values(fp, c, n / 4, n, bits, valid, &count, &err) == BB_OK) {
            expect(count == bbi_fieldpage_valid(fp, c, n / 4, n, NULL));
        } else {
            expect(err.code == BB_ECORRUPT);
        }
        int code = bbi_fieldpage_sum(fp, c, 0, n, &sum, &integers, &count, &err);
        expect(code == BB_OK || code == BB_ECORRUPT);
        code = bbi_fieldpage_minmax(fp, c, n / 3, n, &extremes, &err);
        expect(code == BB_OK || code == BB_ECORRUPT);
        if (code == BB_OK && extremes.count > 0) {
            expect(extremes.min_row < n && extremes.max_row < n);
        }
    }
    bbi_sum_fini(&sum);
}

/* What the index says of the group and its field. */
static void read_claims(struct bbi_cursor *c, struct bbi_segment_group *g,
                        struct bbi_segment_field *f)
{
    *f = (struct bbi_segment_field){.field_id = 1};
    *g = (struct bbi_segment_group){.measurement_id = 1, .field_count = 1, .fields = f};
    g->chunk_count = bbi_cursor_u16(c) % BBI_SEGMENT_GROUP_CHUNKS + 1U;
    g->row_count = bbi_cursor_u16(c) % BBI_SEGMENT_GROUP_ROWS + 1U;
    f->value_count = bbi_cursor_u16(c) % g->row_count + 1U;
    f->type = (uint8_t)(bbi_cursor_u8(c) % BBI_STRING + 1);
    g->series_min = bbi_cursor_u32(c);
    g->series_max = bbi_cursor_u32(c);
    g->tmin = (int64_t)bbi_cursor_u64(c);
    g->tmax = (int64_t)bbi_cursor_u64(c);
}

static void read_pages(struct bbi_cursor *c, struct bbi_timepage *tp, struct bbi_fieldpage *fp)
{
    struct bbi_segment_group g;
    struct bbi_segment_field f;
    struct bb_error err;
    read_claims(c, &g, &f);
    size_t time_bytes = bbi_cursor_u16(c);
    const uint8_t *body = bbi_cursor_bytes(c, time_bytes);
    if (body == NULL) {
        return;
    }
    fill_body(&tp->body, body, time_bytes);
    struct bbi_page_header h = {.kind = BBI_PAGE_TIME,
                                .chunk_count = (uint16_t)g.chunk_count,
                                .body_bytes = (uint32_t)time_bytes,
                                .row_count = g.row_count,
                                .measurement_id = 1};
    if (bbi_timepage_load(tp, &h, &g, &err) != BB_OK) {
        expect(tp->chunk_count == 0 && err.code == BB_ECORRUPT);
        return;
    }
    read_times(tp);
    size_t field_bytes = bbi_cursor_left(c);
    fill_body(&fp->body, c->p, field_bytes);
    h.kind = BBI_PAGE_FIELD;
    h.type = f.type;
    h.body_bytes = (uint32_t)field_bytes;
    h.row_count = f.value_count;
    h.field_id = 1;
    if (bbi_fieldpage_load(fp, &h, &g, &f, tp, &err) == BB_OK) {
        read_values(fp, tp);
    } else {
        expect(fp->chunk_count == 0 && (err.code == BB_ECORRUPT || err.code == BB_ENOMEM));
    }
}

/* Groups and pages tile the file. */
static void read_index(struct bbi_cursor *c, struct bbi_account *acct)
{
    struct bbi_segment_index ix;
    struct bb_error err;
    uint64_t offset = bbi_cursor_u32(c);
    bbi_segment_index_init(&ix, acct);
    if (bbi_segment_index_decode(&ix, c, offset, &err) == BB_OK) {
        uint64_t at = BBI_FILE_BYTES;
        for (size_t i = 0; i < ix.group_count; i++) {
            const struct bbi_segment_group *g = &ix.groups[i];
            expect(g->offset == at && g->series_min <= g->series_max && g->tmin <= g->tmax);
            at += g->page_bytes;
            for (size_t f = 0; f < g->field_count; f++) {
                expect(g->fields[f].offset == at && g->fields[f].value_count <= g->row_count);
                at += g->fields[f].page_bytes;
            }
        }
        expect(at == offset);
    } else {
        expect(ix.group_count == 0 && (err.code == BB_ECORRUPT || err.code == BB_ENOMEM));
    }
    bbi_segment_index_fini(&ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* An index may claim as many pages as a file of 4 GiB has room for. */
    struct bbi_account acct;
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    struct bbi_cursor c;
    bbi_account_init(&acct, "fuzz", 64 << 20, NULL);
    bbi_timepage_init(&tp, &acct);
    bbi_fieldpage_init(&fp, &acct);
    bbi_cursor_init(&c, data, size);
    if (bbi_cursor_u8(&c) == 0) {
        read_pages(&c, &tp, &fp);
    } else {
        read_index(&c, &acct);
    }
    bbi_fieldpage_fini(&fp);
    bbi_timepage_fini(&tp);
    expect(acct.used_bytes == 0);
    return 0;
}
