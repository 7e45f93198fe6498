/* Destinations of subscriptions: where requests go, and datagrams. */
#include "server/destination.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/unit.h"

#define WRITE "/write?consistency=&db=d+b&precision=ns&rp=r%26"

static struct bb_error err;

static const struct {
    const char *text, *url, *host, *port, *shown;
} cases[] = {
    {"http://h:1", "http://h:1" WRITE, "h", "1", "http://h:1"},
    {"http://u:p%40@h:1/", "http://u:p%40@h:1" WRITE, "h", "1", "http://h:1"},
    {"https://[::1]:44/a/b//?x=1&y#z", "https://[::1]:44/a/b" WRITE "&x=1&y", "::1", "44",
     "https://[::1]:44"},
    {"http://h:1/a b\xc3\xa9", "http://h:1/a%20b%C3%A9" WRITE, "h", "1", "http://h:1"},
    {"HTTP://a@b@h:1?q", "HTTP://a@b@h:1" WRITE "&q", "h", "1", "HTTP://h:1"},
    {"udp://[fe80::1%25eth0]:9", "udp://[fe80::1%25eth0]:9" WRITE, "fe80::1%eth0", "9",
     "udp://[fe80::1%25eth0]:9"},
    {"udp://:9", "udp://:9" WRITE, "", "9", "udp://:9"},
};

static void test_urls(void **state)
{
    char longest[DESTINATION_HOST_MAX + 32] = "http://";
    struct destination d;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_ok(destination_init(&d, cases[i].text, "d b", "r&", &err), &err);
        assert_string_equal(d.url, cases[i].url);
        assert_string_equal(d.host, cases[i].host);
        assert_string_equal(d.port, cases[i].port);
        assert_string_equal(d.shown, cases[i].shown);
        assert_int_equal(d.udp, cases[i].text[0] == 'u');
        destination_fini(&d);
    }
    memset(longest + 7, 'h', DESTINATION_HOST_MAX);
    strcpy(longest + 7 + DESTINATION_HOST_MAX, ":1");
    assert_int_equal(destination_init(&d, longest, "d", "r", &err), BB_EINVAL);
    destination_fini(&d);
    assert_int_equal(destination_init(&d, "http://h:11111111111111111", "d", "r", &err), BB_EINVAL);
    destination_fini(&d);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_datagrams(void **state)
{
    static const char text[] = "m v=1 1\nm s=\"a\nb\" 2\nm v=3 3\n";
    static const uint32_t ends[] = {8, 20, 28};
    const struct bb_lines lines = {.text = text, .length = 28, .ends = ends, .count = 3};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct destination d;
    char url[64];
    char got[64];
    (void)state;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(url, sizeof(url), "udp://localhost:%u", ntohs(address.sin_port));
    assert_ok(destination_init(&d, url, "d", "r", &err), &err);
    for (int round = 0; round < 2; round++) {
        assert_ok(destination_send_udp(&d, &lines, never, NULL, &err), &err);
        assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
        assert_memory_equal(got, "m v=1 1", 7);
        assert_int_equal(recv(fd, got, sizeof(got), 0), 11);
        assert_memory_equal(got, "m s=\"a\nb\" 2", 11);
        assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
    }
    assert_int_equal(destination_send_udp(&d, &lines, always, NULL, &err), BB_EIO);
    destination_fini(&d);
    close(fd);
}

static void test_names(void **state)
{
    static const uint32_t ends[] = {8};
    const struct bb_lines lines = {.text = "m v=1 1\n", .length = 8, .ends = ends, .count = 1};
    static const char *const bad[] = {"udp://127.0.0.1:65536", "udp://no.such.host.invalid:9"};
    struct destination d;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(destination_init(&d, bad[i], "d", "r", &err), &err);
        assert_int_not_equal(destination_send_udp(&d, &lines, never, NULL, &err), BB_OK);
        assert_int_not_equal(destination_send_udp(&d, &lines, never, NULL, &err), BB_OK);
        destination_fini(&d);
    }
    /* A look-up that nobody waits for ends by itself. */
    assert_ok(destination_init(&d, bad[1], "d", "r", &err), &err);
    assert_int_not_equal(destination_send_udp(&d, &lines, always, NULL, &err), BB_OK);
    destination_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_urls),
                                       cmocka_unit_test(test_datagrams),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
