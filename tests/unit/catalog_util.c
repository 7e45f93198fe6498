#include "tests/unit/catalog_util.h"

#include <inttypes.h>
#include <string.h>

#include "tests/lib/unit.h"

#define TAGS_MAX 64

void cat_init(struct cat *c, uint64_t seed)
{
    struct bb_error err;
    memset(c, 0, sizeof(*c));
    c->disk = simdisk_create(seed);
    bbi_buf_init(&c->wal, NULL, (size_t)1 << 30);
    assert_ok(bbi_fs_mkdir(simdisk_fs(c->disk), CAT_DIR, &err), &err);
    assert_ok(bbi_fs_sync_dir(simdisk_fs(c->disk), "/", &err), &err);
}

void cat_fini(struct cat *c)
{
    cat_close(c);
    bbi_buf_fini(&c->wal);
    simdisk_destroy(&c->disk);
}

static int list_files(void *arg,
                      int (*add)(void *add_arg, const struct bbi_segment_meta *meta,
                                 struct bb_error *err),
                      void *add_arg, struct bb_error *err)
{
    struct cat *c = arg;
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < c->file_count; i++) {
        rc = add(add_arg, &c->files[i], err);
    }
    return rc;
}

int cat_try_open(struct cat *c, struct bb_error *err)
{
    struct bbi_catalog_options options = {.map_bytes = (uint64_t)1 << 30};
    cat_close(c);
    return bbi_catalog_open(simdisk_fs(c->disk), CAT_DIR, &options, NULL, list_files, c,
                            &c->catalog, &c->state, err);
}

static void replay(struct cat *c)
{
    struct bb_error err;
    uint64_t from = c->state.checkpoint_lsn;
    struct bbi_cursor cursor;
    size_t at = from == 0 ? 0 : c->frame_ends[from - 1];
    assert_true(from <= c->frame_count);
    if (at == c->wal.len) {
        return;
    }
    bbi_cursor_init(&cursor, c->wal.data + at, c->wal.len - at);
    while (bbi_cursor_left(&cursor) > 0) {
        struct bbi_record record;
        assert_ok(bbi_record_next(&cursor, &record, &err), &err);
        assert_ok(bbi_catalog_replay(c->catalog, &record, &err), &err);
    }
}

void cat_open(struct cat *c)
{
    struct bb_error err;
    assert_ok(cat_try_open(c, &err), &err);
    replay(c);
}

void cat_close(struct cat *c)
{
    bbi_catalog_close(&c->catalog);
    bbi_catalog_state_fini(&c->state);
}

void cat_reopen(struct cat *c)
{
    cat_close(c);
    cat_open(c);
}

void cat_cut(struct cat *c, uint64_t seed)
{
    simdisk_cut(c->disk);
    cat_close(c);
    simdisk_reboot(c->disk, seed);
}

void cat_log(struct cat *c)
{
    struct bb_error err;
    bool more;
    assert_ok(bbi_catalog_take_pending(c->catalog, SIZE_MAX, &c->wal, &more, &err), &err);
    bbi_catalog_pending_done(c->catalog, true);
    assert_true(c->frame_count < sizeof(c->frame_ends) / sizeof(c->frame_ends[0]));
    c->frame_ends[c->frame_count++] = c->wal.len;
}

void cat_flush(struct cat *c)
{
    struct bb_error err;
    cat_log(c);
    assert_ok(bbi_catalog_rotate(c->catalog, &err), &err);
    const struct bbi_catalog_edit edit = {.checkpoint_lsn = c->frame_count};
    assert_ok(bbi_catalog_commit(c->catalog, &edit, &err), &err);
}

uint32_t cat_create_db(struct cat *c, const char *name)
{
    struct bb_error err;
    uint32_t db_id;
    assert_ok(
        bbi_catalog_database_create(c->catalog, name, strlen(name), NULL, 0, NULL, &db_id, &err),
        &err);
    return db_id;
}

/* Takes text apart in place of copies: pointers go into it. */
static size_t split(const char *text, const uint8_t **measurement, size_t *measurement_len,
                    struct bbi_tag *tags)
{
    size_t count = 0;
    *measurement = (const uint8_t *)text;
    *measurement_len = strcspn(text, ",");
    text += *measurement_len;
    while (*text == ',') {
        struct bbi_tag *t = &tags[count++];
        assert_true(count <= TAGS_MAX);
        text++;
        t->key = (const uint8_t *)text;
        t->key_len = strcspn(text, "=");
        text += t->key_len + 1;
        t->value = (const uint8_t *)text;
        t->value_len = strcspn(text, ",");
        text += t->value_len;
    }
    return count;
}

void cat_key(const char *text, struct bbi_buf *key)
{
    struct bb_error err;
    struct bbi_tag tags[TAGS_MAX];
    const uint8_t *measurement;
    size_t len;
    size_t count = split(text, &measurement, &len, tags);
    assert_ok(bbi_key_build(key, measurement, len, tags, count, &err), &err);
}

uint32_t cat_series(struct cat *c, uint32_t db_id, const char *text)
{
    struct bb_error err;
    struct bbi_tag tags[TAGS_MAX];
    const uint8_t *measurement;
    size_t len;
    uint32_t mid;
    uint32_t sid;
    size_t count = split(text, &measurement, &len, tags);
    assert_ok(bbi_catalog_series_resolve(c->catalog, db_id, measurement, len, tags, count, &mid,
                                         &sid, NULL, &err),
              &err);
    return sid;
}

uint32_t cat_mid(struct cat *c, uint32_t db_id, const char *name)
{
    struct bb_error err;
    uint32_t mid = 0;
    assert_ok(bbi_catalog_measurement_find(c->catalog, db_id, (const uint8_t *)name, strlen(name),
                                           &mid, &err),
              &err);
    return mid;
}

/* ---- everything as text ---- */

static void put_bytes(struct bbi_buf *out, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] > 0x20 && p[i] < 0x7f && p[i] != '%') {
            bbi_buf_u8(out, p[i]);
        } else {
            bbi_buf_printf(out, "%%%02x", p[i]);
        }
    }
}

static void put_names(struct bbi_buf *out, const char *what, struct bbi_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        bbi_buf_printf(out, "  %s %u %d ", what, names->list[i].id, (int)names->list[i].type);
        put_bytes(out, names->list[i].name, names->list[i].len);
        bbi_buf_str(out, "\n");
    }
    bbi_names_fini(names);
}

static int put_series(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                      struct bb_error *err)
{
    (void)err;
    bbi_buf_printf(arg, "  series %u of %u ", sid, mid);
    put_bytes(arg, key, key_len);
    bbi_buf_str(arg, "\n");
    return BB_OK;
}

static void put_rps(struct cat *c, uint32_t db_id, struct bbi_buf *out)
{
    struct bb_error err;
    struct bbi_rp *rps;
    size_t count;
    assert_ok(bbi_catalog_rps(c->catalog, db_id, NULL, &rps, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        bbi_buf_printf(out, "  rp %u %s %" PRId64 " %" PRId64 " %d\n", rps[i].id, rps[i].name,
                       rps[i].duration_ns, rps[i].shard_ns, rps[i].is_default);
    }
    bbi_mem_free(rps);
}

static void put_tags(struct cat *c, uint32_t db_id, uint32_t mid, struct bbi_buf *out)
{
    struct bb_error err;
    struct bbi_names keys;
    struct bbi_names names;
    roaring_bitmap_t *all;
    assert_ok(bbi_catalog_tag_keys(c->catalog, db_id, mid, NULL, NULL, &keys, &err), &err);
    for (size_t i = 0; i < keys.count; i++) {
        assert_ok(bbi_catalog_tag_values(c->catalog, db_id, mid, keys.list[i].name,
                                         keys.list[i].len, NULL, NULL, &names, &err),
                  &err);
        put_names(out, "value", &names);
    }
    put_names(out, "key", &keys);
    /* The keys of all series are the keys that the schema knows. */
    assert_ok(bbi_catalog_select(c->catalog, db_id, mid, NULL, &all, &err), &err);
    bbi_buf_printf(out, "  %" PRIu64 " series\n", roaring_bitmap_get_cardinality(all));
    assert_ok(bbi_catalog_tag_keys(c->catalog, db_id, mid, all, NULL, &keys, &err), &err);
    put_names(out, "key", &keys);
    roaring_bitmap_free(all);
}

static void put_db(struct cat *c, uint32_t db_id, struct bbi_buf *out)
{
    struct bb_error err;
    struct bbi_names names;
    struct bbi_names fields;
    put_rps(c, db_id, out);
    assert_ok(bbi_catalog_measurements(c->catalog, db_id, NULL, &names, &err), &err);
    for (size_t i = 0; i < names.count; i++) {
        assert_ok(bbi_catalog_fields(c->catalog, db_id, names.list[i].id, NULL, &fields, &err),
                  &err);
        put_names(out, "field", &fields);
        put_tags(c, db_id, names.list[i].id, out);
    }
    put_names(out, "measurement", &names);
    assert_ok(bbi_catalog_series_each(c->catalog, db_id, NULL, NULL, put_series, out, &err), &err);
}

void cat_dump(struct cat *c, struct bbi_buf *out)
{
    struct bb_error err;
    struct bbi_names dbs;
    bbi_buf_reset(out);
    assert_ok(bbi_catalog_databases(c->catalog, NULL, &dbs, &err), &err);
    for (size_t i = 0; i < dbs.count; i++) {
        bbi_buf_printf(out, "database %u %.*s\n", dbs.list[i].id, (int)dbs.list[i].len,
                       (const char *)dbs.list[i].name);
        put_db(c, dbs.list[i].id, out);
    }
    bbi_names_fini(&dbs);
    bbi_buf_u8(out, 0);
    assert_int_equal(out->err, BB_OK);
    out->len--;
}

/* ---- files ---- */

uint64_t cat_size(struct cat *c, const char *path)
{
    struct bb_error err;
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(simdisk_fs(c->disk), path, &st, &err), &err);
    return st.exists ? st.size_bytes : 0;
}

bool cat_exists(struct cat *c, const char *path)
{
    struct bb_error err;
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(simdisk_fs(c->disk), path, &st, &err), &err);
    return st.exists;
}

void cat_remove(struct cat *c, const char *path)
{
    struct bb_error err;
    assert_ok(bbi_fs_unlink(simdisk_fs(c->disk), path, &err), &err);
    assert_ok(bbi_fs_sync_dir(simdisk_fs(c->disk), CAT_DIR, &err), &err);
}

void cat_everywhere(struct cat *c, void (*expect)(struct cat *c, const char *text),
                    const char *text)
{
    expect(c, text);
    cat_log(c);
    cat_reopen(c); /* from the log */
    expect(c, text);
    cat_flush(c);
    cat_reopen(c); /* from catalog.mdb */
    expect(c, text);
    cat_close(c);
    cat_remove(c, CAT_INDEX);
    cat_open(c); /* from catalog.log */
    expect(c, text);
    cat_close(c);
    cat_remove(c, CAT_LOG);
    cat_open(c); /* from catalog.mdb, catalog.log written anew */
    expect(c, text);
    cat_close(c);
    cat_remove(c, CAT_INDEX);
    cat_open(c); /* and from that one */
    expect(c, text);
}
