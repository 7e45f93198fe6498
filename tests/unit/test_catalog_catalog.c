/* The catalog as the rest of the engine uses it: one behaviour a test, on a simulated disk. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/catalog_util.h"

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1
#define HOUR     (INT64_C(3600) * 1000000000)
#define DAY      (24 * HOUR)

static struct bb_error err;

static int setup(void **state)
{
    struct cat *c = bbi_mem_alloc(NULL, sizeof(*c));
    cat_init(c, 1);
    cat_open(c);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct cat *c = *state;
    cat_fini(c);
    bbi_mem_free(c);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
    return 0;
}

/* ---- databases and policies ---- */

static void test_databases(void **state)
{
    struct cat *c = *state;
    uint32_t id;
    uint32_t again;
    struct bbi_rp rp;
    id = cat_create_db(c, "meters");
    assert_int_equal(
        bbi_catalog_database_create(c->catalog, "meters", 6, NULL, 0, NULL, &again, &err),
        BB_EEXIST);
    assert_int_equal(again, id);
    assert_ok(bbi_catalog_database_find(c->catalog, "meters", 6, &again, &err), &err);
    assert_int_equal(again, id);
    assert_int_equal(bbi_catalog_database_find(c->catalog, "x", 1, &again, &err), BB_ENOTFOUND);
    assert_string_equal(err.text, "database not found: x");

    assert_ok(bbi_catalog_rp_find(c->catalog, id, "", 0, &rp, &err), &err);
    assert_string_equal(rp.name, "autogen");
    assert_true(rp.is_default && rp.duration_ns == 0 && rp.shard_ns == 7 * DAY);
    assert_int_equal(rp.db_id, id);

    assert_ok(bbi_catalog_database_drop(c->catalog, "meters", 6, &again, &err), &err);
    assert_int_equal(again, id);
    assert_false(bbi_catalog_database_exists(c->catalog, id));
    assert_true(cat_create_db(c, "meters") > id);
    assert_int_equal(bbi_catalog_rp_find(c->catalog, id, "", 0, &rp, &err), BB_ENOTFOUND);
    assert_int_equal(bbi_catalog_database_drop(c->catalog, "x", 1, &again, &err), BB_ENOTFOUND);
}

static void test_names_of_databases(void **state)
{
    struct cat *c = *state;
    static const char *const bad[] = {"", ".", "..", "a/b", "a\\b", "a\nb", "\x7f"};
    char longest[BBI_DB_NAME_MAX + 1];
    uint32_t id;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(bbi_catalog_database_create(c->catalog, bad[i], strlen(bad[i]), NULL, 0,
                                                     NULL, &id, &err),
                         BB_EINVAL);
    }
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(
        bbi_catalog_database_create(c->catalog, longest, sizeof(longest), NULL, 0, NULL, &id, &err),
        BB_EINVAL);
    assert_ok(
        bbi_catalog_database_create(c->catalog, longest, BBI_DB_NAME_MAX, NULL, 0, NULL, &id, &err),
        &err);
    (void)cat_create_db(c, "...");
    (void)cat_create_db(c, "z\xc3\xa4hler 1");
}

static void test_shard_lengths(void **state)
{
    (void)state;
    assert_int_equal(bbi_rp_shard_ns(0), 7 * DAY);
    assert_int_equal(bbi_rp_shard_ns(2 * DAY - 1), HOUR);
    assert_int_equal(bbi_rp_shard_ns(2 * DAY), DAY);
    assert_int_equal(bbi_rp_shard_ns(180 * DAY - 1), DAY);
    assert_int_equal(bbi_rp_shard_ns(180 * DAY), 7 * DAY);
}

static void test_policies(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    struct bbi_rp rp;
    struct bbi_rp old;
    struct bbi_rp *list;
    size_t count;
    uint32_t id;
    struct bbi_rp_spec spec = {.has_duration = true, .duration_ns = 30 * DAY, .make_default = true};
    assert_ok(bbi_catalog_rp_create(c->catalog, db, "month", 5, &spec, &rp, &err), &err);
    assert_true(rp.is_default && rp.shard_ns == DAY && rp.duration_ns == 30 * DAY);
    assert_ok(bbi_catalog_rp_find(c->catalog, db, "autogen", 7, &old, &err), &err);
    assert_false(old.is_default);
    /* the same again is fine, another is not */
    assert_ok(bbi_catalog_rp_create(c->catalog, db, "month", 5, &spec, &rp, &err), &err);
    spec.duration_ns = 31 * DAY;
    assert_int_equal(bbi_catalog_rp_create(c->catalog, db, "month", 5, &spec, &rp, &err),
                     BB_EEXIST);
    assert_string_equal(err.text, "retention policy already exists");

    spec.duration_ns = HOUR - 1;
    assert_int_equal(bbi_catalog_rp_create(c->catalog, db, "x", 1, &spec, &rp, &err), BB_EINVAL);
    assert_string_equal(err.text, "retention policy duration must be at least 1h0m0s");
    spec = (struct bbi_rp_spec){
        .has_duration = true, .duration_ns = DAY, .has_shard = true, .shard_ns = 2 * DAY};
    assert_int_equal(bbi_catalog_rp_create(c->catalog, db, "x", 1, &spec, &rp, &err), BB_EINVAL);
    assert_string_equal(err.text,
                        "retention policy duration must be greater than the shard duration");
    spec.shard_ns = 1;
    assert_ok(bbi_catalog_rp_create(c->catalog, db, "x", 1, &spec, &rp, &err), &err);
    assert_int_equal(rp.shard_ns, HOUR);

    spec = (struct bbi_rp_spec){.has_duration = true, .duration_ns = 0, .make_default = true};
    assert_ok(bbi_catalog_rp_alter(c->catalog, db, "x", 1, &spec, &rp, &err), &err);
    assert_true(rp.duration_ns == 0 && rp.shard_ns == HOUR && rp.is_default);
    assert_int_equal(bbi_catalog_rp_alter(c->catalog, db, "y", 1, &spec, &rp, &err), BB_ENOTFOUND);
    assert_string_equal(err.text, "retention policy not found: y");

    cat_flush(c);
    cat_reopen(c);
    assert_ok(bbi_catalog_rps(c->catalog, db, NULL, &list, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "autogen");
    assert_string_equal(list[1].name, "month");
    assert_string_equal(list[2].name, "x");
    assert_true(!list[0].is_default && !list[1].is_default && list[2].is_default);
    bbi_mem_free(list);
    assert_ok(bbi_catalog_rp_drop(c->catalog, db, "x", 1, &id, &err), &err);
    assert_int_equal(id, rp.id);
    assert_int_equal(bbi_catalog_rp_find(c->catalog, db, "", 0, &rp, &err), BB_ENOTFOUND);
    assert_int_equal(bbi_catalog_rp_get(c->catalog, id, &rp, &err), BB_ENOTFOUND);
    assert_ok(bbi_catalog_rp_get(c->catalog, old.id, &rp, &err), &err);
    assert_string_equal(rp.name, "autogen");
}

/* ---- series and fields ---- */

static void test_series_are_found_again(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    uint32_t a = cat_series(c, db, "reading,device=1");
    uint32_t b = cat_series(c, db, "reading,device=2");
    uint32_t plain = cat_series(c, db, "reading");
    assert_true(a != b && a != plain && b != plain);
    for (int round = 0; round < 4; round++) {
        assert_int_equal(cat_series(c, db, "reading,device=1"), a);
        assert_int_equal(cat_series(c, db, "reading,device=2"), b);
        assert_int_equal(cat_series(c, db, "reading"), plain);
        if (round == 0) {
            cat_flush(c);
        } else if (round == 1) {
            cat_reopen(c);
        } else {
            uint32_t other = cat_create_db(c, round == 2 ? "e" : "f");
            assert_true(cat_series(c, other, "reading") != 0);
        }
    }
    assert_int_equal(cat_series(c, db, "reading,device=3"), plain + 1);
}

static void test_tags_must_ascend(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    uint32_t mid;
    uint32_t sid;
    const struct bbi_tag tags[] = {{BYTES("b"), BYTES("1")}, {BYTES("a"), BYTES("2")}};
    assert_int_equal(
        bbi_catalog_series_resolve(c->catalog, db, BYTES("m"), tags, 2, &mid, &sid, NULL, &err),
        BB_EINVAL);
    const struct bbi_tag twice[] = {{BYTES("b"), BYTES("1")}, {BYTES("b"), BYTES("2")}};
    assert_int_equal(
        bbi_catalog_series_resolve(c->catalog, db, BYTES("m"), twice, 2, &mid, &sid, NULL, &err),
        BB_EINVAL);
    assert_int_equal(
        bbi_catalog_series_resolve(c->catalog, 77, BYTES("m"), tags, 1, &mid, &sid, NULL, &err),
        BB_ENOTFOUND);
}

static void test_field_types_conflict_in_influx_words(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    uint32_t mid;
    uint32_t f;
    uint32_t g;
    uint32_t of;
    enum bbi_type type;
    assert_ok(bbi_catalog_measurement_resolve(c->catalog, db, BYTES("m"), &mid, &err), &err);
    assert_ok(bbi_catalog_field_resolve(c->catalog, db, mid, BYTES("v"), BBI_FLOAT, &f, &err),
              &err);
    assert_ok(bbi_catalog_field_resolve(c->catalog, db, mid, BYTES("v"), BBI_FLOAT, &g, &err),
              &err);
    assert_int_equal(f, g);
    assert_int_equal(bbi_catalog_field_resolve(c->catalog, db, mid, BYTES("v"), BBI_INT, &g, &err),
                     BB_ETYPE);
    assert_string_equal(err.text, "field type conflict: input field \"v\" on measurement \"m\" is "
                                  "type integer, already exists as type float");
    cat_flush(c);
    cat_reopen(c);
    assert_int_equal(
        bbi_catalog_field_resolve(c->catalog, db, mid, BYTES("v"), BBI_STRING, &g, &err), BB_ETYPE);
    assert_ok(bbi_catalog_field_get(c->catalog, db, f, &of, &type, NULL, &err), &err);
    assert_true(of == mid && type == BBI_FLOAT);
    assert_ok(bbi_catalog_field_find(c->catalog, db, mid, BYTES("v"), &g, &type, &err), &err);
    assert_int_equal(g, f);
    assert_int_equal(bbi_catalog_field_find(c->catalog, db, mid, BYTES("w"), &g, &type, &err),
                     BB_ENOTFOUND);
}

static void test_dropped_database_takes_its_series_along(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    uint32_t keep = cat_create_db(c, "keep");
    uint32_t id;
    uint32_t mid;
    uint32_t sid;
    (void)cat_series(c, keep, "m,a=1");
    (void)cat_series(c, db, "m,a=1");
    cat_flush(c);
    (void)cat_series(c, db, "m,a=2");
    assert_ok(bbi_catalog_database_drop(c->catalog, "d", 1, &id, &err), &err);
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        struct bbi_buf key;
        bbi_buf_init(&key, NULL, 1000);
        cat_key("m,a=1", &key);
        assert_int_equal(bbi_catalog_key_find(c->catalog, db, key.data, key.len, &mid, &sid, &err),
                         BB_ENOTFOUND);
        assert_ok(bbi_catalog_key_find(c->catalog, keep, key.data, key.len, &mid, &sid, &err),
                  &err);
        bbi_buf_fini(&key);
        assert_ok(bbi_catalog_series_count(c->catalog, keep, 0, &before, &err), &err);
        assert_int_equal(before, 1);
        if (round == 0) {
            cat_flush(c);
        } else {
            cat_reopen(c);
        }
    }
}

/* ---- the log ---- */

static void test_pending_records_are_taken_once(void **state)
{
    struct cat *c = *state;
    struct bbi_buf out;
    bool more;
    bbi_buf_init(&out, NULL, 1 << 20);
    assert_false(bbi_catalog_has_pending(c->catalog));
    uint32_t db = cat_create_db(c, "d");
    (void)cat_series(c, db, "m,a=1");
    assert_true(bbi_catalog_has_pending(c->catalog));
    assert_ok(bbi_catalog_take_pending(c->catalog, SIZE_MAX, &out, &more, &err), &err);
    size_t first = out.len;
    assert_true(first > 0);
    /* the frame failed: they come again, with what is new */
    bbi_catalog_pending_done(c->catalog, false);
    bbi_buf_reset(&out);
    assert_ok(bbi_catalog_take_pending(c->catalog, SIZE_MAX, &out, &more, &err), &err);
    assert_int_equal(out.len, first);
    (void)cat_series(c, db, "m,a=2");
    bbi_catalog_pending_done(c->catalog, true);
    bbi_buf_reset(&out);
    assert_true(bbi_catalog_has_pending(c->catalog));
    assert_ok(bbi_catalog_take_pending(c->catalog, SIZE_MAX, &out, &more, &err), &err);
    assert_true(out.len > 0 && out.len < first);
    bbi_catalog_pending_done(c->catalog, true);
    assert_false(bbi_catalog_has_pending(c->catalog));
    bbi_buf_fini(&out);
}

static void test_take_that_does_not_fit_loses_nothing(void **state)
{
    struct cat *c = *state;
    struct bbi_buf out;
    bool more;
    bbi_buf_init(&out, NULL, 40);
    bbi_buf_str(&out, "before");
    uint32_t db = cat_create_db(c, "d");
    for (int i = 0; i < 100; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "m,a=%d", i);
        (void)cat_series(c, db, text);
    }
    assert_int_equal(bbi_catalog_take_pending(c->catalog, SIZE_MAX, &out, &more, &err), BB_ELIMIT);
    assert_int_equal(out.len, 6);
    assert_int_equal(out.err, BB_OK);
    bbi_catalog_pending_done(c->catalog, false);
    bbi_buf_fini(&out);
    cat_log(c);
    struct bbi_buf was;
    struct bbi_buf is;
    bbi_buf_init(&was, NULL, 1 << 20);
    bbi_buf_init(&is, NULL, 1 << 20);
    cat_dump(c, &was);
    cat_reopen(c);
    cat_dump(c, &is);
    assert_string_equal((char *)was.data, (char *)is.data);
    bbi_buf_fini(&was);
    bbi_buf_fini(&is);
}

/* Whole records, as many as fit, at least one; the rest waits for the next frame. */
static void test_pending_records_in_portions(void **state)
{
    struct cat *c = *state;
    struct bbi_buf was;
    struct bbi_buf is;
    bool more = true;
    unsigned frames = 0;
    bbi_buf_init(&was, NULL, 1 << 20);
    bbi_buf_init(&is, NULL, 1 << 20);
    for (unsigned i = 0; i < 20; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "d%u", i);
        (void)cat_series(c, cat_create_db(c, name), "m,a=1");
    }
    cat_dump(c, &was);
    while (more) {
        size_t from = c->wal.len;
        assert_ok(bbi_catalog_take_pending(c->catalog, 60, &c->wal, &more, &err), &err);
        assert_true(c->wal.len > from && c->wal.len - from <= 60);
        bbi_catalog_pending_done(c->catalog, true);
        c->frame_ends[c->frame_count++] = c->wal.len;
        frames++;
    }
    assert_true(frames > 10);
    assert_false(bbi_catalog_has_pending(c->catalog));
    cat_reopen(c);
    cat_dump(c, &is);
    assert_string_equal((char *)was.data, (char *)is.data);
    bbi_buf_fini(&was);
    bbi_buf_fini(&is);
}

/* Records that the catalog has already, in any state, change nothing. */
static void test_replay_is_idempotent(void **state)
{
    struct cat *c = *state;
    struct bbi_buf was;
    struct bbi_buf is;
    uint32_t id;
    struct bbi_rp rp;
    struct bbi_rp_spec spec = {.has_duration = true, .duration_ns = 30 * DAY, .make_default = true};
    bbi_buf_init(&was, NULL, 1 << 20);
    bbi_buf_init(&is, NULL, 1 << 20);
    uint32_t db = cat_create_db(c, "d");
    (void)cat_series(c, db, "m,a=1");
    assert_ok(bbi_catalog_rp_create(c->catalog, db, "month", 5, &spec, &rp, &err), &err);
    uint32_t gone = cat_create_db(c, "gone");
    (void)cat_series(c, gone, "m,a=1");
    assert_ok(bbi_catalog_database_drop(c->catalog, "gone", 4, &id, &err), &err);
    (void)cat_create_db(c, "gone");
    (void)cat_series(c, db, "m,a=2");
    cat_log(c);
    cat_dump(c, &was);
    /* Rotated and committed, but with the old checkpoint: all of the log comes again. */
    assert_ok(bbi_catalog_rotate(c->catalog, &err), &err);
    const struct bbi_catalog_edit nothing = {.checkpoint_lsn = 0};
    assert_ok(bbi_catalog_commit(c->catalog, &nothing, &err), &err);
    for (int i = 0; i < 3; i++) {
        cat_reopen(c);
        assert_int_equal(c->state.checkpoint_lsn, 0);
        cat_dump(c, &is);
        assert_string_equal((char *)is.data, (char *)was.data);
    }
    bbi_buf_fini(&was);
    bbi_buf_fini(&is);
}

static int replay_one(struct cat *c, struct bbi_buf *b)
{
    struct bbi_cursor cursor;
    struct bbi_record record;
    bbi_cursor_init(&cursor, b->data, b->len);
    assert_ok(bbi_record_next(&cursor, &record, &err), &err);
    int rc = bbi_catalog_replay(c->catalog, &record, &err);
    bbi_buf_reset(b);
    return rc;
}

static void test_replay_notices_contradictions(void **state)
{
    struct cat *c = *state;
    struct bbi_buf b;
    struct bbi_series_writer w;
    struct bbi_buf key;
    bbi_buf_init(&b, NULL, 1 << 20);
    bbi_buf_init(&key, NULL, 1 << 20);
    uint32_t db = cat_create_db(c, "d");
    uint32_t sid = cat_series(c, db, "m,a=1");
    uint32_t mid = cat_mid(c, db, "m");
    bbi_record_put_measurement_new(&b, &(struct bbi_record_measurement){db + 5, 1, BYTES("m")});
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_record_put_measurement_new(&b, &(struct bbi_record_measurement){db, mid, BYTES("other")});
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_record_put_measurement_new(&b, &(struct bbi_record_measurement){db, mid + 9, BYTES("m")});
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_record_put_field_new(&b, &(struct bbi_record_field){db, mid + 3, 1, BBI_FLOAT, BYTES("f")});
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_series_writer_init(&w, NULL);
    cat_key("m,a=2", &key);
    bbi_series_writer_add(&w, db, &(struct bbi_record_series){sid, mid, key.data, key.len}, &b);
    bbi_series_writer_close(&w, &b);
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_buf_reset(&key);
    cat_key("m,a=1", &key);
    bbi_series_writer_add(&w, db, &(struct bbi_record_series){sid + 1, mid, key.data, key.len}, &b);
    bbi_series_writer_close(&w, &b);
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_series_writer_add(&w, db, &(struct bbi_record_series){sid + 1, mid, BYTES("\x05m")}, &b);
    bbi_series_writer_close(&w, &b);
    assert_int_equal(replay_one(c, &b), BB_ECORRUPT);
    bbi_record_put_segment_remove(&b, 1);
    assert_int_equal(replay_one(c, &b), BB_EINVAL);
    bbi_series_writer_fini(&w);
    bbi_buf_fini(&key);
    bbi_buf_fini(&b);
}

/* ---- commits ---- */

static void test_edits_come_back(void **state)
{
    struct cat *c = *state;
    struct bbi_segment_meta metas[3];
    struct bbi_tombstone tombs[2] = {
        {.lsn = 10,
         .db_id = 1,
         .tmin = -5,
         .tmax = 5,
         .series = roaring_bitmap_from_range(0, 9, 1)},
        {.lsn = 20, .db_id = 1, .rp_id = 2, .series = roaring_bitmap_from_range(0, 90000, 2)}};
    for (unsigned i = 0; i < 3; i++) {
        metas[i] = (struct bbi_segment_meta){.id = bbi_catalog_segment_id_new(c->catalog),
                                             .db_id = 1,
                                             .rp_id = 1,
                                             .lsn_hi = i,
                                             .tombs_lsn = i,
                                             .row_count = 7 + i};
    }
    struct bbi_catalog_edit edit = {.add_segments = metas,
                                    .add_segment_count = 2,
                                    .add_tombstones = tombs,
                                    .add_tombstone_count = 2,
                                    .checkpoint_lsn = 0};
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
    cat_reopen(c);
    assert_int_equal(c->state.segment_count, 2);
    assert_int_equal(c->state.segments[1].row_count, 8);
    assert_int_equal(c->state.tombstone_count, 2);
    assert_int_equal(c->state.tombstones[0].lsn, 10);
    assert_true(roaring_bitmap_equals(c->state.tombstones[1].series, tombs[1].series));

    uint64_t gone = 10;
    edit = (struct bbi_catalog_edit){.add_segments = &metas[2],
                                     .add_segment_count = 1,
                                     .remove_segments = &metas[0].id,
                                     .remove_segment_count = 1,
                                     .remove_tombstones = &gone,
                                     .remove_tombstone_count = 1};
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
    for (int round = 0; round < 2; round++) {
        cat_reopen(c);
        assert_int_equal(c->state.segment_count, 2);
        assert_int_equal(c->state.segments[0].id, metas[1].id);
        assert_int_equal(c->state.segments[1].id, metas[2].id);
        assert_int_equal(c->state.tombstone_count, 1);
        assert_int_equal(c->state.tombstones[0].lsn, 20);
        cat_close(c);
        cat_remove(c, CAT_INDEX);
    }
    roaring_bitmap_free(tombs[0].series);
    roaring_bitmap_free(tombs[1].series);
}

static void test_segment_ids_are_never_given_twice(void **state)
{
    struct cat *c = *state;
    uint64_t last = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 10; i++) {
            uint64_t id = bbi_catalog_segment_id_new(c->catalog);
            assert_true(id > last);
            last = id;
        }
        /* nothing is committed: a crash */
        cat_cut(c, (uint64_t)round);
        cat_open(c);
    }
}

/* What the active overlay has given must not look dropped after a commit of something else. */
static void test_commit_between_creation_and_rotation(void **state)
{
    struct cat *c = *state;
    const struct bbi_segment_meta meta = {.id = 1, .db_id = 1, .rp_id = 1};
    const struct bbi_catalog_edit edit = {.add_segments = &meta, .add_segment_count = 1};
    uint32_t db = cat_create_db(c, "d");
    uint32_t sid = cat_series(c, db, "m,a=1");
    cat_log(c);
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
    cat_reopen(c);
    assert_true(bbi_catalog_database_exists(c->catalog, db));
    assert_int_equal(cat_series(c, db, "m,a=1"), sid);
}

static void drop_series(struct cat *c, uint32_t db, const char *measurement, uint32_t sid)
{
    struct bbi_catalog_drop drop;
    roaring_bitmap_t *sids = roaring_bitmap_of(1, sid);
    assert_ok(
        bbi_catalog_drop_begin(c->catalog, db, cat_mid(c, db, measurement), sids, &drop, &err),
        &err);
    bbi_catalog_drop_end(c->catalog, &drop, true);
    roaring_bitmap_free(sids);
}

/* The frame of a drop may be lost in a power cut, that of the series before it not: a commit of the
 * series does not know of the drop. A drop before the rotation is the commit's own. */
static void test_drop_behind_rotation_is_the_next_commits(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    uint32_t before = cat_series(c, db, "m,a=1");
    uint32_t behind = cat_series(c, db, "m,a=2");
    drop_series(c, db, "m", before);
    cat_log(c);
    const struct bbi_catalog_edit edit = {.checkpoint_lsn = c->frame_count};
    assert_ok(bbi_catalog_rotate(c->catalog, &err), &err);
    drop_series(c, db, "m", behind);
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
    assert_true(cat_series(c, db, "m,a=2") > behind);
    cat_reopen(c);
    assert_int_equal(cat_series(c, db, "m,a=2"), behind);
    assert_true(cat_series(c, db, "m,a=1") > behind);
    assert_string_equal(c->state.messages, "");
}

/* Once both are committed the name is free, in LMDB and in catalog.log. */
static void test_drop_behind_rotation_in_the_end(void **state)
{
    struct cat *c = *state;
    uint32_t db = cat_create_db(c, "d");
    uint32_t sid = cat_series(c, db, "m,a=1");
    cat_series(c, db, "m,a=2");
    cat_log(c);
    struct bbi_catalog_edit edit = {.checkpoint_lsn = c->frame_count};
    assert_ok(bbi_catalog_rotate(c->catalog, &err), &err);
    drop_series(c, db, "m", sid);
    uint32_t again = cat_series(c, db, "m,a=1");
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
    assert_int_equal(cat_series(c, db, "m,a=1"), again);
    cat_flush(c);
    for (int round = 0; round < 2; round++) {
        cat_reopen(c);
        assert_int_equal(cat_series(c, db, "m,a=1"), again);
        cat_close(c);
        cat_remove(c, CAT_INDEX);
        cat_open(c);
    }
}

static void test_failed_commit_is_tried_again(void **state)
{
    struct cat *c = *state;
    struct bbi_catalog_stats stats;
    struct bbi_catalog_edit edit = {.checkpoint_lsn = 1};
    static const unsigned faults[] = {SIMDISK_WRITE, SIMDISK_SYNC, SIMDISK_EXTERNAL};
    uint32_t db = cat_create_db(c, "d");
    uint32_t sid = cat_series(c, db, "m,a=1");
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "m,a=1,b=%zu", i);
        uint32_t more = cat_series(c, db, text);
        cat_log(c);
        assert_ok(bbi_catalog_rotate(c->catalog, &err), &err);
        simdisk_fail_op(c->disk, faults[i], NULL, 1, BB_ENOSPC, false);
        assert_int_equal(bbi_catalog_commit(c->catalog, &edit, &err), BB_ENOSPC);
        simdisk_fail_op(c->disk, 0, NULL, 0, 0, false);
        assert_int_equal(cat_series(c, db, text), more);
        assert_int_equal(cat_series(c, db, "m,a=1"), sid);
        bbi_catalog_stats_get(c->catalog, &stats);
        assert_true(stats.overlay_series >= 1);
        if (i == 1) {
            assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
            bbi_catalog_stats_get(c->catalog, &stats);
            assert_int_equal(stats.overlay_series, 0);
        }
    }
    edit.checkpoint_lsn = c->frame_count;
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
    cat_reopen(c);
    assert_int_equal(cat_series(c, db, "m,a=1"), sid);
    assert_string_equal(c->state.messages, "");
}

/* A log file that fails is not trusted again before the next start. */
static void test_failed_log_ends_commits(void **state)
{
    struct cat *c = *state;
    const struct bbi_segment_meta meta = {.id = 1, .db_id = 1, .rp_id = 1};
    const struct bbi_catalog_edit edit = {.add_segments = &meta, .add_segment_count = 1};
    uint32_t db = cat_create_db(c, "d");
    cat_flush(c);
    simdisk_fail_op(c->disk, SIMDISK_SYNC, NULL, 1, BB_EIO, false);
    assert_int_equal(bbi_catalog_commit(c->catalog, &edit, &err), BB_EREADONLY);
    simdisk_fail_op(c->disk, 0, NULL, 0, 0, false);
    assert_int_equal(bbi_catalog_commit(c->catalog, &edit, &err), BB_EREADONLY);
    uint32_t sid = cat_series(c, db, "m,a=1");
    cat_log(c);
    cat_reopen(c);
    assert_int_equal(cat_series(c, db, "m,a=1"), sid);
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
}

/* ---- files of others ---- */

static void test_newer_log_is_refused(void **state)
{
    struct cat *c = *state;
    struct bbi_file *f;
    uint8_t header[48];
    cat_close(c);
    assert_ok(bbi_fs_open(simdisk_fs(c->disk), CAT_LOG, BBI_FS_READ | BBI_FS_WRITE, &f, &err),
              &err);
    assert_ok(bbi_file_read(f, header, sizeof(header), 0, &err), &err);
    bbi_put_u32(header + 8, 2);
    bbi_put_u64(header + 40, bbi_hash64(header, 40));
    assert_ok(bbi_file_write(f, header, sizeof(header), 0, &err), &err);
    bbi_file_close(&f);
    assert_int_equal(cat_try_open(c, &err), BB_EVERSION);
    assert_non_null(strstr(err.text, "catalog.log"));
    assert_true(cat_exists(c, CAT_INDEX));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_databases),
        TEST(test_names_of_databases),
        TEST(test_shard_lengths),
        TEST(test_policies),
        TEST(test_series_are_found_again),
        TEST(test_tags_must_ascend),
        TEST(test_field_types_conflict_in_influx_words),
        TEST(test_dropped_database_takes_its_series_along),
        TEST(test_pending_records_are_taken_once),
        TEST(test_pending_records_in_portions),
        TEST(test_take_that_does_not_fit_loses_nothing),
        TEST(test_replay_is_idempotent),
        TEST(test_replay_notices_contradictions),
        TEST(test_edits_come_back),
        TEST(test_segment_ids_are_never_given_twice),
        TEST(test_commit_between_creation_and_rotation),
        TEST(test_drop_behind_rotation_is_the_next_commits),
        TEST(test_drop_behind_rotation_in_the_end),
        TEST(test_failed_commit_is_tried_again),
        TEST(test_failed_log_ends_commits),
        TEST(test_newer_log_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
