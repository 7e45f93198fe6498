/*
 * Subscriptions: their statements, with the words of InfluxDB 1.8; and what is told of the points
 * that are stored.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/catalog/tasks.h"
#include "engine/query/subscription.h"
#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

#define SUB(text) "CREATE SUBSCRIPTION " text

static struct bb_error err;

static void expect(struct dbtest *t, const char *text, const char *answer)
{
    dbtest_expect(t, text, answer);
}

static void test_statements(void **state)
{
    static const char all[] =
        "t: retention_policy=\"autogen\" name=\"s\" mode=\"ALL\" destinations=[udp://h:9 "
        "http://u:p@h:1]\n"
        "t: retention_policy=\"autogen\" name=\"\" mode=\"ANY\" destinations=[http://h:1]\n"
        "t: retention_policy=\"p\" name=\"s\" mode=\"ANY\" destinations=[http://h:1 http://h:1]\n"
        "u: retention_policy=\"autogen\" name=\"a \"b\" mode=\"ALL\" destinations=[https://h:2]\n";
    static const char rest[] =
        "t: retention_policy=\"autogen\" name=\"\" mode=\"ANY\" destinations=[http://h:1]\n";
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE u; CREATE RETENTION POLICY p ON t DURATION 0s REPLICATION 1");
    expect(&t, "SHOW SUBSCRIPTIONS", "");
    expect(&t, SUB("s ON t.p DESTINATIONS ANY 'http://h:1', 'http://h:1'"), "");
    expect(&t, SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9', 'http://u:p@h:1'"), "");
    expect(&t, SUB("\"a \\\"b\" ON u.autogen DESTINATIONS ALL 'https://h:2'"), "");
    expect(&t, SUB("\"\" ON t.autogen DESTINATIONS ANY 'http://h:1'"), "");
    for (enum dbtest_event e = DBTEST_NOTHING; e < DBTEST_EVENTS; e++) {
        dbtest_happen(&t, e);
        expect(&t, "SHOW SUBSCRIPTIONS", all);
    }
    expect(&t, "DROP SUBSCRIPTION s ON t.autogen", "");
    dbtest_run(&t, "DROP RETENTION POLICY p ON t; DROP DATABASE u; CREATE DATABASE u; "
                   "CREATE RETENTION POLICY p ON t DURATION 0s REPLICATION 1");
    for (enum dbtest_event e = DBTEST_NOTHING; e < DBTEST_EVENTS; e++) {
        dbtest_happen(&t, e);
        expect(&t, "SHOW SUBSCRIPTIONS", rest);
    }
    dbtest_close(&t);
}

static void test_refused(void **state)
{
    static const struct dbtest_question questions[] = {
        {SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9'"),
         "error: subscription already exists\n"},
        {SUB("s ON t.autogen DESTINATIONS ANY 'udp://h:8'"),
         "error: subscription already exists\n"},
        {SUB("n ON none.autogen DESTINATIONS ALL 'udp://h:9'"),
         "error: database not found: none\n"},
        {SUB("n ON t.none DESTINATIONS ALL 'udp://h:9'"),
         "error: retention policy not found: none\n"},
        {SUB("n ON t.\"\" DESTINATIONS ALL 'udp://h:9'"), "error: retention policy not found: \n"},
        {SUB("n ON none.none DESTINATIONS ALL 'udp://h:9', 'udp://h'"),
         "error: invalid subscription URL: udp://h\n"},
        {"DROP SUBSCRIPTION n ON t.autogen", "error: subscription not found\n"},
        {"DROP SUBSCRIPTION s ON t.none", "error: retention policy not found: none\n"},
        {"DROP SUBSCRIPTION s ON t.\"\"", "error: retention policy not found: \n"},
        {"DROP SUBSCRIPTION s ON none.none", "error: database not found: none\n"},
    };
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    dbtest_ask(&t, questions, sizeof(questions) / sizeof(questions[0]));
    dbtest_close(&t);
}

/* Those of all databases count, and one that goes makes room for another. */
static void test_bound(void **state)
{
    char text[128];
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_run(&t, "CREATE DATABASE u; " SUB("s ON u.autogen DESTINATIONS ALL 'udp://h:9'"));
    for (int i = 1; i < BBI_SUBSCRIPTIONS_MAX; i++) {
        (void)snprintf(text, sizeof(text), SUB("s%d ON t.autogen DESTINATIONS ALL 'udp://h:9'"), i);
        dbtest_run(&t, text);
    }
    static const char one_more[] = SUB("more ON t.autogen DESTINATIONS ALL 'udp://h:9'");
    expect(&t, one_more, "error: too many subscriptions: at most 1000\n");
    dbtest_run(&t, "DROP SUBSCRIPTION s ON u.autogen");
    expect(&t, one_more, "");
    dbtest_close(&t);
}

/* By what a 1.8.10 says of each. */
static const char *const good_urls[] = {
    "udp://h:99999", "udp://:9",          "HTTP://h:1",        "uDp://h:1",
    "http://h:1/",   "http://[::1]:80",   "http://h:1/a b",    "http://u:p@h:1",
    "http://u@h:1",  "http://u:p%40@h:1", "http://h:0",        "http://[fe80::1%25en0]:80",
    "http://h:1#f",  "http://h:1?q=%zz",  "http://\xc3\xbc:1", "http://h_x:1",
    "http://h\"x:1", "http://h<x:1",      "http://u@v@h:1",    "https://h:443/a/b/",
    "http://*:1",    "http://u:p:q@h:1",  "http://@h:1",       "http://:@h:1",
    "http://h;x:1",  "http://h,x:1",      "http://h%c3%bc:1"};
static const char *const bad_urls[] = {"",
                                       "a",
                                       "udp://",
                                       "udp://h",
                                       "udp://h:",
                                       "udp://h:x",
                                       "tcp://h:1",
                                       "http://[::1]",
                                       "http://::1:80",
                                       "http://h:1:2",
                                       "http:h:1",
                                       "http:///x",
                                       "//h:1",
                                       "http://h :1",
                                       "http://h:1/%zz",
                                       "http://h%20x:1",
                                       "http://h%zz:1",
                                       "http://u p@h:1",
                                       "http://h:-1",
                                       "http://h:+1",
                                       "http://[fe80::1%en0]:80",
                                       "http://h:1#%zz",
                                       " http://h:1",
                                       "http://h:1 ",
                                       "http://[h]:1",
                                       "http://[h:1",
                                       "http://h]:1",
                                       "http://u/x@h:1",
                                       "ht*tp://h:1",
                                       "1http://h:1",
                                       ":h",
                                       "http:",
                                       "http://h\n:1",
                                       "http://h{x}:1",
                                       "http://h:1\\x",
                                       "http://h\\x:1",
                                       "http://u:p^@h:1",
                                       "http://h%:1",
                                       "http://%41:1",
                                       "http://h:%41",
                                       "udp:h:1",
                                       "udp:/h:1",
                                       "http://h`x:1",
                                       "http://h|x:1",
                                       "http://[]:1",
                                       "http://[::1]x:1",
                                       "http://[::1]:1x",
                                       "http://h:\xef\xbc\x91",
                                       "http://u%zz@h:1",
                                       "http://h\x7f:1"};

static void test_destinations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good_urls) / sizeof(good_urls[0]); i++) {
        assert_ok(bbi_subscription_check(good_urls[i], &err), &err);
    }
    for (size_t i = 0; i < sizeof(bad_urls) / sizeof(bad_urls[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "invalid subscription URL: %s", bad_urls[i]);
        assert_int_equal(bbi_subscription_check(bad_urls[i], &err), BB_EINVAL);
        assert_string_equal(err.text, text);
    }
}

/* ---- forwarding ---- */

struct listener {
    pthread_mutex_t lock;
    bool keeps; /* the first text */
    struct bb_lines *kept;
    char text[4096];
    size_t length;
    unsigned texts;
    unsigned changes;
    size_t points;
};

static struct listener listener;

static void on_stored(void *arg, struct bb_lines *lines)
{
    struct listener *l = arg;
    pthread_mutex_lock(&l->lock);
    assert_int_equal(lines->ends[lines->count - 1], lines->length);
    if (l->length + lines->length < sizeof(l->text)) {
        memcpy(l->text + l->length, lines->text, lines->length);
        l->length += lines->length;
        l->text[l->length] = '\0';
    }
    l->texts++;
    l->points += lines->count;
    if (l->keeps && l->kept == NULL) {
        l->kept = bb_lines_ref(lines);
    }
    pthread_mutex_unlock(&l->lock);
}

static void on_changed(void *arg)
{
    ((struct listener *)arg)->changes++;
}

static void listen_to(struct dbtest *t, uint64_t bytes)
{
    memset(&listener, 0, sizeof(listener));
    assert_int_equal(pthread_mutex_init(&listener.lock, NULL), 0);
    dbtest_open(t);
    t->options.lines_stored = on_stored;
    t->options.subscriptions_changed = on_changed;
    t->options.forward_arg = &listener;
    t->options.forward_bytes = bytes;
    dbtest_reopen(t);
}

static void stop(struct dbtest *t)
{
    bb_lines_unref(listener.kept);
    dbtest_close(t);
    (void)pthread_mutex_destroy(&listener.lock);
}

static void expect_told(const char *text)
{
    pthread_mutex_lock(&listener.lock);
    listener.text[listener.length] = '\0';
    assert_string_equal(listener.text, text);
    listener.length = 0;
    pthread_mutex_unlock(&listener.lock);
}

/* The log tells when it is durable: of another write behind it, this one has been told. */
static void settle(struct dbtest *t)
{
    for (int i = 0; i < 2; i++) {
        struct bb_write_result result;
        const struct bb_write w = {
            .database = "other", .precision_ns = 1, .lines = "x v=1 1", .lines_length = 7};
        assert_ok(bb_write(t->db, &w, &result, &err), &err);
    }
}

static void write_to(struct dbtest *t, const char *policy, int64_t unit_ns, const char *lines)
{
    struct bb_write_result result;
    const struct bb_write w = {.database = "t",
                               .retention_policy = policy,
                               .precision_ns = unit_ns,
                               .lines = lines,
                               .lines_length = strlen(lines),
                               .now_ns = INT64_C(1234567890123)};
    assert_ok(bb_write(t->db, &w, &result, &err), &err);
    settle(t);
}

static void test_lines(void **state)
{
    struct dbtest t;
    (void)state;
    listen_to(&t, 0);
    dbtest_run(&t, "CREATE DATABASE other; CREATE RETENTION POLICY p ON t DURATION 1h REPLICATION "
                   "1");
    write_to(&t, NULL, 1, "m v=1 1");
    expect_told("");
    assert_int_equal(listener.changes, 0);
    dbtest_run(&t, SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    assert_int_equal(listener.changes, 1);
    write_to(&t, "p", 1, "m v=1 1"); /* beyond the policy, and not subscribed to */
    write_to(&t, NULL, 1000000000,
             "m,b=1,a=2,aa=3 v=1,s=\"a \\\" 1\nb 2\" -5\n# c\nm v=true 1\nbad\n\n"
             "  m   v=2,w=3i   6  \nm v=3\r\nm\\ a,k=x\\,y,c=z\\ \\=1 f\\ 1=t");
    expect_told("m,a=2,aa=3,b=1 v=1,s=\"a \\\" 1\nb 2\" -5000000000\n"
                "m v=2,w=3i 6000000000\nm v=3 1234000000000\n"
                "m\\ a,c=z\\ \\=1,k=x\\,y f\\ 1=t 1234000000000\n");
    write_to(&t, NULL, 1, "bad");
    expect_told("");
    dbtest_run(&t, "SELECT w INTO n FROM m");
    settle(&t);
    expect_told("n w=3i 6000000000\n");
    dbtest_reopen(&t);
    write_to(&t, NULL, 1, "m v=4 7");
    expect_told("m v=4 7\n");
    unsigned changes = listener.changes;
    dbtest_run(&t, "DROP SUBSCRIPTION s ON t.autogen");
    assert_int_equal(listener.changes, changes + 1);
    write_to(&t, NULL, 1, "m v=4 8");
    expect_told("");
    dbtest_run(&t, SUB("s ON t.p DESTINATIONS ALL 'udp://h:9'") "; DROP RETENTION POLICY p ON t");
    assert_int_equal(listener.changes, changes + 3);
    dbtest_run(&t, "CREATE DATABASE third; DROP DATABASE third");
    stop(&t);
}

static void test_many_tags(void **state)
{
    char line[1024] = "m";
    char told[sizeof(line) + 1];
    struct dbtest t;
    (void)state;
    listen_to(&t, 0);
    dbtest_run(&t, "CREATE DATABASE other; " SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    for (int i = 99; i >= 10; i--) {
        (void)sprintf(line + strlen(line), ",t%d=%d", i, i);
    }
    strcat(line, " v=1 5");
    write_to(&t, NULL, 1, line);
    (void)snprintf(told, sizeof(told), "%s\n", line); /* more than are sorted: as they came */
    expect_told(told);
    stop(&t);
}

static int on_subscription(void *arg, const struct bb_subscription *s)
{
    bbi_buf_printf(arg, "%s.%s.%s %s %zu %s;", s->database, s->policy, s->name,
                   s->all ? "ALL" : "ANY", s->destination_count,
                   s->destinations[s->destination_count - 1]);
    return strcmp(s->name, "stop") == 0 ? BB_ECANCELED : BB_OK;
}

static void test_each(void **state)
{
    struct dbtest t;
    struct bbi_buf seen;
    (void)state;
    dbtest_open(&t);
    bbi_buf_init(&seen, NULL, 4096);
    assert_ok(bb_subscriptions_each(t.db, on_subscription, &seen, &err), &err);
    assert_int_equal(seen.len, 0);
    dbtest_run(&t, SUB("a ON t.autogen DESTINATIONS ANY 'udp://h:9', 'http://h:1'"));
    dbtest_run(&t, SUB("stop ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    dbtest_run(&t, SUB("c ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    assert_int_equal(bb_subscriptions_each(t.db, on_subscription, &seen, &err), BB_ECANCELED);
    bbi_buf_u8(&seen, 0);
    assert_string_equal((const char *)seen.data,
                        "t.autogen.a ANY 2 http://h:1;t.autogen.stop ALL 1 udp://h:9;");
    bbi_buf_fini(&seen);
    dbtest_close(&t);
}

/* What finds no memory is gone, and no write fails for it. */
static void test_memory(void **state)
{
    char lines[1024] = "";
    struct bb_stats stats;
    struct dbtest t;
    (void)state;
    listen_to(&t, 600);
    dbtest_run(&t, "CREATE DATABASE other; " SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    listener.keeps = true;
    write_to(&t, NULL, 1, "m v=1 1");
    for (int i = 2; i < 50; i++) {
        (void)sprintf(lines + strlen(lines), "m v=1 %d\n", i);
    }
    write_to(&t, NULL, 1, lines);
    expect_told("m v=1 1\n");
    bb_stats_get(t.db, &stats);
    assert_int_equal(stats.lines_stored, 1);
    assert_int_equal(stats.lines_dropped, 1);
    assert_int_equal(stats.points_rejected, 0);
    expect(&t, "SELECT count(v) FROM m", "m: time=0 count=49i\n");
    write_to(&t, NULL, 1, "m v=1 90"); /* there is room for it */
    expect_told("m v=1 90\n");
    stop(&t);
}

#define WRITERS 4
#define ROUNDS  200

static void *writer_main(void *arg)
{
    struct dbtest *t = arg;
    struct bb_error e;
    for (int i = 0; i < ROUNDS; i++) {
        struct bb_write_result result;
        const struct bb_write w = {
            .database = "t", .precision_ns = 1, .lines = "m v=1\nm,a=b v=2", .lines_length = 15};
        assert_int_equal(bb_write(t->db, &w, &result, &e), BB_OK);
    }
    return NULL;
}

/* Writers, and somebody who makes and drops subscriptions meanwhile. */
static void test_threads(void **state)
{
    pthread_t threads[WRITERS];
    struct dbtest t;
    (void)state;
    listen_to(&t, 0);
    dbtest_run(&t, "CREATE DATABASE other; " SUB("s ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, writer_main, &t), 0);
    }
    for (int i = 0; i < 20; i++) {
        dbtest_run(&t, SUB("x ON t.autogen DESTINATIONS ALL 'udp://h:9'"));
        dbtest_run(&t, "DROP SUBSCRIPTION x ON t.autogen");
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    settle(&t);
    pthread_mutex_lock(&listener.lock);
    assert_int_equal(listener.texts, WRITERS * ROUNDS);
    assert_int_equal(listener.points, 2 * WRITERS * ROUNDS);
    pthread_mutex_unlock(&listener.lock);
    stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bound),      cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_many_tags),
        cmocka_unit_test(test_each),       cmocka_unit_test(test_memory),
        cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
