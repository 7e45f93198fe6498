/* Writing: retries, refused lines, and the writer's batches in their order. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "client/busbar_client.h"
#include "tests/lib/unit.h"
#include "tests/unit/fake_server.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct fake_reply done = {.status = "204 No Content"};

struct fixture {
    struct fake_server *server;
    struct bb_client *client;
    struct bb_client_options options;
    struct bb_client_error error;
};

static void set_up(struct fixture *f, const struct fake_reply *replies, size_t count)
{
    f->server = fake_server_create(replies, count);
    assert_non_null(f->server);
    bb_client_options_init(&f->options);
    f->options.url = fake_server_url(f->server);
    f->options.database = "a b";
    f->options.retry_first_ms = 10;
    f->options.retry_longest_ms = 40;
    f->options.retry_total_ms = 60000;
    assert_int_equal(bb_client_create(&f->client, &f->options, &f->error), BB_CLIENT_OK);
}

static void tear_down(struct fixture *f)
{
    bb_client_destroy(&f->client);
    fake_server_destroy(&f->server);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int write_one(struct fixture *f)
{
    return bb_client_write(f->client, "m v=1 1\n", 8, &f->error);
}

static void test_one_request(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, &done, 1);
    assert_int_equal(write_one(&f), BB_CLIENT_OK);
    const char *request = fake_server_request(f.server, 0, NULL);
    assert_int_equal(strncmp(request, "POST /write?db=a%20b&precision=ns HTTP/1.1\r\n", 44), 0);
    assert_string_equal(strstr(request, "\r\n\r\n") + 4, "m v=1 1\n");
    tear_down(&f);
}

static void test_tries_again(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {
        {.status = "503 Service Unavailable", .body = "{\"error\":\"overloaded\"}"},
        {.status = NULL},
        {.status = "429 Too Many Requests"},
        {.status = "204 No Content"},
    };
    struct fixture f;
    set_up(&f, replies, COUNT(replies));
    assert_int_equal(write_one(&f), BB_CLIENT_OK);
    assert_int_equal(fake_server_requests(f.server), 4);
    tear_down(&f);
}

static void test_heeds_retry_after(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {
        {.status = "503 Service Unavailable", .headers = "Retry-After: 1\r\n"},
        {.status = "204 No Content"},
    };
    struct fixture f;
    set_up(&f, replies, COUNT(replies));
    uint64_t start = now_ms();
    assert_int_equal(write_one(&f), BB_CLIENT_OK);
    assert_in_range(now_ms() - start, 1000, 60000);
    tear_down(&f);
}

static void test_gives_up(void **state)
{
    (void)state;
    static const struct fake_reply no = {.status = "503 Service Unavailable",
                                         .headers = "X-Influxdb-Version: 1.8\r\n",
                                         .body = "{\"error\":\"disk full\"}"};
    struct fake_reply replies[60];
    for (size_t i = 0; i < COUNT(replies); i++)
        replies[i] = no;
    struct fixture f;
    set_up(&f, replies, COUNT(replies));
    bb_client_destroy(&f.client);
    f.options.retry_total_ms = 200;
    assert_int_equal(bb_client_create(&f.client, &f.options, &f.error), BB_CLIENT_OK);
    assert_int_equal(write_one(&f), BB_CLIENT_SERVER);
    assert_int_equal(f.error.status, 503);
    assert_string_equal(f.error.text, "disk full");
    assert_in_range(fake_server_requests(f.server), 2, 40);
    tear_down(&f);
}

static void test_refused_lines(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {
        {.status = "400 Bad Request",
         .body = "{\"error\":\"partial write: field type conflict dropped=3\"}"},
        {.status = "400 Bad Request",
         .body = "{\"error\":\"unable to parse 'x': missing fields\"}"},
        {.status = "404 Not Found", .body = "{\"error\":\"database not found: \\\"a b\\\"\"}"},
    };
    struct fixture f;
    set_up(&f, replies, COUNT(replies));
    assert_int_equal(write_one(&f), BB_CLIENT_PARTIAL);
    assert_int_equal(f.error.dropped, 3);
    assert_contains(f.error.text, "field type conflict");
    assert_int_equal(bb_client_write(f.client, "x\n# no line\n\ny\n", 15, &f.error),
                     BB_CLIENT_PARTIAL);
    assert_int_equal(f.error.dropped, 2);
    assert_int_equal(write_one(&f), BB_CLIENT_SERVER);
    assert_string_equal(f.error.text, "database not found: \"a b\"");
    assert_int_equal(fake_server_requests(f.server), 3);
    tear_down(&f);
}

static void test_times_out(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {{.status = "204 No Content", .delay_ms = 2000}};
    struct fixture f;
    set_up(&f, replies, COUNT(replies));
    bb_client_destroy(&f.client);
    f.options.write_timeout_ms = 100;
    f.options.retry_total_ms = 0;
    assert_int_equal(bb_client_create(&f.client, &f.options, &f.error), BB_CLIENT_OK);
    assert_int_equal(write_one(&f), BB_CLIENT_TIMEOUT);
    tear_down(&f);
}

static void *cancel_later(void *arg)
{
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    bb_client_cancel(arg);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    static const struct fake_reply replies[] = {
        {.status = "204 No Content", .delay_ms = 10000},
        {.status = "503 Service Unavailable", .headers = "Retry-After: 30\r\n"},
    };
    struct fixture f;
    set_up(&f, replies, COUNT(replies));
    for (int i = 0; i < 2; i++) { /* in the request, in the pause behind it */
        pthread_t thread;
        uint64_t start = now_ms();
        assert_int_equal(pthread_create(&thread, NULL, cancel_later, f.client), 0);
        assert_int_equal(write_one(&f), BB_CLIENT_CANCELED);
        assert_in_range(now_ms() - start, 90, 9000);
        pthread_join(thread, NULL);
        if (i == 0) {
            fake_server_destroy(&f.server);
            f.server = fake_server_create(&replies[1], 1);
            bb_client_destroy(&f.client);
            f.options.url = fake_server_url(f.server);
            assert_int_equal(bb_client_create(&f.client, &f.options, &f.error), BB_CLIENT_OK);
        }
    }
    tear_down(&f);
}

static void test_gzip(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, &done, 1);
    bb_client_destroy(&f.client);
    f.options.gzip = true;
    assert_int_equal(bb_client_create(&f.client, &f.options, &f.error), BB_CLIENT_OK);
    assert_int_equal(write_one(&f), BB_CLIENT_OK);
    size_t len;
    const char *request = fake_server_request(f.server, 0, &len);
    assert_contains(request, "Content-Encoding: gzip\r\n");
    const char *body = strstr(request, "\r\n\r\n") + 4;
    char plain[64];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)body,
                  .avail_in = (uInt)(len - (size_t)(body - request)),
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof(plain)};
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, 8);
    assert_memory_equal(plain, "m v=1 1\n", 8);
    inflateEnd(&z);
    tear_down(&f);
}

static void test_bad_options(void **state)
{
    (void)state;
    struct bb_client_options options;
    struct bb_client_error error;
    bb_client_options_init(&options);
    static const char *const bad[] = {"ftp://x", "http://", "http://h:99999", "http://a b"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bb_client *client;
        options.url = bad[i];
        assert_int_equal(bb_client_create(&client, &options, &error), BB_CLIENT_USAGE);
        assert_null(client);
    }
    struct bb_client *client;
    options.url = "http://me:secret@h:1/prefix/";
    assert_int_equal(bb_client_create(&client, &options, &error), BB_CLIENT_OK);
    assert_string_equal(bb_client_url(client), "http://h:1/prefix");
    assert_int_equal(bb_client_write(client, "x", 1, &error), BB_CLIENT_USAGE);
    bb_client_destroy(&client);
    static const char *const plain[] = {"localhost:8086", "127.0.0.1:8086", "[::1]:8086"};
    for (size_t i = 0; i < COUNT(plain); i++) {
        char want[64];
        snprintf(want, sizeof(want), "http://%s", plain[i]);
        options.url = plain[i];
        assert_int_equal(bb_client_create(&client, &options, &error), BB_CLIENT_OK);
        assert_string_equal(bb_client_url(client), want);
        bb_client_destroy(&client);
    }
}

/* What the writer acknowledged. */
struct acks {
    uint64_t positions[64];
    uint64_t lines[64];
    int kinds[64];
    uint64_t dropped;
    size_t count;
};

static void acknowledged(void *arg, const struct bb_client_ack *ack)
{
    struct acks *a = arg;
    assert_true(a->count < COUNT(a->positions));
    a->positions[a->count] = ack->position;
    a->lines[a->count] = ack->lines;
    a->kinds[a->count++] = ack->error == NULL ? BB_CLIENT_OK : ack->error->kind;
    a->dropped += ack->error == NULL ? 0 : ack->error->dropped;
}

static struct bb_client_writer *start_writer(struct fixture *f, struct acks *acks, bool strict)
{
    struct bb_client_writer_options options;
    bb_client_writer_options_init(&options);
    options.batch_lines = 10;
    options.queue_batches = 2;
    options.arg = acks;
    options.acknowledged = acknowledged;
    options.stop_on_refusal = strict;
    struct bb_client_writer *writer;
    assert_int_equal(bb_client_writer_create(&writer, &f->options, &options, &f->error),
                     BB_CLIENT_OK);
    return writer;
}

static int put(struct bb_client_writer *writer, uint64_t i, struct bb_client_error *error)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "m v=%llu\n", (unsigned long long)i);
    return bb_client_writer_put(writer, line, (size_t)n, i, error);
}

static void test_writer_order(void **state)
{
    (void)state;
    struct fake_reply replies[12];
    for (size_t i = 0; i < COUNT(replies); i++)
        replies[i] = done;
    replies[3] = (struct fake_reply){.status = "503 Service Unavailable"};
    replies[7] = (struct fake_reply){.status = "400 Bad Request",
                                     .body = "{\"error\":\"partial write: x dropped=2\"}"};
    struct fixture f;
    struct acks acks = {0};
    set_up(&f, replies, COUNT(replies));
    struct bb_client_writer *writer = start_writer(&f, &acks, false);
    for (uint64_t i = 1; i <= 105; i++)
        assert_int_equal(put(writer, i, &f.error), BB_CLIENT_OK);
    assert_int_equal(bb_client_writer_flush(writer, &f.error), BB_CLIENT_OK);
    assert_int_equal(acks.count, 11);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(acks.positions[i], i < 10 ? (i + 1) * 10 : 105);
        assert_int_equal(acks.lines[i], i < 10 ? 10 : 5);
        assert_int_equal(acks.kinds[i], i == 6 ? BB_CLIENT_PARTIAL : BB_CLIENT_OK);
    }
    assert_int_equal(acks.dropped, 2);
    /* The batch that met 503 came again, and nothing behind it came before it. */
    assert_int_equal(fake_server_requests(f.server), 12);
    assert_string_equal(strstr(fake_server_request(f.server, 3, NULL), "\r\n\r\n"),
                        strstr(fake_server_request(f.server, 4, NULL), "\r\n\r\n"));
    bb_client_writer_destroy(&writer);
    tear_down(&f);
}

static void test_writer_stops(void **state)
{
    (void)state;
    struct fake_reply replies[2] = {
        done, {.status = "404 Not Found", .body = "{\"error\":\"database not found\"}"}};
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;
        struct acks acks = {0};
        if (strict)
            replies[1] = (struct fake_reply){.status = "400 Bad Request",
                                             .body = "{\"error\":\"partial write: x dropped=1\"}"};
        set_up(&f, replies, COUNT(replies));
        struct bb_client_writer *writer = start_writer(&f, &acks, strict == 1);
        int rc = BB_CLIENT_OK;
        for (uint64_t i = 1; i <= 1000 && rc == BB_CLIENT_OK; i++)
            rc = put(writer, i, &f.error);
        assert_int_equal(rc, strict ? BB_CLIENT_PARTIAL : BB_CLIENT_SERVER);
        assert_int_equal(bb_client_writer_flush(writer, &f.error), rc);
        assert_int_equal(acks.count, 2);
        assert_int_equal(acks.positions[0], 10);
        assert_int_equal(acks.kinds[1], rc);
        assert_int_equal(fake_server_requests(f.server), 2);
        bb_client_writer_destroy(&writer);
        tear_down(&f);
    }
}

static void test_writer_cancel(void **state)
{
    (void)state;
    static const struct fake_reply slow = {.status = "204 No Content", .delay_ms = 10000};
    struct fixture f;
    struct acks acks = {0};
    set_up(&f, &slow, 1);
    struct bb_client_writer *writer = start_writer(&f, &acks, false);
    for (uint64_t i = 1; i <= 15; i++)
        assert_int_equal(put(writer, i, &f.error), BB_CLIENT_OK);
    uint64_t start = now_ms();
    bb_client_writer_cancel(writer);
    assert_int_equal(bb_client_writer_flush(writer, &f.error), BB_CLIENT_CANCELED);
    bb_client_writer_destroy(&writer);
    assert_in_range(now_ms() - start, 0, 9000);
    tear_down(&f);
}

static void test_writer_refuses_half_lines(void **state)
{
    (void)state;
    struct fixture f;
    struct acks acks = {0};
    set_up(&f, &done, 1);
    struct bb_client_writer *writer = start_writer(&f, &acks, false);
    assert_int_equal(bb_client_writer_put(writer, "m v=1", 5, 1, &f.error), BB_CLIENT_USAGE);
    assert_int_equal(bb_client_writer_flush(writer, &f.error), BB_CLIENT_OK);
    assert_int_equal(acks.count, 0);
    bb_client_writer_destroy(&writer);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_request),
        cmocka_unit_test(test_tries_again),
        cmocka_unit_test(test_heeds_retry_after),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_refused_lines),
        cmocka_unit_test(test_times_out),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_writer_order),
        cmocka_unit_test(test_writer_stops),
        cmocka_unit_test(test_writer_cancel),
        cmocka_unit_test(test_writer_refuses_half_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
