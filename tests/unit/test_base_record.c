#include "engine/base/record.h"

#include "tests/lib/rng.h"
#include "tests/lib/unit.h"

static struct bb_error err;

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void assert_bytes(const uint8_t *p, size_t len, const char *s)
{
    assert_int_equal(len, strlen(s));
    assert_memory_equal(p, s, len);
}

static const struct bbi_segment_meta segment = {.id = UINT64_MAX,
                                                .db_id = 1,
                                                .rp_id = 2,
                                                .lsn_lo = 5,
                                                .lsn_hi = UINT64_MAX - 1,
                                                .tombs_lsn = UINT64_MAX,
                                                .span_t0 = INT64_MIN,
                                                .span_t1 = INT64_MAX,
                                                .tmin = INT64_MIN,
                                                .tmax = -1,
                                                .series_min = 0,
                                                .series_max = UINT32_MAX,
                                                .series_count = 4,
                                                .row_count = 5,
                                                .value_count = 6,
                                                .file_bytes = 7,
                                                .job_id = 8,
                                                .job_part = 9,
                                                .job_parts = 10,
                                                .level = 11};

/* The one record that b holds. */
static struct bbi_record only(const struct bbi_buf *b)
{
    struct bbi_cursor c;
    struct bbi_record r;
    assert_int_equal(b->err, BB_OK);
    bbi_cursor_init(&c, b->data, b->len);
    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(bbi_cursor_left(&c), 0);
    return r;
}

static void put_all(struct bbi_buf *b)
{
    struct bbi_record_rp rp = {7, 9, 3600, 60, 2, true, BYTES("month")};
    struct bbi_series_writer w;
    struct bbi_next_ids ids[2] = {{1, 2, 3, 4}, {5, UINT32_MAX, 7, 8}};
    struct bbi_record_checkpoint cp = {
        .lsn = UINT64_MAX, .next_segment_id = 77, .next_db_id = 6, .next_rp_id = 8, .db_count = 2};
    struct bbi_tombstone t = {0,         3,         0,
                              INT64_MIN, INT64_MAX, roaring_bitmap_from_range(10, 100000, 3)};

    bbi_record_put_database_new(b, &(struct bbi_record_database){7, BYTES("meters")});
    bbi_record_put_database_drop(b, UINT32_MAX);
    bbi_record_put_rp_new(b, &rp);
    rp.duration_ns = 0;
    rp.shard_ns = INT64_MAX;
    rp.is_default = false;
    bbi_record_put_rp_alter(b, &rp);
    bbi_record_put_rp_drop(b, 7, 9);
    bbi_record_put_measurement_new(b, &(struct bbi_record_measurement){7, 300, BYTES("")});
    bbi_record_put_field_new(b, &(struct bbi_record_field){7, 300, 4, BBI_UINT, BYTES("value")});
    bbi_series_writer_init(&w, NULL);
    bbi_series_writer_add(&w, 7, &(struct bbi_record_series){3, 300, BYTES("a")}, b);
    bbi_series_writer_add(&w, 7, &(struct bbi_record_series){UINT32_MAX, 1, BYTES("")}, b);
    bbi_series_writer_close(&w, b);
    bbi_series_writer_fini(&w);
    bbi_record_put_delete(b, &t);
    bbi_record_put_series_drop(b, &(struct bbi_record_series_drop){7, 300, t.series});
    bbi_record_put_measurement_drop(b, 7, 300);
    const struct bbi_grant grants[] = {{1, BBI_PRIVILEGE_READ}, {300, BBI_PRIVILEGE_ALL}};
    const struct bbi_record_user user = {
        .user_id = 3, .name = (const uint8_t *)"ann", .name_len = 3, .grant_count = 2};
    bbi_record_put_user(b, BBI_RECORD_USER_NEW, &user, grants);
    bbi_record_put_user(b, BBI_RECORD_USER_ALTER, &user, grants);
    bbi_record_put_user_drop(b, 3);
    const struct bbi_record_task task = {7, 2, BBI_TASK_SUBSCRIPTION, 9, BYTES("s"), BYTES("text")};
    bbi_record_put_task_new(b, &task);
    bbi_record_put_task_drop(b, 7, 2);
    bbi_record_put(b, BBI_RECORD_BATCH, "rows", 4);
    bbi_record_put(b, BBI_RECORD_SOURCE, "", 0);
    bbi_record_put_segment_add(b, &segment);
    bbi_record_put_segment_remove(b, 12);
    bbi_record_put_tombstone_remove(b, 1u << 31);
    bbi_record_put_checkpoint(b, &cp, ids);
    roaring_bitmap_free(t.series);
}

static int read_simple(const struct bbi_record *r)
{
    struct bbi_record_field field;
    struct bbi_record_user user;
    struct bbi_record_task task;
    if (r->type == BBI_RECORD_FIELD_NEW) {
        return bbi_record_get_field(r, &field, &err);
    }
    bool is_task = r->type == BBI_RECORD_TASK_NEW || r->type == BBI_RECORD_TASK_DROP;
    return is_task ? bbi_record_get_task(r, &task, &err) : bbi_record_get_user(r, &user, &err);
}

/* Read with whatever function the type asks for; says only whether it was well-formed. */
static int read_any(const struct bbi_record *r)
{
    struct bbi_record_database database;
    struct bbi_record_rp rp;
    struct bbi_record_measurement measurement;
    struct bbi_record_series series;
    struct bbi_record_series_drop drop;
    struct bbi_series_reader reader;
    struct bbi_tombstone t;
    struct bbi_segment_meta m;
    struct bbi_record_checkpoint cp;
    struct bbi_next_ids ids;
    struct bbi_cursor c;
    uint64_t v;
    int rc;
    switch (r->type) {
    case BBI_RECORD_DATABASE_NEW:
    case BBI_RECORD_DATABASE_DROP:
        return bbi_record_get_database(r, &database, &err);
    case BBI_RECORD_RP_NEW:
    case BBI_RECORD_RP_ALTER:
    case BBI_RECORD_RP_DROP:
        return bbi_record_get_rp(r, &rp, &err);
    case BBI_RECORD_MEASUREMENT_NEW:
    case BBI_RECORD_MEASUREMENT_DROP:
        return bbi_record_get_measurement(r, &measurement, &err);
    case BBI_RECORD_FIELD_NEW:
    case BBI_RECORD_USER_NEW:
    case BBI_RECORD_USER_ALTER:
    case BBI_RECORD_USER_DROP:
    case BBI_RECORD_TASK_NEW:
    case BBI_RECORD_TASK_DROP:
        return read_simple(r);
    case BBI_RECORD_SERIES_NEW:
        rc = bbi_series_reader_init(&reader, r, &err);
        while (rc == BB_OK && reader.left > 0) {
            rc = bbi_series_reader_next(&reader, &series, &err);
        }
        return rc;
    case BBI_RECORD_SERIES_DROP:
        rc = bbi_record_get_series_drop(r, &drop, &err);
        if (rc == BB_OK) {
            roaring_bitmap_free(drop.sids);
        }
        return rc;
    case BBI_RECORD_DELETE:
        rc = bbi_record_get_delete(r, 5, &t, &err);
        if (rc == BB_OK) {
            roaring_bitmap_free(t.series);
        }
        return rc;
    case BBI_RECORD_SEGMENT_ADD:
        return bbi_record_get_segment_add(r, &m, &err);
    case BBI_RECORD_SEGMENT_REMOVE:
        return bbi_record_get_segment_remove(r, &v, &err);
    case BBI_RECORD_TOMBSTONE_REMOVE:
        return bbi_record_get_tombstone_remove(r, &v, &err);
    case BBI_RECORD_CHECKPOINT:
        rc = bbi_record_get_checkpoint(r, &cp, &c, &err);
        for (uint32_t i = 0; rc == BB_OK && i < cp.db_count; i++) {
            rc = bbi_record_get_next_ids(&c, &ids, &err);
        }
        return rc;
    case BBI_RECORD_BATCH:
    case BBI_RECORD_SOURCE:
        return BB_OK;
    }
    return BB_EINTERNAL;
}

static void test_schema(void **state)
{
    (void)state;
    struct bbi_buf b;
    struct bbi_record r;
    struct bbi_record_database database;
    struct bbi_record_rp rp;
    struct bbi_record_measurement measurement;
    struct bbi_record_field field;
    struct bbi_cursor c;
    bbi_buf_init(&b, NULL, 1 << 20);
    put_all(&b);
    bbi_cursor_init(&c, b.data, b.len);

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(r.type, BBI_RECORD_DATABASE_NEW);
    assert_int_equal(bbi_record_get_database(&r, &database, &err), BB_OK);
    assert_int_equal(database.db_id, 7);
    assert_bytes(database.name, database.name_len, "meters");

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(r.type, BBI_RECORD_DATABASE_DROP);
    assert_int_equal(bbi_record_get_database(&r, &database, &err), BB_OK);
    assert_int_equal(database.db_id, UINT32_MAX);

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(r.type, BBI_RECORD_RP_NEW);
    assert_int_equal(bbi_record_get_rp(&r, &rp, &err), BB_OK);
    assert_true(rp.db_id == 7 && rp.rp_id == 9 && rp.duration_ns == 3600 && rp.shard_ns == 60);
    assert_true(rp.is_default && rp.replicas == 2);
    assert_bytes(rp.name, rp.name_len, "month");

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(r.type, BBI_RECORD_RP_ALTER);
    assert_int_equal(bbi_record_get_rp(&r, &rp, &err), BB_OK);
    assert_true(rp.duration_ns == 0 && rp.shard_ns == INT64_MAX && !rp.is_default);

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(r.type, BBI_RECORD_RP_DROP);
    assert_int_equal(bbi_record_get_rp(&r, &rp, &err), BB_OK);
    assert_true(rp.db_id == 7 && rp.rp_id == 9);

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(bbi_record_get_measurement(&r, &measurement, &err), BB_OK);
    assert_true(measurement.db_id == 7 && measurement.mid == 300 && measurement.name_len == 0);

    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(bbi_record_get_field(&r, &field, &err), BB_OK);
    assert_true(field.db_id == 7 && field.mid == 300 && field.field_id == 4);
    assert_int_equal(field.type, BBI_UINT);
    assert_bytes(field.name, field.name_len, "value");
    bbi_buf_fini(&b);
}

static void test_series(void **state)
{
    (void)state;
    struct bbi_buf b;
    struct bbi_series_writer w;
    struct bbi_record_series s;
    struct bbi_cursor c;
    static uint8_t key[BBI_SERIES_KEY_MAX];
    uint32_t records = 0;
    uint32_t seen = 0;

    bbi_buf_init(&b, NULL, 16 << 20);
    bbi_series_writer_init(&w, NULL);
    for (uint32_t i = 1; i <= 20; i++) {
        bbi_series_writer_add(&w, i <= 10 ? 1 : 2,
                              &(struct bbi_record_series){i * 1000, i, key, sizeof(key)}, &b);
    }
    bbi_series_writer_add(&w, 2, &(struct bbi_record_series){5, 21, key, 0}, &b);
    bbi_series_writer_close(&w, &b);
    bbi_series_writer_close(&w, &b);
    assert_int_equal(w.body.err, BB_OK);
    assert_int_equal(b.err, BB_OK);

    bbi_cursor_init(&c, b.data, b.len);
    while (bbi_cursor_left(&c) > 0) {
        struct bbi_record r;
        struct bbi_series_reader reader;
        assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
        assert_int_equal(r.type, BBI_RECORD_SERIES_NEW);
        assert_true(r.len <= BBI_SERIES_RECORD_BYTES + 16);
        assert_int_equal(bbi_series_reader_init(&reader, &r, &err), BB_OK);
        assert_true(reader.left > 0);
        while (reader.left > 0) {
            assert_int_equal(bbi_series_reader_next(&reader, &s, &err), BB_OK);
            seen++;
            assert_int_equal(s.mid, seen);
            assert_int_equal(s.sid, seen == 21 ? 5 : seen * 1000);
            assert_int_equal(s.key_len, seen == 21 ? 0 : sizeof(key));
            assert_int_equal(reader.db_id, seen <= 10 ? 1 : 2);
        }
        records++;
    }
    assert_int_equal(seen, 21);
    assert_true(records >= 8);
    bbi_series_writer_fini(&w);
    bbi_buf_fini(&b);
}

static void test_delete(void **state)
{
    (void)state;
    struct bbi_buf b;
    struct bbi_tombstone t = {0, 3, 4, -5, 6, roaring_bitmap_from_range(10, 100000, 1)};
    struct bbi_tombstone back;
    struct bbi_record r;

    bbi_buf_init(&b, NULL, 1 << 20);
    bbi_record_put_delete(&b, &t);
    assert_true(b.len < 64);
    r = only(&b);
    assert_int_equal(bbi_record_get_delete(&r, 1234, &back, &err), BB_OK);
    assert_true(back.lsn == 1234 && back.db_id == 3 && back.rp_id == 4);
    assert_true(back.tmin == -5 && back.tmax == 6);
    assert_true(roaring_bitmap_equals(back.series, t.series));
    roaring_bitmap_free(back.series);

    bbi_buf_reset(&b);
    t.lsn = 99;
    bbi_record_put_delete(&b, &t);
    r = only(&b);
    assert_int_equal(bbi_record_get_delete(&r, 1234, &back, &err), BB_OK);
    assert_int_equal(back.lsn, 99);
    roaring_bitmap_free(back.series);
    roaring_bitmap_free(t.series);
    bbi_buf_fini(&b);
}

static void test_segment_and_checkpoint(void **state)
{
    (void)state;
    struct bbi_buf b;
    struct bbi_segment_meta back;
    struct bbi_next_ids ids[2] = {{1, 2, 3, 4}, {5, UINT32_MAX, 7, 8}};
    struct bbi_next_ids id;
    struct bbi_record_checkpoint cp = {UINT64_MAX, 77, 6, 8, 2};
    struct bbi_cursor c;
    struct bbi_record r;

    bbi_buf_init(&b, NULL, 1 << 20);
    bbi_record_put_segment_add(&b, &segment);
    r = only(&b);
    assert_int_equal(bbi_record_get_segment_add(&r, &back, &err), BB_OK);
    assert_memory_equal(&back, &segment,
                        offsetof(struct bbi_segment_meta, level) + sizeof(segment.level));

    bbi_buf_reset(&b);
    bbi_record_put_checkpoint(&b, &cp, ids);
    r = only(&b);
    memset(&cp, 0, sizeof(cp));
    assert_int_equal(bbi_record_get_checkpoint(&r, &cp, &c, &err), BB_OK);
    assert_true(cp.lsn == UINT64_MAX && cp.next_segment_id == 77 && cp.next_db_id == 6 &&
                cp.next_rp_id == 8 && cp.db_count == 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bbi_record_get_next_ids(&c, &id, &err), BB_OK);
        assert_memory_equal(&id, &ids[i], sizeof(id));
    }
    bbi_buf_fini(&b);
}

static void test_unknown_type_and_version_are_named(void **state)
{
    (void)state;
    const uint8_t unknown[] = {200, 1, 0};
    const uint8_t newer[] = {BBI_RECORD_DATABASE_NEW, 3, 9, 1, 'x'};
    struct bbi_cursor c;
    struct bbi_record r;
    bbi_cursor_init(&c, unknown, sizeof(unknown));
    assert_int_equal(bbi_record_next(&c, &r, &err), BB_EVERSION);
    assert_string_equal(err.text, "unknown record type 200");
    bbi_cursor_init(&c, newer, sizeof(newer));
    assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
    assert_int_equal(read_any(&r), BB_EVERSION);
    assert_string_equal(err.text, "record DATABASE_NEW: unknown version 9");
}

static void test_limits(void **state)
{
    (void)state;
    struct bbi_buf b;
    static uint8_t name[BBI_NAME_MAX + 1];
    struct bbi_record r;
    bbi_buf_init(&b, NULL, 1 << 20);
    bbi_record_put_database_new(&b, &(struct bbi_record_database){1, name, BBI_NAME_MAX});
    r = only(&b);
    assert_int_equal(read_any(&r), BB_OK);
    bbi_buf_reset(&b);
    bbi_record_put_database_new(&b, &(struct bbi_record_database){1, name, BBI_NAME_MAX + 1});
    r = only(&b);
    assert_int_equal(read_any(&r), BB_ECORRUPT);
    bbi_buf_reset(&b);
    bbi_record_put_database_new(&b, &(struct bbi_record_database){0, name, 1});
    r = only(&b);
    assert_int_equal(read_any(&r), BB_ECORRUPT);
    bbi_buf_fini(&b);
}

static size_t read_all(const uint8_t *p, size_t len)
{
    struct bbi_cursor c;
    struct bbi_record r;
    size_t good = 0;
    bbi_cursor_init(&c, p, len);
    while (bbi_cursor_left(&c) > 0 && bbi_record_next(&c, &r, &err) == BB_OK) {
        good += read_any(&r) == BB_OK;
    }
    return good;
}

/* Truncated anywhere, and with bytes flipped: never a crash (a sanitizer looks on), and a cut body
 * is always noticed. */
static void test_hostile_bytes(void **state)
{
    (void)state;
    struct rng rnd = rng_from_env();
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 1 << 20);
    put_all(&b);
    assert_int_equal(read_all(b.data, b.len), 22);

    for (size_t len = 0; len < b.len; len++) {
        uint8_t *cut = bbi_mem_alloc(NULL, len);
        memcpy(cut, b.data, len);
        assert_true(read_all(cut, len) < 22);
        bbi_mem_free(cut);
    }
    struct bbi_cursor c;
    bbi_cursor_init(&c, b.data, b.len);
    while (bbi_cursor_left(&c) > 0) {
        struct bbi_record r;
        assert_int_equal(bbi_record_next(&c, &r, &err), BB_OK);
        bool is_opaque = r.type == BBI_RECORD_BATCH || r.type == BBI_RECORD_SOURCE;
        for (size_t len = 0; len < r.len && !is_opaque; len++) {
            struct bbi_record cut = {r.type, r.body, len};
            (void)read_any(&cut);
        }
    }
    for (int i = 0; i < 200000; i++) {
        size_t at = rng_below(&rnd, b.len);
        uint8_t was = b.data[at];
        b.data[at] = (uint8_t)rng_u64(&rnd);
        (void)read_all(b.data, b.len);
        b.data[at] = was;
    }
    bbi_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_segment_and_checkpoint),
        cmocka_unit_test(test_unknown_type_and_version_are_named),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
