/*
 * Any bytes as something that the catalog reads.
 *
 * Input: what u8, then
 *   0: a payload of records
 *   1: a series key
 *   2: form u8, key length u8, a posting's key and value
 *   3: catalog.mdb
 *   4: catalog.log
 * What is read must keep the promises of the headers.
 */
#include <stdlib.h>

#include "engine/base/record.h"
#include "engine/catalog/catlog.h"
#include "engine/catalog/key.h"
#include "engine/catalog/posting.h"
#include "engine/catalog/verify.h"
#include "tests/lib/simdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bb_error err;

static void expect(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* ---- records ---- */

static void read_series(const struct bbi_record *record)
{
    struct bbi_series_reader reader;
    struct bbi_record_series s;
    int rc = bbi_series_reader_init(&reader, record, &err);
    uint32_t last = 0;
    while (rc == BB_OK && reader.left > 0) {
        rc = bbi_series_reader_next(&reader, &s, &err);
        if (rc == BB_OK) {
            expect(s.sid > last && s.key_len <= BBI_SERIES_KEY_MAX);
            last = s.sid;
        }
    }
}

static void read_delete(const struct bbi_record *record)
{
    struct bbi_tombstone t;
    if (bbi_record_get_delete(record, 1, &t, &err) == BB_OK) {
        expect(t.lsn != 0 && t.db_id != 0);
        roaring_bitmap_free(t.series);
    }
}

static void read_checkpoint(const struct bbi_record *record)
{
    struct bbi_record_checkpoint cp;
    struct bbi_next_ids ids;
    struct bbi_cursor c;
    int rc = bbi_record_get_checkpoint(record, &cp, &c, &err);
    for (uint32_t i = 0; rc == BB_OK && i < cp.db_count; i++) {
        rc = bbi_record_get_next_ids(&c, &ids, &err);
    }
}

static void read_record(const struct bbi_record *record)
{
    struct bbi_record_database database;
    struct bbi_record_rp rp;
    struct bbi_record_measurement measurement;
    struct bbi_record_field field;
    struct bbi_record_user user;
    struct bbi_record_task task;
    struct bbi_record_series_drop drop;
    struct bbi_segment_meta meta;
    uint64_t id;
    switch (record->type) {
    case BBI_RECORD_DATABASE_NEW:
    case BBI_RECORD_DATABASE_DROP:
        (void)!bbi_record_get_database(record, &database, &err);
        break;
    case BBI_RECORD_RP_NEW:
    case BBI_RECORD_RP_ALTER:
    case BBI_RECORD_RP_DROP:
        (void)!bbi_record_get_rp(record, &rp, &err);
        break;
    case BBI_RECORD_MEASUREMENT_NEW:
    case BBI_RECORD_MEASUREMENT_DROP:
        (void)!bbi_record_get_measurement(record, &measurement, &err);
        break;
    case BBI_RECORD_FIELD_NEW:
        (void)!bbi_record_get_field(record, &field, &err);
        break;
    case BBI_RECORD_USER_NEW:
    case BBI_RECORD_USER_ALTER:
    case BBI_RECORD_USER_DROP:
        (void)!bbi_record_get_user(record, &user, &err);
        break;
    case BBI_RECORD_TASK_NEW:
    case BBI_RECORD_TASK_DROP:
        (void)!bbi_record_get_task(record, &task, &err);
        break;
    case BBI_RECORD_SERIES_NEW:
        read_series(record);
        break;
    case BBI_RECORD_SERIES_DROP:
        if (bbi_record_get_series_drop(record, &drop, &err) == BB_OK) {
            roaring_bitmap_free(drop.sids);
        }
        break;
    case BBI_RECORD_DELETE:
        read_delete(record);
        break;
    case BBI_RECORD_SEGMENT_ADD:
        (void)!bbi_record_get_segment_add(record, &meta, &err);
        break;
    case BBI_RECORD_SEGMENT_REMOVE:
    case BBI_RECORD_TOMBSTONE_REMOVE:
        (void)!bbi_record_get_segment_remove(record, &id, &err);
        break;
    case BBI_RECORD_CHECKPOINT:
        read_checkpoint(record);
        break;
    case BBI_RECORD_BATCH:
    case BBI_RECORD_SOURCE:
        break;
    }
}

static void read_records(const uint8_t *data, size_t size)
{
    struct bbi_cursor c;
    struct bbi_record record;
    bbi_cursor_init(&c, data, size);
    while (bbi_cursor_left(&c) > 0 && bbi_record_next(&c, &record, &err) == BB_OK) {
        read_record(&record);
    }
}

/* ---- keys and posting lists ---- */

static void read_key(const uint8_t *data, size_t size)
{
    struct bbi_cursor c;
    struct bbi_tag tag;
    size_t len;
    bool valid = bbi_key_valid(data, size);
    (void)bbi_key_first(&c, data, size, &len);
    while (bbi_key_next(&c, &tag)) {
        size_t value_len;
        const uint8_t *value = bbi_key_tag_value(data, size, tag.key, tag.key_len, &value_len);
        expect(!valid || (value == tag.value && value_len == tag.value_len));
    }
    expect(!valid || c.err == BB_OK);
}

static void read_posting(const uint8_t *data, size_t size)
{
    struct bbi_posting p;
    struct bbi_posting_tag tag;
    if (size < 2 || data[1] > size - 2) {
        return;
    }
    struct bbi_index_entry e = {.key = data + 2,
                                .key_len = data[1],
                                .value = data + 2 + data[1],
                                .value_len = size - 2 - data[1]};
    if (bbi_posting_parse(&e, (enum bbi_posting_form)(data[0] % 4), &p, &err) != BB_OK) {
        return;
    }
    (void)!bbi_posting_tag_of(p.blob, p.blob_len, &tag, &err);
    roaring_bitmap_t *ids = roaring_bitmap_create();
    if (bbi_posting_or(&p, ids, &err) == BB_OK) {
        expect(!roaring_bitmap_is_empty(ids) && roaring_bitmap_minimum(ids) >> 16 == p.high &&
               roaring_bitmap_maximum(ids) >> 16 == p.high);
    }
    roaring_bitmap_free(ids);
}

/* ---- files ---- */

static int read_frame(void *arg, struct bbi_cursor *records, uint64_t end, bool at_commit,
                      struct bb_error *e)
{
    (void)at_commit;
    (void)e;
    expect(end > *(uint64_t *)arg);
    *(uint64_t *)arg = end;
    read_records(records->p, bbi_cursor_left(records));
    return BB_OK;
}

static void read_log(const struct bbi_fs *fs)
{
    struct bbi_catlog log;
    struct bbi_catlog_scan scan;
    uint64_t last = 0;
    if (bbi_catlog_open(fs, "/file", NULL, &log, &scan, &err) == BB_OK) {
        expect(bbi_catlog_read(&log, 0, read_frame, &last, &err) == BB_OK);
        expect(last <= scan.file_bytes);
        bbi_catlog_close(&log);
    }
}

static void read_file(bool is_log, const uint8_t *data, size_t size)
{
    struct simdisk *disk = simdisk_create(1);
    struct bbi_file *file;
    int rc = bbi_fs_open(simdisk_fs(disk), "/file", BBI_FS_WRITE | BBI_FS_CREATE, &file, &err);
    expect(rc == BB_OK);
    rc = bbi_file_write(file, data, size, 0, &err);
    expect(rc == BB_OK);
    bbi_file_close(&file);
    if (is_log) {
        read_log(simdisk_fs(disk));
    } else {
        rc = bbi_verify(simdisk_fs(disk), "/file", NULL, &err);
        expect(rc == BB_OK || rc == BB_ECORRUPT || rc == BB_ENOTFOUND);
    }
    simdisk_destroy(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    switch (data[0]) {
    case 0:
        read_records(data + 1, size - 1);
        break;
    case 1:
        read_key(data + 1, size - 1);
        break;
    case 2:
        read_posting(data + 1, size - 1);
        break;
    case 3:
    case 4:
        read_file(data[0] == 4, data + 1, size - 1);
        break;
    default:
        break;
    }
    expect(bbi_account_server()->used_bytes == 0);
    return 0;
}
