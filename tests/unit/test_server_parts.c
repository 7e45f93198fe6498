/** The small parts of busbard: buffers, parameters, settings, units, refusals, gzip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "server/buf.h"
#include "server/form.h"
#include "server/gunzip.h"
#include "server/line_directive.h"
#include "server/reject.h"
#include "server/request_profile.h"
#include "server/settings.h"
#include "server/units.h"
#include "tests/lib/unit.h"

static void test_buf_keeps_its_maximum_and_budget(void **state)
{
    struct budget budget = {.limit_bytes = 1000};
    struct buf a, b;
    (void)state;
    buf_init(&a, 600, &budget);
    buf_init(&b, 600, &budget);
    assert_int_equal(buf_reserve(&a, 600), BB_OK);
    assert_int_equal(buf_reserve(&a, 601), BB_ELIMIT);
    assert_int_equal(buf_reserve(&b, 500), BB_EBUSY);
    assert_int_equal(buf_reserve(&b, 100), BB_OK);
    assert_int_equal(budget.used_bytes, a.cap + b.cap);
    assert_int_equal(buf_put(&b, "hello", 5), BB_OK);
    buf_consume(&b, 2);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "llo", 3);
    a.len = 0;
    buf_swap(&a, &b);
    assert_memory_equal(a.data, "llo", 3);
    buf_fini(&a);
    buf_fini(&b);
    assert_int_equal(budget.used_bytes, 0);
}

static void form_is(const char *text, const char *name, int code, const char *expect)
{
    struct buf value;
    buf_init(&value, 64, NULL);
    assert_int_equal(form_get(text, strlen(text), name, &value), code);
    if (expect != NULL) {
        assert_int_equal(value.len, strlen(expect));
        assert_string_equal(value.data, expect);
    }
    buf_fini(&value);
}

static void test_form(void **state)
{
    (void)state;
    form_is("db=a&q=b", "q", BB_OK, "b");
    form_is("db=a&q=b", "db", BB_OK, "a");
    form_is("db=a&q=b", "d", BB_ENOTFOUND, "");
    form_is("", "q", BB_ENOTFOUND, "");
    form_is("q", "q", BB_OK, "");
    form_is("q=", "q", BB_OK, "");
    form_is("&&q=1&q=2", "q", BB_OK, "1");
    form_is("q=a=b", "q", BB_OK, "a=b");
    form_is("q=a+b%20c%C3%A9%2b", "q", BB_OK, "a b c\xc3\xa9+");
    form_is("%71=x", "q", BB_OK, "x");
    form_is("q=%", "q", BB_EPARSE, NULL);
    form_is("q=%4", "q", BB_EPARSE, NULL);
    form_is("q=%zz", "q", BB_EPARSE, NULL);
    form_is("q=a%00b", "q", BB_EPARSE, NULL);
    form_is("q=0123456789012345678901234567890123456789012345678901234567890123456789", "q",
            BB_ELIMIT, NULL);
}

static int load(struct settings *s, char *const env[], const char *a, const char *b)
{
    char *argv[] = {(char *)"busbard", (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL};
    enum settings_action action;
    struct bb_error err = {0};
    int rc = settings_load(s, a == NULL ? 1 : b == NULL ? 2 : 3, argv, env, &action, &err);
    assert_int_equal(rc == BB_OK, err.text[0] == '\0');
    return rc;
}

static void test_settings(void **state)
{
    char *env[] = {(char *)"BUSBAR_MAX_BODY=1MiB", (char *)"BUSBAR_MAX_BODYS=x", NULL};
    char *none[] = {NULL};
    char *bad[] = {(char *)"BUSBAR_LOOPS=many", NULL};
    struct settings s;
    (void)state;
    assert_int_equal(load(&s, none, NULL, NULL), BB_OK);
    assert_int_equal(s.max_body, 25000000);
    assert_int_equal(s.queue_timeout, 4000);
    assert_string_equal(s.http, "127.0.0.1:8086");
    assert_int_equal(load(&s, env, NULL, NULL), BB_OK);
    assert_int_equal(s.max_body, 1 << 20);
    assert_int_equal(load(&s, env, "--max-body=2k", NULL), BB_OK);
    assert_int_equal(s.max_body, 2048);
    assert_int_equal(load(&s, env, "--idle-timeout", "90"), BB_OK);
    assert_int_equal(s.idle_timeout, 90);
    assert_int_equal(load(&s, env, "--idle-timeout", "2h"), BB_OK);
    assert_int_equal(s.idle_timeout, 7200000);
    assert_int_equal(load(&s, bad, NULL, NULL), BB_EINVAL);
    assert_int_equal(load(&s, none, "--max-body", "-1"), BB_EINVAL);
    assert_int_equal(load(&s, none, "--max-body", "99999999999999999999"), BB_EINVAL);
    assert_int_equal(load(&s, none, "--max-body", "99999999999999999TiB"), BB_EINVAL);
    assert_int_equal(load(&s, none, "--max-body", "0"), BB_EINVAL);
    assert_int_equal(load(&s, none, "--memory", "0"), BB_OK);
    assert_int_equal(load(&s, none, "--memory", NULL), BB_EINVAL);
    assert_int_equal(load(&s, none, "--no-such", "1"), BB_EINVAL);
    assert_int_equal(load(&s, none, "memory", "1"), BB_EINVAL);
}

static const char *load_text(struct settings *s, const char *text)
{
    static char message[BB_ERROR_TEXT_MAX];
    char path[] = "/tmp/busbar-conf-XXXXXX";
    char flag[64];
    char *argv[] = {(char *)"busbard", flag, (char *)"--max-head=8KiB", NULL};
    char *env[] = {(char *)"BUSBAR_MAX_HEAD=9KiB", (char *)"BUSBAR_MAX_LINE=9KiB", NULL};
    enum settings_action action;
    struct bb_error err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    snprintf(flag, sizeof(flag), "--config=%s", path);
    int rc = settings_load(s, 3, argv, env, &action, &err);
    assert_int_equal(rc == BB_OK, err.text[0] == '\0');
    unlink(path);
    /* without the path, which differs from run to run */
    snprintf(message, sizeof(message), "%s",
             strncmp(err.text, path, strlen(path)) == 0 ? err.text + strlen(path) : err.text);
    return message;
}

static void test_settings_file(void **state)
{
    struct settings s;
    (void)state;
    assert_string_equal(load_text(&s, "# c\n\n data = /x y \nhttp=\"off\"\nmax-body=2KiB"), "");
    assert_string_equal(s.data, "/x y");
    assert_string_equal(s.http, "off");
    assert_int_equal(s.max_body, 2048);
    assert_string_equal(load_text(&s, "max-head = 7KiB\nmax-line = 7KiB\nmax-body = 7KiB"), "");
    assert_int_equal(s.max_head, 8 << 10);
    assert_int_equal(s.max_line, 9 << 10);
    assert_int_equal(s.max_body, 7 << 10);
    assert_string_equal(load_text(&s, "\nmax-bodies = 1"), ":2: no such setting: max-bodies");
    assert_string_equal(load_text(&s, "data"), ":1: not 'name = value'");
    assert_string_equal(load_text(&s, "loops = many"), ":1: loops: 'many' is not a whole number");
    assert_string_equal(load_text(&s, "loops = 257"),
                        ":1: loops: '257' is out of range (1 to 256)");
    assert_string_equal(load_text(&s, "log-level = loud"),
                        ":1: log-level: 'loud' is none of: debug info warning error");
    assert_string_equal(load_text(&s, "data=a\ndata=b"), ":2: data: set already in line 1");
    assert_string_equal(load_text(&s, "reject-log = 0"), "");
    assert_string_equal(load_text(&s, "max-body = 0"),
                        ":1: max-body: '0' is out of range (1024 to 4294967296)");
}

static void test_units(void **state)
{
    (void)state;
    assert_int_equal(units_precision_ns(""), 1);
    assert_int_equal(units_precision_ns("us"), 1000);
    assert_int_equal(units_precision_ns("h"), 3600000000000);
    assert_int_equal(units_precision_ns("d"), 0);
    assert_int_equal(units_precision_ns("S"), 0);
    assert_int_equal(units_epoch_ns(""), 0);
    assert_int_equal(units_epoch_ns("ms"), 1000000);
    assert_int_equal(units_epoch_ns("\302\265"), 1000);
    assert_int_equal(units_epoch_ns("fortnight"), 1);
}

/* What refuses many lines is told once. */
static void test_rejects_of_one_reason(void **state)
{
    static const char *const reasons[] = {"too old", "too old", "too",     "old", "too",
                                          "too old", "wrong",   "too old", "old"};
    struct bb_write_result result = {.points_written = 1};
    struct rejects rejects;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20, NULL);
    rejects_init(&rejects);
    for (uint64_t i = 0; i < 900; i++)
        rejects_add(&rejects, i, "m", 1, BB_ERANGE, reasons[i % 9]);
    result.points_rejected = rejects.count;
    assert_int_equal(rejects_message(&rejects, &result, &text), BB_OK);
    assert_int_equal(buf_put(&text, "", 1), BB_OK);
    assert_string_equal(text.data, "partial write: too old\ntoo\nold\nwrong dropped=900");
    for (uint64_t i = 0; i < 20; i++)
        rejects_add(&rejects, i, "m", 1, BB_EPARSE, "too old");
    text.len = 0;
    assert_int_equal(rejects_message(&rejects, &result, &text), BB_OK);
    assert_int_equal(buf_put(&text, "", 1), BB_OK);
    assert_contains(text.data, "wrong\nunable to parse 'm': too old\nunable");
    assert_contains(text.data, "too old\n... and 4 more lines dropped=900");
    rejects_fini(&rejects);
    buf_fini(&text);
}

static void test_rejects(void **state)
{
    struct bb_write_result result = {.points_written = 0, .points_rejected = 25};
    struct counters counters = {0};
    struct rejects rejects;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20, NULL);
    rejects_init(&rejects);
    for (uint64_t i = 1; i <= 25; i++)
        rejects_add(&rejects, i, "m", 1, BB_EPARSE, "missing fields");
    assert_int_equal(rejects_message(&rejects, &result, &text), BB_OK);
    assert_memory_equal(text.data, "unable to parse 'm': missing fields\nunable", 41);
    assert_int_equal(buf_put(&text, "", 1), BB_OK);
    assert_contains(text.data, "\n... and 5 more lines");
    assert_null(strstr(text.data, "dropped"));
    rejects_add(&rejects, 26, "m v=1", 5, BB_ETYPE, "field type conflict");
    text.len = 0;
    result.points_rejected = 26;
    assert_int_equal(rejects_message(&rejects, &result, &text), BB_OK);
    assert_int_equal(buf_put(&text, "", 1), BB_OK);
    assert_memory_equal(text.data, "partial write: unable to parse", 30);
    assert_contains(text.data, " dropped=26");
    rejects_count(&rejects, &counters);
    assert_int_equal(counters.rejected[BB_EPARSE], 25);
    assert_int_equal(counters.rejected[BB_ETYPE], 1);
    rejects_fini(&rejects);
    buf_fini(&text);
}

static size_t pack(const char *text, size_t n, char *out, size_t size)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)n;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return size - stream.avail_out;
}

/* Decompress bytes that come in steps, stopping and going on at each multiple of `stop`. */
static int gunzip_steps(const char *packed, size_t n, size_t step, size_t stop, struct buf *out)
{
    struct budget budget = {.limit_bytes = 1 << 20};
    struct gunzip g;
    struct bb_error err;
    int rc = gunzip_open(&g, &budget, &err);
    assert_int_equal(rc, BB_OK);
    assert_true(budget.used_bytes > 0);
    for (size_t at = 0; rc == BB_OK && at < n;) {
        size_t now = n - at < step ? n - at : step;
        size_t used;
        size_t until = (out->len / stop + 1) * stop;
        rc = gunzip_some(&g, packed + at, now, &used, out, until, &err);
        assert_true(used == now || out->len >= until || rc != BB_OK);
        at += used;
    }
    size_t none;
    while (rc == BB_OK && out->len % stop == 0 && out->len > 0 && !g.ended) {
        size_t before = out->len;
        rc = gunzip_some(&g, NULL, 0, &none, out, before + stop, &err);
        if (out->len == before)
            break;
    }
    rc = rc == BB_OK ? gunzip_end(&g, &err) : rc;
    gunzip_close(&g);
    gunzip_close(&g);
    assert_int_equal(budget.used_bytes, 0);
    return rc;
}

static void test_gunzip(void **state)
{
    enum {
        N = 100000
    };
    char *text = malloc(N);
    char packed[4096];
    struct buf out;
    (void)state;
    for (size_t i = 0; i < N; i++)
        text[i] = (char)('a' + i / 1000 % 26);
    size_t n = pack(text, N, packed, sizeof(packed));
    assert_true(2 * n < sizeof(packed));
    buf_init(&out, 4 * N, NULL);
    memcpy(packed + n, packed, n); /* two members */
    for (size_t step = 1; step <= 2 * n; step += step < 20 ? 1 : 97) {
        out.len = 0;
        assert_int_equal(gunzip_steps(packed, 2 * n, step, 1000 + step, &out), BB_OK);
        assert_int_equal(out.len, 2 * N);
        assert_memory_equal(out.data, text, N);
        assert_memory_equal(out.data + N, text, N);
    }
    for (size_t cut = 0; cut < n; cut++) {
        out.len = 0;
        assert_int_equal(gunzip_steps(packed, cut, 7, N, &out), BB_EPARSE);
    }
    for (size_t at = n - 8; at < n; at++) {
        packed[at] ^= 1; /* checksum and length */
        out.len = 0;
        assert_int_equal(gunzip_steps(packed, n, n, N, &out), BB_EPARSE);
        packed[at] ^= 1;
    }
    buf_fini(&out);
    free(text);
}

static void test_gunzip_without_memory(void **state)
{
    struct budget budget = {.limit_bytes = 1000};
    struct gunzip g;
    struct bb_error err;
    (void)state;
    assert_int_equal(gunzip_open(&g, &budget, &err), BB_EBUSY);
    gunzip_close(&g);
    assert_int_equal(budget.used_bytes, 0);
}

static void directive_is(const char *line, enum line_directive expect, const char *text)
{
    const char *value = NULL;
    size_t n = 0;
    assert_int_equal(line_directive_parse(line, strlen(line), &value, &n), expect);
    if (text != NULL) {
        assert_int_equal(n, strlen(text));
        assert_memory_equal(value, text, n);
    }
}

static void test_directives(void **state)
{
    (void)state;
    directive_is("# sync a b\r", LINE_SYNC, "a b");
    directive_is("# db energy", LINE_DB, "energy");
    directive_is("# precision s", LINE_PRECISION, "s");
    directive_is("# sync", LINE_NONE, NULL);
    directive_is("# sync ", LINE_NONE, NULL);
    directive_is("# syncs x", LINE_NONE, NULL);
    directive_is("#sync x", LINE_NONE, NULL);
    directive_is("# a comment", LINE_NONE, NULL);
}

/** Clients are told apart up to a limit; counting ends for each who asks, on its own. */
static void test_request_profiles(void **state)
{
    struct request_profiles profiles;
    struct buf text;
    char name[REQUEST_CLIENT_BYTES + 8];
    (void)state;
    request_profiles_init(&profiles);
    assert_false(request_profiles_wanted(&profiles));
    struct request_profile *a = request_profile_begin(&profiles);
    struct request_profile *b = request_profile_begin(&profiles);
    assert_true(request_profiles_wanted(&profiles));
    buf_init(&text, 1 << 20, NULL);
    request_profiles_count(&profiles, "10.0.0.1", true);
    assert_int_equal(request_profile_end(&profiles, b, &text), BB_OK);
    for (int i = 0; i < 2 * REQUEST_CLIENTS_MAX; i++) {
        snprintf(name, sizeof(name), "%d", i);
        request_profiles_count(&profiles, name, false);
        request_profiles_count(&profiles, "10.0.0.1", true);
    }
    assert_int_equal(buf_put(&text, "", 1), BB_OK);
    assert_string_equal(text.data, "{\n\"10.0.0.1\": {\"writes\":1,\"queries\":0}\n}\n");
    text.len = 0;
    assert_int_equal(request_profile_end(&profiles, a, &text), BB_OK);
    assert_int_equal(buf_put(&text, "", 1), BB_OK);
    assert_non_null(strstr(text.data, "\"10.0.0.1\": {\"writes\":1025,\"queries\":0}"));
    assert_non_null(strstr(text.data, "\"510\": {\"writes\":0,\"queries\":1}"));
    assert_null(strstr(text.data, "\"511\""));
    assert_non_null(strstr(text.data, "\"others\": {\"writes\":0,\"queries\":513}"));
    assert_false(request_profiles_wanted(&profiles));
    request_profile_destroy(&profiles, a);
    request_profile_destroy(&profiles, b);
    buf_fini(&text);
    request_profiles_fini(&profiles);
}

static void test_request_profiles_are_bounded(void **state)
{
    struct request_profiles profiles;
    struct request_profile *list[REQUEST_PROFILES_MAX];
    char name[2 * REQUEST_CLIENT_BYTES];
    (void)state;
    request_profiles_init(&profiles);
    for (size_t i = 0; i < REQUEST_PROFILES_MAX; i++)
        assert_non_null(list[i] = request_profile_begin(&profiles));
    assert_null(request_profile_begin(&profiles));
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    request_profiles_count(&profiles, name, true); /* cut, not refused */
    for (size_t i = 0; i < REQUEST_PROFILES_MAX; i++)
        request_profile_destroy(&profiles, list[i]);
    assert_false(request_profiles_wanted(&profiles));
    request_profiles_fini(&profiles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_keeps_its_maximum_and_budget),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_settings_file),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_rejects),
        cmocka_unit_test(test_rejects_of_one_reason),
        cmocka_unit_test(test_gunzip),
        cmocka_unit_test(test_gunzip_without_memory),
        cmocka_unit_test(test_directives),
        cmocka_unit_test(test_request_profiles),
        cmocka_unit_test(test_request_profiles_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
