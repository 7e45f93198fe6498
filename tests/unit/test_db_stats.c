/* What bb_stats_get and bb_stats_databases say. */
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

struct seen {
    size_t count;
    char names[4][32];
    struct bb_database_stats stats[4];
};

static int keep(void *arg, const struct bb_database_stats *stats)
{
    struct seen *seen = arg;
    assert_true(seen->count < 4 && strlen(stats->name) < 32);
    strcpy(seen->names[seen->count], stats->name);
    seen->stats[seen->count++] = *stats;
    return BB_OK;
}

static int refuse(void *arg, const struct bb_database_stats *stats)
{
    (void)arg;
    (void)stats;
    return BB_EINVAL;
}

static void databases_are_told_apart(void **state)
{
    struct dbtest t;
    struct seen seen = {0};
    struct bb_error err;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE a");
    dbtest_run(&t, "CREATE RETENTION POLICY p ON t DURATION 0s REPLICATION 1");
    dbtest_write(&t, "m,d=1 v=1,w=2i 1000\nm,d=2 v=1 2000\nn v=3 3000\n");
    assert_int_equal(bb_stats_databases(t.db, keep, &seen, &err), BB_OK);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.names[0], "a");
    assert_string_equal(seen.names[1], "t");
    assert_int_equal(seen.stats[0].series, 0);
    assert_int_equal(seen.stats[1].policies, 2);
    assert_int_equal(seen.stats[1].measurements, 2);
    assert_int_equal(seen.stats[1].series, 3);
    assert_int_equal(seen.stats[1].segments, 0);
    assert_false(seen.stats[1].has_times);
    assert_int_equal(bb_stats_databases(t.db, refuse, NULL, &err), BB_EINVAL);
    dbtest_close(&t);
}

static void segments_are_counted(void **state)
{
    struct dbtest t;
    struct seen seen = {0};
    struct bb_error err;
    struct bb_stats stats;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,d=1 v=1,w=2i 1000\nm,d=2 v=1 2000\nn v=3 3000\n");
    dbtest_flush(&t);
    assert_int_equal(bb_stats_databases(t.db, keep, &seen, &err), BB_OK);
    const struct bb_database_stats *s = &seen.stats[0];
    assert_int_equal(s->segments, 1);
    assert_int_equal(s->partitions, 1);
    assert_int_equal(s->segment_values, 4);
    assert_true(s->has_times);
    assert_int_equal(s->time_min, 1000);
    assert_int_equal(s->time_max, 3000);
    bb_stats_get(t.db, &stats);
    assert_int_equal(stats.segment_values, 4);
    assert_int_equal(stats.segment_bytes, s->segment_bytes);
    assert_int_equal(stats.measurements, 2);
    dbtest_close(&t);
}

/* A deletion is pending until no segment holds its rows; pausing leaves it so. */
static void deletions_are_counted(void **state)
{
    struct dbtest t;
    struct bb_stats stats;
    struct bb_error err;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m,d=1 v=1 1000\nm,d=1 v=1 2000\nm,d=2 v=1 2000\nm,d=2 v=1 3000\n");
    dbtest_flush(&t);
    dbtest_run(&t, "DELETE WHERE time = 2000");
    dbtest_flush(&t);
    bb_stats_get(t.db, &stats);
    assert_true(stats.deletions_pending >= 1);
    assert_int_equal(stats.deletion_segments, 1);
    assert_int_equal(stats.deletion_bytes, stats.segment_bytes);
    assert_int_equal(stats.values_removed, 0);
    bb_compact_pause(t.db, true);
    assert_int_equal(bb_compact(t.db, true, &err), BB_ECANCELED);
    bb_stats_get(t.db, &stats);
    assert_true(stats.compaction_paused);
    assert_int_equal(stats.deletion_segments, 1);
    dbtest_expect(&t, "SELECT count(v) FROM m", "m: time=0 count=2i\n");
    bb_compact_pause(t.db, false);
    dbtest_compact(&t);
    bb_stats_get(t.db, &stats);
    assert_false(stats.compaction_paused);
    assert_int_equal(stats.deletions_pending, 0);
    assert_int_equal(stats.deletion_segments, 0);
    assert_int_equal(stats.values_removed, 2);
    dbtest_expect(&t, "SHOW STATS FOR 'deletions'",
                  "deletions: deletions_pending=0u segments_to_rewrite=0u bytes_to_rewrite=0u "
                  "values_removed=2u\n");
    dbtest_expect(&t, "SELECT count(v) FROM m", "m: time=0 count=2i\n");
    dbtest_close(&t);
}

static uint64_t times_of(const struct bb_latency *latency)
{
    uint64_t count = 0;
    for (size_t i = 0; i < BB_LATENCY_BUCKETS; i++) {
        count += latency->buckets[i];
    }
    return count;
}

static void statements_are_counted_by_kind(void **state)
{
    struct dbtest t;
    struct bb_stats before;
    struct bb_stats after;
    struct bbi_buf out;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&out, NULL, 1 << 16);
    bb_stats_get(t.db, &before);
    dbtest_write(&t, "m v=1 1000\n");
    dbtest_run(&t, "SELECT v FROM m");
    dbtest_run(&t, "SHOW DATABASES");
    dbtest_run(&t, "CREATE DATABASE other");
    dbtest_run(&t, "DELETE FROM m");
    dbtest_query(&t, "SELECT v FROM nowhere.p.m", &out);
    bb_stats_get(t.db, &after);
    assert_int_equal(times_of(&after.statements[BB_STATEMENT_SELECT]) -
                         times_of(&before.statements[BB_STATEMENT_SELECT]),
                     2);
    assert_int_equal(times_of(&after.statements[BB_STATEMENT_SHOW]), 1);
    assert_int_equal(times_of(&after.statements[BB_STATEMENT_DELETE]), 1);
    assert_int_equal(times_of(&after.statements[BB_STATEMENT_SCHEMA]) -
                         times_of(&before.statements[BB_STATEMENT_SCHEMA]),
                     1);
    assert_int_equal(after.statement_errors[BB_ENOTFOUND], 1);
    assert_true(times_of(&after.wal_sync) > 0);
    assert_int_equal(times_of(&after.wal_sync), after.wal_syncs);
    bbi_buf_fini(&out);
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(databases_are_told_apart), cmocka_unit_test(segments_are_counted),
        cmocka_unit_test(deletions_are_counted), cmocka_unit_test(statements_are_counted_by_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
