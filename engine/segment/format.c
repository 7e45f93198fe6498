#include "engine/segment/format.h"

#include <inttypes.h>

#include "engine/base/batch.h"
#include "engine/base/bytes.h"
#include "engine/base/hash.h"

static int corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "%s", what);
}

static int check_version(uint32_t version, uint32_t flags, struct bb_error *err)
{
    if (version != BBI_SEGMENT_VERSION || flags != 0) {
        return bbi_error_set(err, BB_EVERSION, "format version %" PRIu32 ", flags %" PRIu32 ": %s",
                             version, flags, bb_code_text(BB_EVERSION));
    }
    return BB_OK;
}

/* ---- file header ---- */

void bbi_format_put_file_header(uint8_t out[BBI_FILE_BYTES], uint64_t id)
{
    bbi_put_u64(out + BBI_FILE_MAGIC_AT, BBI_FILE_MAGIC);
    bbi_put_u32(out + BBI_FILE_VERSION_AT, BBI_SEGMENT_VERSION);
    bbi_put_u32(out + BBI_FILE_FLAGS_AT, 0);
    bbi_put_u64(out + BBI_FILE_ID_AT, id);
    bbi_put_u64(out + BBI_FILE_CHECKSUM_AT, bbi_hash64(out, BBI_FILE_CHECKSUM_AT));
}

int bbi_format_get_file_header(const uint8_t in[BBI_FILE_BYTES], uint64_t *id, struct bb_error *err)
{
    if (bbi_get_u64(in + BBI_FILE_MAGIC_AT) != BBI_FILE_MAGIC) {
        return corrupt(err, "header: not a segment");
    }
    if (bbi_get_u64(in + BBI_FILE_CHECKSUM_AT) != bbi_hash64(in, BBI_FILE_CHECKSUM_AT)) {
        return corrupt(err, "header: checksum mismatch");
    }
    *id = bbi_get_u64(in + BBI_FILE_ID_AT);
    return check_version(bbi_get_u32(in + BBI_FILE_VERSION_AT), bbi_get_u32(in + BBI_FILE_FLAGS_AT),
                         err);
}

/* ---- footer ---- */

void bbi_format_put_footer(uint8_t out[BBI_FOOTER_BYTES], const struct bbi_footer *footer)
{
    const struct bbi_segment_meta *m = &footer->meta;
    memset(out, 0, BBI_FOOTER_BYTES);
    bbi_put_u32(out + BBI_FOOTER_VERSION_AT, BBI_SEGMENT_VERSION);
    bbi_put_u64(out + BBI_FOOTER_ID_AT, m->id);
    bbi_put_u32(out + BBI_FOOTER_DB_AT, m->db_id);
    bbi_put_u32(out + BBI_FOOTER_RP_AT, m->rp_id);
    bbi_put_u64(out + BBI_FOOTER_LSN_LO_AT, m->lsn_lo);
    bbi_put_u64(out + BBI_FOOTER_LSN_HI_AT, m->lsn_hi);
    bbi_put_u64(out + BBI_FOOTER_TOMBS_LSN_AT, m->tombs_lsn);
    bbi_put_u64(out + BBI_FOOTER_SPAN_T0_AT, (uint64_t)m->span_t0);
    bbi_put_u64(out + BBI_FOOTER_SPAN_T1_AT, (uint64_t)m->span_t1);
    bbi_put_u64(out + BBI_FOOTER_TMIN_AT, (uint64_t)m->tmin);
    bbi_put_u64(out + BBI_FOOTER_TMAX_AT, (uint64_t)m->tmax);
    bbi_put_u32(out + BBI_FOOTER_SERIES_MIN_AT, m->series_min);
    bbi_put_u32(out + BBI_FOOTER_SERIES_MAX_AT, m->series_max);
    bbi_put_u64(out + BBI_FOOTER_SERIES_COUNT_AT, m->series_count);
    bbi_put_u64(out + BBI_FOOTER_ROW_COUNT_AT, m->row_count);
    bbi_put_u64(out + BBI_FOOTER_VALUE_COUNT_AT, m->value_count);
    bbi_put_u64(out + BBI_FOOTER_FILE_BYTES_AT, m->file_bytes);
    bbi_put_u64(out + BBI_FOOTER_JOB_ID_AT, m->job_id);
    bbi_put_u32(out + BBI_FOOTER_JOB_PART_AT, m->job_part);
    bbi_put_u32(out + BBI_FOOTER_JOB_PARTS_AT, m->job_parts);
    bbi_put_u32(out + BBI_FOOTER_LEVEL_AT, m->level);
    bbi_put_u32(out + BBI_FOOTER_GROUP_COUNT_AT, footer->group_count);
    bbi_put_u64(out + BBI_FOOTER_INDEX_OFFSET_AT, footer->index_offset);
    bbi_put_u64(out + BBI_FOOTER_INDEX_BYTES_AT, footer->index_bytes);
    bbi_put_u64(out + BBI_FOOTER_MAGIC_AT, BBI_FOOTER_MAGIC);
    bbi_put_u64(out + BBI_FOOTER_CHECKSUM_AT, bbi_hash64(out + 8, BBI_FOOTER_BYTES - 8));
}

static void get_meta(const uint8_t *in, struct bbi_segment_meta *m)
{
    *m = (struct bbi_segment_meta){
        .id = bbi_get_u64(in + BBI_FOOTER_ID_AT),
        .db_id = bbi_get_u32(in + BBI_FOOTER_DB_AT),
        .rp_id = bbi_get_u32(in + BBI_FOOTER_RP_AT),
        .lsn_lo = bbi_get_u64(in + BBI_FOOTER_LSN_LO_AT),
        .lsn_hi = bbi_get_u64(in + BBI_FOOTER_LSN_HI_AT),
        .tombs_lsn = bbi_get_u64(in + BBI_FOOTER_TOMBS_LSN_AT),
        .span_t0 = (int64_t)bbi_get_u64(in + BBI_FOOTER_SPAN_T0_AT),
        .span_t1 = (int64_t)bbi_get_u64(in + BBI_FOOTER_SPAN_T1_AT),
        .tmin = (int64_t)bbi_get_u64(in + BBI_FOOTER_TMIN_AT),
        .tmax = (int64_t)bbi_get_u64(in + BBI_FOOTER_TMAX_AT),
        .series_min = bbi_get_u32(in + BBI_FOOTER_SERIES_MIN_AT),
        .series_max = bbi_get_u32(in + BBI_FOOTER_SERIES_MAX_AT),
        .series_count = bbi_get_u64(in + BBI_FOOTER_SERIES_COUNT_AT),
        .row_count = bbi_get_u64(in + BBI_FOOTER_ROW_COUNT_AT),
        .value_count = bbi_get_u64(in + BBI_FOOTER_VALUE_COUNT_AT),
        .file_bytes = bbi_get_u64(in + BBI_FOOTER_FILE_BYTES_AT),
        .job_id = bbi_get_u64(in + BBI_FOOTER_JOB_ID_AT),
        .job_part = bbi_get_u32(in + BBI_FOOTER_JOB_PART_AT),
        .job_parts = bbi_get_u32(in + BBI_FOOTER_JOB_PARTS_AT),
        .level = bbi_get_u32(in + BBI_FOOTER_LEVEL_AT),
    };
}

/* The index ends where the footer begins; there are groups if there are rows. */
static bool is_sound(const struct bbi_footer *f)
{
    const struct bbi_segment_meta *m = &f->meta;
    uint64_t fixed = BBI_FILE_BYTES + BBI_FOOTER_BYTES;
    if (m->file_bytes < fixed || f->index_offset < BBI_FILE_BYTES ||
        f->index_bytes < BBI_PAGE_BYTES || f->index_bytes > BBI_PAGE_BYTES_MAX) {
        return false;
    }
    uint64_t index_end = m->file_bytes - BBI_FOOTER_BYTES;
    if (f->index_offset > index_end || index_end - f->index_offset != f->index_bytes) {
        return false;
    }
    bool empty = m->row_count == 0;
    return empty == (f->group_count == 0) && empty == (m->tmin > m->tmax) &&
           empty == (m->series_min > m->series_max);
}

int bbi_format_get_footer(const uint8_t in[BBI_FOOTER_BYTES], struct bbi_footer *footer,
                          struct bb_error *err)
{
    if (bbi_get_u64(in + BBI_FOOTER_MAGIC_AT) != BBI_FOOTER_MAGIC) {
        return corrupt(err, "footer: missing");
    }
    if (bbi_get_u64(in + BBI_FOOTER_CHECKSUM_AT) != bbi_hash64(in + 8, BBI_FOOTER_BYTES - 8)) {
        return corrupt(err, "footer: checksum mismatch");
    }
    int code = check_version(bbi_get_u32(in + BBI_FOOTER_VERSION_AT),
                             bbi_get_u32(in + BBI_FOOTER_FLAGS_AT), err);
    if (code != BB_OK) {
        return code;
    }
    get_meta(in, &footer->meta);
    footer->group_count = bbi_get_u32(in + BBI_FOOTER_GROUP_COUNT_AT);
    footer->index_offset = bbi_get_u64(in + BBI_FOOTER_INDEX_OFFSET_AT);
    footer->index_bytes = bbi_get_u64(in + BBI_FOOTER_INDEX_BYTES_AT);
    return is_sound(footer) ? BB_OK : corrupt(err, "footer: contradicts itself");
}

/* ---- pages ---- */

uint64_t bbi_format_page_checksum(const uint8_t *page, size_t bytes, uint64_t segment_id,
                                  uint64_t offset)
{
    uint64_t seed = segment_id * UINT64_C(0x9e3779b97f4a7c15) + offset;
    return bbi_hash64_seed(page + BBI_PAGE_MAGIC_AT, bytes - BBI_PAGE_MAGIC_AT, seed);
}

void bbi_format_seal_page(uint8_t *page, const struct bbi_page_header *h, uint64_t segment_id,
                          uint64_t offset)
{
    memset(page, 0, BBI_PAGE_BYTES);
    bbi_put_u16(page + BBI_PAGE_MAGIC_AT, BBI_PAGE_MAGIC);
    page[BBI_PAGE_VERSION_AT] = BBI_SEGMENT_VERSION;
    page[BBI_PAGE_KIND_AT] = (uint8_t)h->kind;
    page[BBI_PAGE_TYPE_AT] = h->type;
    bbi_put_u16(page + BBI_PAGE_CHUNKS_AT, h->chunk_count);
    bbi_put_u32(page + BBI_PAGE_BODY_AT, h->body_bytes);
    bbi_put_u32(page + BBI_PAGE_ROWS_AT, h->row_count);
    bbi_put_u32(page + BBI_PAGE_MEASUREMENT_AT, h->measurement_id);
    bbi_put_u32(page + BBI_PAGE_FIELD_AT, h->field_id);
    size_t bytes = BBI_PAGE_BYTES + (size_t)h->body_bytes;
    bbi_put_u64(page + BBI_PAGE_CHECKSUM_AT,
                bbi_format_page_checksum(page, bytes, segment_id, offset));
}

int bbi_format_open_page(const uint8_t *page, size_t bytes, uint64_t segment_id, uint64_t offset,
                         struct bbi_page_header *h, struct bb_error *err)
{
    if (bytes < BBI_PAGE_BYTES || bbi_get_u64(page + BBI_PAGE_CHECKSUM_AT) !=
                                      bbi_format_page_checksum(page, bytes, segment_id, offset)) {
        return corrupt(err, "checksum mismatch");
    }
    if (bbi_get_u16(page + BBI_PAGE_MAGIC_AT) != BBI_PAGE_MAGIC ||
        bbi_get_u32(page + BBI_PAGE_BODY_AT) != bytes - BBI_PAGE_BYTES) {
        return corrupt(err, "not a page of this length");
    }
    int code = check_version(page[BBI_PAGE_VERSION_AT], page[BBI_PAGE_FLAGS_AT], err);
    *h = (struct bbi_page_header){
        .kind = (enum bbi_page_kind)page[BBI_PAGE_KIND_AT],
        .type = page[BBI_PAGE_TYPE_AT],
        .chunk_count = bbi_get_u16(page + BBI_PAGE_CHUNKS_AT),
        .body_bytes = bbi_get_u32(page + BBI_PAGE_BODY_AT),
        .row_count = bbi_get_u32(page + BBI_PAGE_ROWS_AT),
        .measurement_id = bbi_get_u32(page + BBI_PAGE_MEASUREMENT_AT),
        .field_id = bbi_get_u32(page + BBI_PAGE_FIELD_AT),
    };
    return code;
}
