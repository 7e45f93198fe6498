/*
 * The catalog against a model: random series, fields, databases, policies, edits, rotations,
 * commits, failing disks, power cuts, lost files; after each, names, ids and answers are the same.
 *
 * The model is what the log and the commits say, in plain arrays. Records that no frame carried at
 * a power cut may be gone: the model logs them before.
 */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/rng.h"
#include "tests/unit/catalog_util.h"

#define DBS_MAX    6
#define SERIES_MAX 4000
#define KEYS       3
#define VALUES     6

struct model_series {
    uint32_t db; /* place */
    uint32_t sid;
    uint32_t mid;
    unsigned measurement;
    unsigned values[KEYS]; /* 0: does not have the tag */
};

struct model_db {
    bool exists;
    uint32_t id;
    char name[16];
};

struct model {
    struct cat c;
    struct rng rng;
    struct model_db dbs[DBS_MAX];
    struct model_series series[SERIES_MAX];
    size_t series_count;
    uint64_t segments[256]; /* live ids */
    size_t segment_count;
    uint64_t tombstones[64]; /* lsns, ascending */
    size_t tombstone_count;
    uint64_t checkpoint;
    uint64_t next_tombstone;
    uint32_t largest_db_id;
};

static struct bb_error err;

/* Short and long values, so that all forms of posting lists are there. */
static size_t value_text(unsigned key, unsigned value, char *text)
{
    if (value == VALUES - 1 && key == 0) {
        memset(text, 'v', 600);
        text[600] = '\0';
        return 600;
    }
    return (size_t)sprintf(text, "%c%u", "xyz"[key], value);
}

static const char *const key_names[KEYS] = {"alpha", "b", "gamma"};

static void series_text(const struct model_series *s, char *text)
{
    text += sprintf(text, "m%u", s->measurement);
    for (unsigned k = 0; k < KEYS; k++) {
        if (s->values[k] != 0) {
            text += sprintf(text, ",%s=", key_names[k]);
            text += value_text(k, s->values[k], text);
        }
    }
}

static struct model_series *find_series(struct model *m, const struct model_series *want)
{
    for (size_t i = 0; i < m->series_count; i++) {
        struct model_series *s = &m->series[i];
        if (s->db == want->db && s->measurement == want->measurement &&
            memcmp(s->values, want->values, sizeof(s->values)) == 0) {
            return s;
        }
    }
    return NULL;
}

/* A database that exists, or -1. */
static int pick_db(struct model *m)
{
    for (int tries = 0; tries < 20; tries++) {
        int i = (int)rng_below(&m->rng, DBS_MAX);
        if (m->dbs[i].exists) {
            return i;
        }
    }
    return -1;
}

/* ---- operations ---- */

static void do_create_db(struct model *m)
{
    unsigned i = (unsigned)rng_below(&m->rng, DBS_MAX);
    struct model_db *db = &m->dbs[i];
    (void)snprintf(db->name, sizeof(db->name), "db%u", i);
    uint32_t id;
    int rc = bbi_catalog_database_create(m->c.catalog, db->name, strlen(db->name), NULL, 0, NULL,
                                         &id, &err);
    assert_int_equal(rc, db->exists ? BB_EEXIST : BB_OK);
    if (db->exists) {
        assert_int_equal(id, db->id);
    } else {
        assert_true(id > m->largest_db_id);
        m->largest_db_id = id;
    }
    db->exists = true;
    db->id = id;
}

static void do_drop_db(struct model *m)
{
    int i = pick_db(m);
    uint32_t id;
    if (i < 0 || !rng_one_in(&m->rng, 4)) {
        return;
    }
    struct model_db *db = &m->dbs[i];
    assert_ok(bbi_catalog_database_drop(m->c.catalog, db->name, strlen(db->name), &id, &err), &err);
    assert_int_equal(id, db->id);
    db->exists = false;
    size_t kept = 0;
    for (size_t k = 0; k < m->series_count; k++) {
        if (m->series[k].db != (uint32_t)i) {
            m->series[kept++] = m->series[k];
        }
    }
    m->series_count = kept;
}

static void do_series(struct model *m)
{
    int db = pick_db(m);
    for (uint64_t n = rng_below(&m->rng, 40); db >= 0 && n > 0; n--) {
        struct model_series s = {.db = (uint32_t)db,
                                 .measurement = (unsigned)rng_below(&m->rng, 3)};
        char text[2000];
        for (unsigned k = 0; k < KEYS; k++) {
            s.values[k] = (unsigned)rng_below(&m->rng, VALUES);
        }
        series_text(&s, text);
        s.sid = cat_series(&m->c, m->dbs[db].id, text);
        const struct model_series *known = find_series(m, &s);
        if (known != NULL) {
            assert_int_equal(s.sid, known->sid);
        } else {
            char name[8];
            for (size_t i = 0; i < m->series_count; i++) {
                assert_true(m->series[i].db != s.db || m->series[i].sid != s.sid);
            }
            (void)snprintf(name, sizeof(name), "m%u", s.measurement);
            s.mid = cat_mid(&m->c, m->dbs[db].id, name);
            assert_true(m->series_count < SERIES_MAX);
            m->series[m->series_count++] = s;
        }
    }
}

static void do_field(struct model *m)
{
    int db = pick_db(m);
    if (db < 0) {
        return;
    }
    uint32_t mid;
    uint32_t field;
    char name[8];
    unsigned n = (unsigned)rng_below(&m->rng, 12);
    (void)snprintf(name, sizeof(name), "f%u", n);
    assert_ok(bbi_catalog_measurement_resolve(m->c.catalog, m->dbs[db].id, (const uint8_t *)"m0", 2,
                                              &mid, &err),
              &err);
    /* A field's type follows from its name here: others conflict. */
    enum bbi_type type = (enum bbi_type)(1 + n % 5);
    enum bbi_type other = (enum bbi_type)(1 + (n + 1) % 5);
    assert_ok(bbi_catalog_field_resolve(m->c.catalog, m->dbs[db].id, mid, (uint8_t *)name,
                                        strlen(name), type, &field, &err),
              &err);
    assert_int_equal(bbi_catalog_field_resolve(m->c.catalog, m->dbs[db].id, mid, (uint8_t *)name,
                                               strlen(name), other, &field, &err),
                     BB_ETYPE);
}

static void do_rp(struct model *m)
{
    int db = pick_db(m);
    struct bbi_rp rp;
    char name[8];
    if (db < 0) {
        return;
    }
    struct bbi_rp_spec spec = {.has_duration = true,
                               .duration_ns = (int64_t)(1 + rng_below(&m->rng, 400)) * 86400 *
                                              1000000000,
                               .make_default = rng_one_in(&m->rng, 2)};
    (void)snprintf(name, sizeof(name), "rp%u", (unsigned)rng_below(&m->rng, 3));
    int rc;
    if (rng_one_in(&m->rng, 2)) {
        rc = bbi_catalog_rp_create(m->c.catalog, m->dbs[db].id, name, strlen(name), &spec, &rp,
                                   &err);
        assert_true(rc == BB_OK || rc == BB_EEXIST);
    } else if (rng_one_in(&m->rng, 2)) {
        spec.has_shard = true;
        rc = bbi_catalog_rp_alter(m->c.catalog, m->dbs[db].id, name, strlen(name), &spec, &rp,
                                  &err);
        assert_true(rc == BB_OK || rc == BB_ENOTFOUND);
    } else {
        uint32_t id;
        rc = bbi_catalog_rp_drop(m->c.catalog, m->dbs[db].id, name, strlen(name), &id, &err);
        assert_true(rc == BB_OK || rc == BB_ENOTFOUND);
    }
}

/* ---- commits ---- */

static void forget_id(uint64_t *ids, size_t *count, uint64_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (ids[i] != id) {
            ids[kept++] = ids[i];
        }
    }
    *count = kept;
}

static void do_commit(struct model *m)
{
    struct bbi_segment_meta add = {
        .id = bbi_catalog_segment_id_new(m->c.catalog), .db_id = 1, .rp_id = 1};
    struct bbi_tombstone tomb = {.lsn = m->next_tombstone, .db_id = 1};
    struct bbi_catalog_edit edit = {.checkpoint_lsn = 0};
    uint64_t gone_segment = 0;
    uint64_t gone_tombstone = 0;
    bool rotated = rng_one_in(&m->rng, 2);
    cat_log(&m->c);
    if (rotated) {
        assert_ok(bbi_catalog_rotate(m->c.catalog, &err), &err);
        edit.checkpoint_lsn = m->c.frame_count;
    }
    if (m->segment_count < 250 && rng_one_in(&m->rng, 2)) {
        edit.add_segments = &add;
        edit.add_segment_count = 1;
    }
    if (m->segment_count > 0 && rng_one_in(&m->rng, 3)) {
        gone_segment = m->segments[rng_below(&m->rng, m->segment_count)];
        edit.remove_segments = &gone_segment;
        edit.remove_segment_count = 1;
    }
    if (m->tombstone_count < 60 && rng_one_in(&m->rng, 4)) {
        tomb.series = roaring_bitmap_from_range(0, 1 + rng_below(&m->rng, 100000), 7);
        edit.add_tombstones = &tomb;
        edit.add_tombstone_count = 1;
    }
    if (m->tombstone_count > 0 && rng_one_in(&m->rng, 5)) {
        gone_tombstone = m->tombstones[rng_below(&m->rng, m->tombstone_count)];
        edit.remove_tombstones = &gone_tombstone;
        edit.remove_tombstone_count = 1;
    }
    bool fails = rng_one_in(&m->rng, 5);
    if (fails) {
        simdisk_fail_op(m->c.disk, SIMDISK_WRITE | SIMDISK_SYNC | SIMDISK_EXTERNAL, NULL,
                        1 + rng_below(&m->rng, 4), BB_ENOSPC, false);
    }
    int rc = bbi_catalog_commit(m->c.catalog, &edit, &err);
    assert_true(rc == BB_OK || (fails && rc == BB_ENOSPC));
    simdisk_fail_op(m->c.disk, 0, NULL, 0, 0, false);
    if (rc == BB_OK) {
        if (gone_segment != 0) {
            forget_id(m->segments, &m->segment_count, gone_segment);
        }
        if (gone_tombstone != 0) {
            forget_id(m->tombstones, &m->tombstone_count, gone_tombstone);
        }
        if (edit.add_segment_count != 0) {
            m->segments[m->segment_count++] = add.id;
        }
        if (edit.add_tombstone_count != 0) {
            m->tombstones[m->tombstone_count++] = m->next_tombstone++;
        }
        m->checkpoint = rotated ? edit.checkpoint_lsn : m->checkpoint;
    }
    if (tomb.series != NULL) {
        roaring_bitmap_free(tomb.series);
    }
}

/* ---- opening again ---- */

static void check_state(struct model *m)
{
    const struct bbi_catalog_state *s = &m->c.state;
    assert_int_equal(s->checkpoint_lsn, m->checkpoint);
    assert_int_equal(s->segment_count, m->segment_count);
    for (size_t i = 0; i < s->segment_count; i++) {
        assert_int_equal(s->segments[i].id, m->segments[i]);
    }
    assert_int_equal(s->tombstone_count, m->tombstone_count);
    for (size_t i = 0; i < s->tombstone_count; i++) {
        assert_int_equal(s->tombstones[i].lsn, m->tombstones[i]);
    }
    assert_false(s->damaged);
}

static void do_reopen(struct model *m)
{
    cat_log(&m->c);
    switch (rng_below(&m->rng, 5)) {
    case 0:
        cat_close(&m->c);
        cat_remove(&m->c, CAT_INDEX);
        break;
    case 1:
        cat_close(&m->c);
        cat_remove(&m->c, CAT_LOG);
        break;
    case 2:
        cat_close(&m->c);
        (void)simdisk_corrupt(m->c.disk, rng_one_in(&m->rng, 2) ? CAT_LOG : CAT_INDEX,
                              rng_below(&m->rng, 20000), (uint8_t)(1 + rng_below(&m->rng, 255)));
        break;
    case 3:
        cat_cut(&m->c, rng_u64(&m->rng));
        break;
    default:
        break;
    }
    cat_reopen(&m->c);
    check_state(m);
}

/* ---- answers ---- */

struct random_pred {
    struct bbi_tagpred nodes[16];
    const struct bbi_tagpred *children[16];
    char values[16][640];
    unsigned keys[16];
    unsigned wants[16];
    size_t count;
};

static size_t random_pred(struct model *m, struct random_pred *p, unsigned depth)
{
    size_t at = p->count++;
    struct bbi_tagpred *n = &p->nodes[at];
    if (depth < 3 && p->count + 2 < 14 && rng_one_in(&m->rng, 2)) {
        size_t a = random_pred(m, p, depth + 1);
        size_t b = p->count < 15 ? random_pred(m, p, depth + 1) : a;
        /* Places for the two pointers beside the nodes' own. */
        static const struct bbi_tagpred *pairs[16][2];
        pairs[at][0] = &p->nodes[a];
        pairs[at][1] = &p->nodes[b];
        *n = (struct bbi_tagpred){.op = rng_one_in(&m->rng, 2) ? BBI_TAGPRED_AND : BBI_TAGPRED_OR,
                                  .children = pairs[at],
                                  .child_count = 2};
        return at;
    }
    unsigned key = (unsigned)rng_below(&m->rng, KEYS);
    unsigned value = (unsigned)rng_below(&m->rng, VALUES);
    char *text = p->values[at];
    *n = (struct bbi_tagpred){.op = (enum bbi_tagpred_op)(BBI_TAGPRED_EQ + rng_below(&m->rng, 4)),
                              .key = (const uint8_t *)key_names[key],
                              .key_len = strlen(key_names[key]),
                              .value = (const uint8_t *)text};
    if (n->op == BBI_TAGPRED_EQ || n->op == BBI_TAGPRED_NEQ) {
        n->value_len = value == 0 ? 0 : value_text(key, value, text);
        p->wants[at] = 1u << value;
    } else if (rng_one_in(&m->rng, 2)) {
        /* two values, as a list */
        unsigned second = 1 + (unsigned)rng_below(&m->rng, 3);
        n->value_len = (size_t)sprintf(text, "^(%c2|%c%u)$", "xyz"[key], "xyz"[key], second);
        p->wants[at] = 1u << 2 | 1u << second;
    } else {
        n->value_len = (size_t)sprintf(text, "[13]?$|^v+$");
        p->wants[at] = (1u << VALUES) - 1;
        if (rng_one_in(&m->rng, 2)) {
            n->value_len = (size_t)sprintf(text, "[13]$|^$");
            p->wants[at] = 1u << 0 | 1u << 1 | 1u << 3;
        }
    }
    p->keys[at] = key;
    return at;
}

static bool model_matches(const struct random_pred *p, const struct bbi_tagpred *n,
                          const struct model_series *s)
{
    size_t at = (size_t)(n - p->nodes);
    if (n->op == BBI_TAGPRED_AND) {
        return model_matches(p, n->children[0], s) && model_matches(p, n->children[1], s);
    }
    if (n->op == BBI_TAGPRED_OR) {
        return model_matches(p, n->children[0], s) || model_matches(p, n->children[1], s);
    }
    bool in = (p->wants[at] >> s->values[p->keys[at]] & 1) != 0;
    return in == (n->op == BBI_TAGPRED_EQ || n->op == BBI_TAGPRED_REGEX);
}

static void check_select(struct model *m)
{
    static struct random_pred p;
    int db = pick_db(m);
    if (db < 0) {
        return;
    }
    p.count = 0;
    (void)random_pred(m, &p, 0);
    bool has_pred = !rng_one_in(&m->rng, 10);
    uint32_t mid = 0;
    for (size_t i = 0; i < m->series_count && rng_one_in(&m->rng, 2); i++) {
        if (m->series[i].db == (uint32_t)db) {
            mid = m->series[i].mid;
            break;
        }
    }
    roaring_bitmap_t *want = roaring_bitmap_create();
    roaring_bitmap_t *have;
    for (size_t i = 0; i < m->series_count; i++) {
        const struct model_series *s = &m->series[i];
        if (s->db == (uint32_t)db && (mid == 0 || s->mid == mid) &&
            (!has_pred || model_matches(&p, &p.nodes[0], s))) {
            roaring_bitmap_add(want, s->sid);
        }
    }
    assert_ok(bbi_catalog_select(m->c.catalog, m->dbs[db].id, mid, has_pred ? &p.nodes[0] : NULL,
                                 &have, &err),
              &err);
    assert_true(roaring_bitmap_equals(want, have));
    roaring_bitmap_free(want);
    roaring_bitmap_free(have);
}

static int check_one(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                     struct bb_error *e)
{
    struct model *m = arg;
    (void)e;
    for (size_t i = 0; i < m->series_count; i++) {
        const struct model_series *s = &m->series[i];
        if (m->dbs[s->db].id == m->largest_db_id && s->sid == sid) {
            char text[2000];
            struct bbi_buf want;
            series_text(s, text);
            bbi_buf_init(&want, NULL, 4000);
            cat_key(text, &want);
            assert_int_equal(mid, s->mid);
            assert_int_equal(key_len, want.len);
            assert_memory_equal(key, want.data, key_len);
            bbi_buf_fini(&want);
            return BB_OK;
        }
    }
    fail_msg("series %u is not in the model", sid);
    return BB_EINTERNAL;
}

/* Of the youngest database, all series; of all, what the text says before and after. */
static void check_all(struct model *m)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < DBS_MAX; i++) {
        uint64_t have;
        if (!m->dbs[i].exists) {
            continue;
        }
        count = 0;
        for (size_t k = 0; k < m->series_count; k++) {
            count += m->series[k].db == i;
        }
        assert_ok(bbi_catalog_series_count(m->c.catalog, m->dbs[i].id, 0, &have, &err), &err);
        assert_int_equal(have, count);
        if (m->dbs[i].id == m->largest_db_id) {
            assert_ok(
                bbi_catalog_series_each(m->c.catalog, m->dbs[i].id, NULL, NULL, check_one, m, &err),
                &err);
        }
    }
}

static void run(uint64_t seed, unsigned steps)
{
    struct model *m = bbi_mem_zalloc(NULL, 1, sizeof(*m));
    struct bbi_buf before;
    struct bbi_buf after;
    m->rng = rng_of(seed);
    m->next_tombstone = 1;
    bbi_buf_init(&before, NULL, 1 << 26);
    bbi_buf_init(&after, NULL, 1 << 26);
    cat_init(&m->c, seed);
    cat_open(&m->c);
    for (unsigned i = 0; i < steps; i++) {
        switch (rng_below(&m->rng, 12)) {
        case 0:
            do_create_db(m);
            break;
        case 1:
            do_drop_db(m);
            break;
        case 2:
            do_field(m);
            break;
        case 3:
            do_rp(m);
            break;
        case 4:
        case 5:
        case 6:
            do_commit(m);
            break;
        case 7:
            cat_dump(&m->c, &before);
            do_reopen(m);
            cat_dump(&m->c, &after);
            assert_string_equal((char *)before.data, (char *)after.data);
            break;
        default:
            do_series(m);
            break;
        }
        check_select(m);
        if (i % 16 == 0) {
            check_all(m);
        }
    }
    cat_fini(&m->c);
    bbi_buf_fini(&before);
    bbi_buf_fini(&after);
    bbi_mem_free(m);
    assert_int_equal(bbi_account_server()->used_bytes, 0);
}

static void test_random_lives(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    const char *rounds = getenv("BUSBAR_ROUNDS");
    for (unsigned i = 0; i < (rounds == NULL ? 12 : (unsigned)atoi(rounds)); i++) {
        uint64_t seed = rng.state;
        print_message("BUSBAR_SEED=0x%llx\n", (unsigned long long)seed);
        run(rng_u64(&rng), 150);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
