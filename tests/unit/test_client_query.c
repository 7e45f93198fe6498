/* Queries: what the handler is told, in which pieces replies may come, and what is no reply. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/busbar_client.h"
#include "client/results.h"
#include "tests/lib/unit.h"
#include "tests/unit/fake_server.h"

/* A transcript of the calls. */
struct log {
    char text[8192];
    size_t len;
    int stop_at_row; /* 0: never */
    int rows;
};

static void say(struct log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct log *log, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(log->text + log->len, sizeof(log->text) - log->len, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(log->text) - log->len);
    log->len += (size_t)n;
}

static int on_statement(void *arg, unsigned statement)
{
    say(arg, "#%u ", statement);
    return 0;
}

static int on_series(void *arg, const struct bb_client_series *s)
{
    say(arg, "%s%s", s->continued ? "+" : "", s->name);
    for (size_t i = 0; i < s->tag_count; i++)
        say(arg, ",%s=%s", s->tag_keys[i], s->tag_values[i]);
    for (size_t i = 0; i < s->column_count; i++)
        say(arg, "%s%s", i == 0 ? " " : "|", s->columns[i]);
    say(arg, ": ");
    return 0;
}

static int on_row(void *arg, const struct bb_client_cell *cells, size_t n)
{
    struct log *log = arg;
    for (size_t i = 0; i < n; i++)
        say(log, "%s%c%s", i == 0 ? "" : " ", "0nbstl"[cells[i].kind], cells[i].text);
    say(log, "; ");
    return ++log->rows == log->stop_at_row;
}

static int on_message(void *arg, const char *level, const char *text)
{
    say(arg, "%s(%s) ", level, text);
    return 0;
}

static int on_error(void *arg, unsigned statement, const char *text)
{
    say(arg, "!%u %s ", statement, text);
    return 0;
}

static struct bb_client_handler handler_of(struct log *log)
{
    return (struct bb_client_handler){.arg = log,
                                      .statement = on_statement,
                                      .series = on_series,
                                      .row = on_row,
                                      .message = on_message,
                                      .statement_error = on_error};
}

/* Feed the text in pieces of so many bytes. */
static int read_pieces(const char *text, size_t piece, struct log *log,
                       struct bb_client_error *error)
{
    struct bb_client_handler handler = handler_of(log);
    struct bbc_results *results = bbc_results_create(&handler);
    assert_non_null(results);
    size_t n = strlen(text);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i += piece)
        rc = bbc_results_feed(results, text + i, i + piece < n ? piece : n - i);
    rc = bbc_results_end(results, rc == 0, error);
    bbc_results_destroy(&results);
    return rc;
}

static void expect(const char *text, const char *calls)
{
    for (size_t piece = 1; piece < strlen(text) + 8; piece += piece < 8 ? 1 : 37) {
        struct log log = {.len = 0};
        struct bb_client_error error;
        assert_int_equal(read_pieces(text, piece, &log, &error), BB_CLIENT_OK);
        assert_string_equal(log.text, calls);
    }
}

static void test_one_of_each(void **state)
{
    (void)state;
    expect("{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"tags\":{\"a\":\"x\","
           "\"b\":\"\"},\"columns\":[\"time\",\"v\",\"s\"],\"values\":[[18446744073709551615,"
           "-1.5e-300,\"q\\\"\\u00e9\"],[\"2024-01-01T00:00:00Z\",null,true]]}]}]}\n",
           "#0 m,a=x,b= time|v|s: t18446744073709551615 n-1.5e-300 sq\"\u00e9; "
           "t2024-01-01T00:00:00Z 0 btrue; ");
}

static void test_statements(void **state)
{
    (void)state;
    expect("{\"results\":[{\"statement_id\":0},{\"statement_id\":1,\"error\":\"no\"},"
           "{\"messages\":[{\"level\":\"warning\",\"text\":\"old\"}],\"statement_id\":2,"
           "\"series\":[{\"columns\":[\"name\"],\"values\":[[\"time\"]]},{\"name\":\"e\","
           "\"columns\":[\"time\"]}],\"new\":{\"deep\":[[{}]]}}]}",
           "#0 #1 !1 no warning(old) #2  name: stime; e time: ");
}

static void test_lists(void **state)
{
    (void)state;
    expect("{\"results\":[{\"series\":[{\"name\":\"m\",\"columns\":[\"a\",\"b\"],\"values\":[["
           "[\"x\",\"y z\",1],1],[[],[\"x\"]]]}]}]}",
           "#0 m a|b: l[x y z 1] n1; l[] l[x]; ");
}

static void test_chunks(void **state)
{
    (void)state;
    expect("{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"columns\":[\"time\"],"
           "\"values\":[[1]],\"partial\":true}],\"partial\":true}]}\n"
           "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"columns\":[\"time\"],"
           "\"values\":[[2]]}],\"partial\":true}]}\n"
           "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"n\",\"columns\":[\"time\"],"
           "\"values\":[[3]]}]}]}\n{\"results\":[{\"statement_id\":1}]}\n",
           "#0 m time: t1; +m time: t2; n time: t3; #1 ");
}

static void test_no_results(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind;
    } cases[] = {
        {"", BB_CLIENT_PROTOCOL},
        {"{\"results\":[", BB_CLIENT_PROTOCOL},
        {"[]", BB_CLIENT_PROTOCOL},
        {"\"results\"", BB_CLIENT_PROTOCOL},
        {"7", BB_CLIENT_PROTOCOL},
        {"<html>", BB_CLIENT_PROTOCOL},
        {"{\"results\":{}}", BB_CLIENT_PROTOCOL},
        {"{\"results\":[[]]}", BB_CLIENT_PROTOCOL},
        {"{\"results\":[{\"series\":[{\"values\":[[1]]}]}]}", BB_CLIENT_PROTOCOL},
        {"{\"results\":[{\"series\":[{\"columns\":[\"a\"],\"values\":[[1,2]]}]}]}",
         BB_CLIENT_PROTOCOL},
        {"{\"results\":[{\"series\":[{\"columns\":[\"a\"],\"values\":[[[[1]]]]}]}]}",
         BB_CLIENT_PROTOCOL},
        {"{\"results\":[{\"series\":[{\"columns\":[\"a\"],\"values\":[[{\"a\":1}]]}]}]}",
         BB_CLIENT_PROTOCOL},
        {"{\"results\":[{\"series\":[{\"columns\":[1]}]}]}", BB_CLIENT_PROTOCOL},
        {"{\"results\":[{\"series\":[{\"tags\":{\"a\":null,\"b\":\"x\"}}]}]}", BB_CLIENT_PROTOCOL},
        {"{\"error\":\"shutdown\"}", BB_CLIENT_SERVER},
        {"{\"results\":[{\"statement_id\":0}],\"error\":\"timeout\"}", BB_CLIENT_SERVER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct log log = {.len = 0};
        struct bb_client_error error;
        if (read_pieces(cases[i].text, 4096, &log, &error) != cases[i].kind)
            fail_msg("%s", cases[i].text);
        assert_true(error.text[0] != '\0');
    }
}

/* Any cut and any changed byte ends in an error or a result, never in a fault. */
static void test_damage(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"tags\":{\"a\":\"x\"},"
        "\"columns\":[\"time\",\"v\"],\"values\":[[1,2],[3,null]],\"partial\":true}],"
        "\"messages\":[{\"level\":\"w\",\"text\":\"t\"}],\"error\":\"e\"}]}";
    static const char bytes[] = "{}[]\",:0nt\\\0\x80";
    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        char damaged[sizeof(whole)];
        struct log log = {.len = 0};
        struct bb_client_error error;
        memcpy(damaged, whole, sizeof(whole));
        damaged[i] = '\0';
        assert_int_equal(read_pieces(damaged, 16, &log, &error), BB_CLIENT_PROTOCOL);
        for (size_t k = 0; k < sizeof(bytes); k++) {
            memcpy(damaged, whole, sizeof(whole));
            damaged[i] = bytes[k];
            log.len = 0;
            (void)read_pieces(damaged, 16, &log, &error);
        }
    }
}

/* A text without end and nesting without end are given up at a bound. */
static void test_endless(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        char more;
        int kind;
    } cases[] = {
        {"{\"results\":[{\"error\":\"", 'x', BB_CLIENT_NOMEM},
        {"{\"results\":[{\"new\":", '[', BB_CLIENT_PROTOCOL},
        {"", ' ', BB_CLIENT_NOMEM},
    };
    static char piece[1 << 20];
    struct log log = {.len = 0};
    struct bb_client_handler handler = handler_of(&log);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bbc_results *results = bbc_results_create(&handler);
        struct bb_client_error error;
        assert_int_equal(bbc_results_feed(results, cases[i].start, strlen(cases[i].start)), 0);
        memset(piece, cases[i].more, sizeof(piece));
        int pieces = 0;
        while (bbc_results_feed(results, piece, sizeof(piece)) == 0)
            assert_true(++pieces < 100);
        assert_int_equal(bbc_results_end(results, false, &error), cases[i].kind);
        bbc_results_destroy(&results);
    }
}

static struct bb_client *client_of(struct fake_server *server)
{
    struct bb_client_options options;
    bb_client_options_init(&options);
    options.url = fake_server_url(server);
    options.database = "d&b";
    struct bb_client *client;
    struct bb_client_error error;
    assert_int_equal(bb_client_create(&client, &options, &error), BB_CLIENT_OK);
    return client;
}

static void test_request(void **state)
{
    (void)state;
    static const struct fake_reply reply = {.status = "200 OK",
                                            .body = "{\"results\":[{\"statement_id\":0}]}"};
    struct fake_server *server = fake_server_create(&reply, 1);
    struct bb_client *client = client_of(server);
    struct log log = {.len = 0};
    struct bb_client_handler handler = handler_of(&log);
    struct bb_client_query_options options = {
        .params = "{\"x\":1}", .epoch = "ns", .chunk_rows = 5};
    struct bb_client_error error;
    assert_int_equal(bb_client_query(client, "SELECT $x", &options, &handler, &error),
                     BB_CLIENT_OK);
    assert_string_equal(strstr(fake_server_request(server, 0, NULL), "\r\n\r\n") + 4,
                        "db=d%26b&q=SELECT%20%24x&params=%7B%22x%22%3A1%7D&epoch=ns&chunked=true"
                        "&chunk_size=5");
    assert_int_equal(bb_client_query(client, "", NULL, &handler, &error), BB_CLIENT_USAGE);
    bb_client_destroy(&client);
    fake_server_destroy(&server);
}

static void test_replies(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {
        {.status = "200 OK", .body = "{\"results\":[", .announce = 1000},
        {.status = NULL},
        {.status = "400 Bad Request", .body = "{\"error\":\"error parsing query: found EOF\"}"},
        {.status = "401 Unauthorized", .body = "{\"error\":\"authorization failed\"}"},
        {.status = "404 Not Found", .body = "<html>"},
        {.status = "200 OK", .headers = "Content-Type: text/html\r\n", .body = "<html>"},
    };
    static const struct {
        int kind, status;
        const char *text;
    } want[] = {
        {BB_CLIENT_BROKEN, 0, "broke"},
        {BB_CLIENT_BROKEN, 0, "broke"},
        {BB_CLIENT_SERVER, 400, "error parsing query: found EOF"},
        {BB_CLIENT_SERVER, 401, "authorization failed"},
        {BB_CLIENT_HTTP, 404, "status 404 for /query"},
        {BB_CLIENT_PROTOCOL, 0, "text/html"},
    };
    struct fake_server *server = fake_server_create(replies, 6);
    struct bb_client *client = client_of(server);
    for (size_t i = 0; i < 6; i++) {
        struct bb_client_error error;
        assert_int_equal(bb_client_query(client, "SHOW DATABASES", NULL, NULL, &error),
                         want[i].kind);
        assert_int_equal(error.status, want[i].status);
        assert_contains(error.text, want[i].text);
    }
    assert_int_equal(fake_server_requests(server), 6);
    bb_client_destroy(&client);
    fake_server_destroy(&server);
}

static void test_callback_stops(void **state)
{
    (void)state;
    static const struct fake_reply reply = {
        .status = "200 OK",
        .body = "{\"results\":[{\"series\":[{\"columns\":[\"v\"],\"values\":[[1],[2],[3]]}]}]}"};
    struct fake_server *server = fake_server_create(&reply, 1);
    struct bb_client *client = client_of(server);
    struct log log = {.stop_at_row = 2};
    struct bb_client_handler handler = handler_of(&log);
    struct bb_client_error error;
    assert_int_equal(bb_client_query(client, "x", NULL, &handler, &error), BB_CLIENT_CANCELED);
    assert_string_equal(log.text, "#0  v: n1; n2; ");
    bb_client_destroy(&client);
    fake_server_destroy(&server);
}

static void test_get_and_ping(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {
        {.status = "204 No Content",
         .headers = "X-Influxdb-Version: 1.8.10\r\nX-Influxdb-Build: Busbar\r\n"},
        {.status = "200 OK"},
        {.status = "503 Service Unavailable",
         .headers = "X-Influxdb-Version: 1.8.10\r\n",
         .body = "{\"status\":\"fail\"}"},
        {.status = "200 OK", .body = "\0x", .body_len = 2},
    };
    struct fake_server *server = fake_server_create(replies, 4);
    struct bb_client *client = client_of(server);
    struct bb_client_server who;
    struct bb_client_error error;
    assert_int_equal(bb_client_ping(client, &who, &error), BB_CLIENT_OK);
    assert_string_equal(who.version, "1.8.10");
    assert_string_equal(who.build, "Busbar");
    assert_int_equal(bb_client_ping(client, &who, &error), BB_CLIENT_PROTOCOL);
    char *body;
    size_t len;
    assert_int_equal(bb_client_get(client, "/health", &body, &len, &error), BB_CLIENT_SERVER);
    assert_int_equal(error.status, 503);
    assert_string_equal(body, "{\"status\":\"fail\"}");
    bb_client_free(body);
    assert_int_equal(bb_client_post(client, "/x", "ab", 2, &body, &len, &error), BB_CLIENT_OK);
    assert_int_equal(len, 2);
    assert_memory_equal(body, "\0x", 3);
    bb_client_free(body);
    assert_int_equal(bb_client_get(client, "health", &body, &len, &error), BB_CLIENT_USAGE);
    assert_null(body);
    bb_client_destroy(&client);
    fake_server_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_each),  cmocka_unit_test(test_statements),
        cmocka_unit_test(test_lists),        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_no_results),   cmocka_unit_test(test_damage),
        cmocka_unit_test(test_endless),      cmocka_unit_test(test_request),
        cmocka_unit_test(test_replies),      cmocka_unit_test(test_callback_stops),
        cmocka_unit_test(test_get_and_ping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
