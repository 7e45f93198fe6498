/*
 * Power cuts: a random workload of writes, deletions, flushes, compactions and schema changes on a
 * disk that loses what was not synced, cut at a random operation. After each cut the readings must
 * be those of all acknowledged operations, with or without the one that was under way, nothing lost
 * and nothing twice. The next round goes on with the same disk.
 *
 * BUSBAR_CUTS sets the number of cuts (2,000), BUSBAR_SEED the seed.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/catalog/tasks.h"
#include "engine/catalog/users.h"
#include "engine/db_impl.h"
#include "tests/lib/rng.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define SERIES        24
#define TIMES         48
#define FIELDS        2
#define CUTS_PER_DISK 25
#define STEP_NS       (INT64_C(86400) * 1000000000)

/* What is stored: a value per (series, time, field), 0 for none. */
struct model {
    double v[SERIES][TIMES][FIELDS];
    bool named
        [SERIES]; /* the series is listed: with rows, or when a cut has met its last deletion */
    bool has_extra_db;
    bool has_cq;
    bool has_subscription;
    enum bbi_privilege user_may; /* what user u may do with t; he is there while it is not NONE */
};

struct world {
    struct simdisk *disk;
    struct bb_options options;
    struct bb_db *db;
    struct rng rng;
    struct model acked;   /* all that was acknowledged */
    struct model pending; /* and the operation under way */
    double next_value;
    char last_op[256];
};

static int sink_begin(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

struct reader {
    struct model *model;
    unsigned series;
    uint64_t cells;
    uint64_t counted;
    struct bb_error err;
};

static int read_series(void *arg, const struct bb_series *series)
{
    struct reader *r = arg;
    r->series = SERIES;
    if (series->tag_count == 1) {
        r->series = (unsigned)strtoul(series->tag_values[0], NULL, 10);
        assert_true(r->series < SERIES);
    }
    assert_int_equal(series->column_count, 1 + FIELDS);
    return 0;
}

static int read_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    struct reader *r = arg;
    for (size_t i = 0; i < row_count; i++) {
        const struct bb_value *row = values + i * (1 + FIELDS);
        if (r->series == SERIES) {
            for (unsigned f = 0; f < FIELDS; f++) {
                r->counted += row[1 + f].kind == BB_VALUE_INT ? (uint64_t)row[1 + f].v.i : 0;
            }
            continue;
        }
        int64_t slot = row[0].v.time_ns / STEP_NS;
        assert_in_range(slot, 0, TIMES - 1);
        for (unsigned f = 0; f < FIELDS; f++) {
            if (row[1 + f].kind == BB_VALUE_FLOAT) {
                assert_true(r->model->v[r->series][slot][f] == 0);
                r->model->v[r->series][slot][f] = row[1 + f].v.f;
                r->cells++;
            }
        }
    }
    return 0;
}

static int read_end(void *arg, const struct bb_error *err)
{
    struct reader *r = arg;
    if (err != NULL) {
        r->err = *err;
    }
    return 0;
}

static int run(struct world *w, const char *text, struct reader *r)
{
    struct bb_error err;
    struct bb_sink sink = {.arg = r,
                           .statement_begin = sink_begin,
                           .series = read_series,
                           .rows = read_rows,
                           .statement_end = read_end};
    struct bb_query query = {.database = "t", .text = text, .text_length = strlen(text)};
    r->err.code = BB_OK;
    int rc = bb_query(w->db, &query, &sink, &err);
    if (rc != BB_OK) {
        r->err = err;
    }
    return r->err.code;
}

static int statement(struct world *w, const char *text)
{
    struct reader r = {.model = NULL};
    return run(w, text, &r);
}

/* ---- the workload ---- */

static int do_write(struct world *w)
{
    struct bbi_buf lines;
    struct bb_error err;
    struct bb_write_result result;
    bbi_buf_init(&lines, NULL, 1u << 20);
    size_t rows = 1 + rng_below(&w->rng, 30);
    unsigned reach = 2 + (unsigned)rng_below(&w->rng, SERIES - 1);
    for (size_t i = 0; i < rows; i++) {
        unsigned s = (unsigned)rng_below(&w->rng, reach);
        unsigned t = (unsigned)rng_below(&w->rng, TIMES);
        unsigned f = (unsigned)rng_below(&w->rng, FIELDS + 1);
        bbi_buf_printf(&lines, "m,s=%u ", s);
        for (unsigned k = 0; k < FIELDS; k++) {
            if (f == k || f == FIELDS) {
                w->next_value += 1;
                bbi_buf_printf(&lines, "%sf%u=%.2f", k == 1 && f == FIELDS ? "," : "", k,
                               w->next_value / 4);
                w->pending.v[s][t][k] = w->next_value / 4;
                w->pending.named[s] = true;
            }
        }
        bbi_buf_printf(&lines, " %" PRId64 "\n", t * STEP_NS);
    }
    struct bb_write write = {.database = "t",
                             .precision_ns = 1,
                             .lines = (const char *)lines.data,
                             .lines_length = lines.len};
    int rc = bb_write(w->db, &write, &result, &err);
    bbi_buf_fini(&lines);
    if (rc == BB_OK) {
        assert_int_equal(result.points_written, rows);
    }
    return rc;
}

static bool has_rows(const struct model *m, unsigned s)
{
    for (unsigned t = 0; t < TIMES; t++) {
        for (unsigned f = 0; f < FIELDS; f++) {
            if (m->v[s][t][f] != 0) {
                return true;
            }
        }
    }
    return false;
}

/* A series that has lost its last row goes. */
static int do_delete(struct world *w)
{
    char text[256];
    unsigned s = (unsigned)rng_below(&w->rng, SERIES);
    unsigned from = (unsigned)rng_below(&w->rng, TIMES);
    unsigned to = from + (unsigned)rng_below(&w->rng, TIMES - from);
    bool all = rng_one_in(&w->rng, 4);
    for (unsigned k = 0; k < SERIES; k++) {
        for (unsigned t = from; (all || k == s) && t <= to; t++) {
            memset(w->pending.v[k][t], 0, sizeof(w->pending.v[k][t]));
        }
        if (all || k == s) {
            w->pending.named[k] = has_rows(&w->pending, k);
        }
    }
    char tag[32] = "";
    if (!all) {
        (void)snprintf(tag, sizeof(tag), "s = '%u' AND ", s);
    }
    (void)snprintf(text, sizeof(text),
                   "DELETE FROM m WHERE %stime >= %" PRId64 " AND time <= %" PRId64, tag,
                   from * STEP_NS, to * STEP_NS);
    return statement(w, text);
}

/* Rows and names go, of one series or of all. */
static int do_drop(struct world *w)
{
    char text[64] = "DROP MEASUREMENT m";
    unsigned s = (unsigned)rng_below(&w->rng, SERIES);
    bool all = rng_one_in(&w->rng, 3);
    for (unsigned k = 0; k < SERIES; k++) {
        if (all || k == s) {
            memset(w->pending.v[k], 0, sizeof(w->pending.v[k]));
            w->pending.named[k] = false;
        }
    }
    if (!all) {
        (void)snprintf(text, sizeof(text), "DROP SERIES FROM m WHERE s = '%u'", s);
    }
    return statement(w, text);
}

static int do_schema(struct world *w)
{
    w->pending.has_extra_db = !w->acked.has_extra_db;
    return statement(w, w->acked.has_extra_db ? "DROP DATABASE extra" : "CREATE DATABASE extra");
}

static int do_cq(struct world *w)
{
    w->pending.has_cq = !w->acked.has_cq;
    return statement(w, w->acked.has_cq
                            ? "DROP CONTINUOUS QUERY c ON t"
                            : "CREATE CONTINUOUS QUERY c ON t BEGIN SELECT sum(f0) INTO n FROM m "
                              "GROUP BY time(1h) END");
}

static int do_subscription(struct world *w)
{
    w->pending.has_subscription = !w->acked.has_subscription;
    return statement(w, w->acked.has_subscription
                            ? "DROP SUBSCRIPTION s ON t.autogen"
                            : "CREATE SUBSCRIPTION s ON t.autogen DESTINATIONS ALL 'udp://h:9'");
}

static int do_user(struct world *w)
{
    struct bb_error err;
    const struct bbi_user_change change = {.database = "t", .give = BBI_PRIVILEGE_WRITE};
    int rc;
    if (w->acked.user_may == BBI_PRIVILEGE_WRITE) {
        w->pending.user_may = BBI_PRIVILEGE_NONE;
        return statement(w, "DROP USER u");
    }
    w->pending.user_may = BBI_PRIVILEGE_WRITE;
    rc = bbi_catalog_user_create(w->db->catalog, "u", 1, NULL, 0, false, &err);
    rc = rc == BB_OK || rc == BB_EEXIST ? bbi_db_schema_changed(w->db, &err) : rc;
    rc = rc == BB_OK ? bbi_catalog_user_alter(w->db->catalog, "u", 1, &change, &err) : rc;
    return rc == BB_OK ? bbi_db_schema_changed(w->db, &err) : rc;
}

static int step(struct world *w)
{
    struct bb_error err;
    w->pending = w->acked;
    uint64_t kind = rng_below(&w->rng, 20);
    (void)snprintf(w->last_op, sizeof(w->last_op), "kind %" PRIu64, kind);
    if (kind < 11) {
        return do_write(w);
    }
    if (kind < 14) {
        return do_delete(w);
    }
    if (kind < 15) {
        return rng_one_in(&w->rng, 3)   ? do_drop(w)
               : rng_one_in(&w->rng, 4) ? do_cq(w)
               : rng_one_in(&w->rng, 3) ? do_subscription(w)
               : rng_one_in(&w->rng, 2) ? do_schema(w)
                                        : do_user(w);
    }
    if (kind < 18) {
        return bb_flush(w->db, &err);
    }
    return bb_compact(w->db, rng_one_in(&w->rng, 2), &err);
}

/* ---- checking ---- */

static bool same(const struct model *a, const struct model *b)
{
    return memcmp(a->v, b->v, sizeof(a->v)) == 0 && a->has_extra_db == b->has_extra_db &&
           a->user_may == b->user_may && a->has_cq == b->has_cq &&
           a->has_subscription == b->has_subscription;
}

static void explain(const struct world *w, const struct model *found)
{
    for (unsigned s = 0; s < SERIES; s++) {
        for (unsigned t = 0; t < TIMES; t++) {
            for (unsigned f = 0; f < FIELDS; f++) {
                double x = found->v[s][t][f];
                if (x != w->acked.v[s][t][f] || x != w->pending.v[s][t][f]) {
                    print_error("s=%u t=%u f=%u found %g acknowledged %g pending %g\n", s, t, f, x,
                                w->acked.v[s][t][f], w->pending.v[s][t][f]);
                }
            }
        }
    }
}

static bool has_task(struct world *w, enum bbi_task_kind kind)
{
    struct bbi_catalog_tasks tasks;
    struct bb_error err;
    assert_ok(bbi_catalog_tasks(w->db->catalog, kind, NULL, &tasks, &err), &err);
    bool has = tasks.count == 1;
    bbi_catalog_tasks_free(&tasks);
    return has;
}

static void read_all(struct world *w, struct model *found)
{
    struct reader r = {.model = found};
    uint32_t db_id;
    struct bb_error err;
    memset(found, 0, sizeof(*found));
    if (run(w, "SELECT f0, f1 FROM m GROUP BY s", &r) != BB_OK) {
        fail_msg("%s", r.err.text);
    }
    if (run(w, "SELECT count(f0), count(f1) FROM m", &r) != BB_OK) {
        fail_msg("%s", r.err.text);
    }
    assert_int_equal(r.counted, r.cells);
    bool is_admin;
    found->user_may = bbi_catalog_user_privilege(w->db->catalog, "u", 1, "t", 1, &is_admin);
    found->has_extra_db = bbi_catalog_database_find(w->db->catalog, "extra", 5, &db_id, &err) ==
                          BB_OK;
    found->has_cq = has_task(w, BBI_TASK_CONTINUOUS_QUERY);
    found->has_subscription = has_task(w, BBI_TASK_SUBSCRIPTION);
}

static int note_name(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                     struct bb_error *err)
{
    struct model *found = arg;
    size_t len;
    const uint8_t *value = bbi_key_tag_value(key, key_len, (const uint8_t *)"s", 1, &len);
    char text[8] = "";
    (void)sid;
    (void)mid;
    (void)err;
    assert_in_range(len, 1, sizeof(text) - 1);
    memcpy(text, value, len);
    unsigned s = (unsigned)strtoul(text, NULL, 10);
    assert_false(found->named[s]);
    found->named[s] = true;
    return BB_OK;
}

/* Names that both states have are there, others are not; each once. */
static void check_names(struct world *w, struct model *found)
{
    struct bb_error err;
    uint32_t db_id;
    assert_int_equal(bbi_catalog_database_find(w->db->catalog, "t", 1, &db_id, &err), BB_OK);
    assert_int_equal(
        bbi_catalog_series_each(w->db->catalog, db_id, NULL, NULL, note_name, found, &err), BB_OK);
    for (unsigned s = 0; s < SERIES; s++) {
        bool may = w->acked.named[s] || w->pending.named[s];
        bool must = w->acked.named[s] && w->pending.named[s];
        if ((found->named[s] && !may) || (!found->named[s] && must)) {
            fail_msg("series %u after the cut (%s): found %d", s, w->last_op, found->named[s]);
        }
    }
}

static void open_db(struct world *w)
{
    struct bb_error err;
    if (bbi_db_open_on(simdisk_fs(w->disk), "/data", &w->options, &w->db, &err) != BB_OK) {
        fail_msg("open after a cut (%s): %s", w->last_op, err.text);
    }
}

/* Run until the power fails, then come back and look. */
static void one_cut(struct world *w)
{
    simdisk_cut_at(w->disk, 1 + rng_below(&w->rng, 120));
    while (!simdisk_is_dead(w->disk)) {
        int rc = step(w);
        if (rc == BB_OK) {
            w->acked = w->pending;
        } else {
            assert_true(simdisk_is_dead(w->disk));
        }
    }
    bbi_db_abandon(&w->db);
    simdisk_reboot(w->disk, rng_u64(&w->rng));
    if (rng_one_in(&w->rng, 8)) {
        /* and once more while it recovers */
        struct bb_error err;
        simdisk_cut_at(w->disk, 1 + rng_below(&w->rng, 12));
        if (bbi_db_open_on(simdisk_fs(w->disk), "/data", &w->options, &w->db, &err) == BB_OK) {
            bbi_db_abandon(&w->db);
        }
        simdisk_reboot(w->disk, rng_u64(&w->rng));
    }
    open_db(w);
    struct model found;
    read_all(w, &found);
    if (!same(&found, &w->acked) && !same(&found, &w->pending)) {
        explain(w, &found);
        fail_msg("readings after the cut (%s) are neither with nor without it", w->last_op);
    }
    check_names(w, &found);
    w->acked = found;
}

static void quiet(void *arg, int severity, const char *text)
{
    (void)arg;
    (void)severity;
    (void)text;
}

static void test_power_cuts(void **state)
{
    const char *set = getenv("BUSBAR_CUTS");
    unsigned long cuts = set != NULL ? strtoul(set, NULL, 10) : 2000;
    struct rng seeds = rng_from_env();
    struct world *w = calloc(1, sizeof(*w));
    (void)state;
    assert_non_null(w);
    for (unsigned long done = 0; done < cuts; done += CUTS_PER_DISK) {
        memset(w, 0, sizeof(*w));
        w->rng = rng_of(rng_u64(&seeds));
        bb_options_init(&w->options);
        w->options.manual_background = true;
        w->options.memory_bytes = UINT64_C(1) << 30;
        w->options.catalog_map_bytes = UINT64_C(1) << 26;
        w->options.wal_buffer_bytes = UINT64_C(1) << 20;
        w->options.query_threads = 1;
        w->options.log = quiet;
        w->disk = simdisk_create(rng_u64(&w->rng));
        open_db(w);
        assert_int_equal(statement(w, "CREATE DATABASE t"), BB_OK);
        for (unsigned i = 0; i < CUTS_PER_DISK; i++) {
            one_cut(w);
        }
        bbi_db_abandon(&w->db);
        simdisk_destroy(&w->disk);
    }
    print_message("%lu cuts\n", cuts);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_power_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
