#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "client/clock.h"
#include "client/impl.h"

#define GZIP_WINDOW (15 + 16) /* the largest, in gzip's format */

static int gzip(struct text *to, const char *data, size_t n)
{
    z_stream z = {0};
    if (n > UINT32_MAX ||
        deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -1;
    size_t bound = deflateBound(&z, n);
    char *room = bound > UINT32_MAX ? NULL : text_room(to, bound);
    int rc = -1;
    if (room != NULL) {
        z.next_in = (z_const Bytef *)(uintptr_t)data;
        z.avail_in = (uInt)n;
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
        rc = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -1;
        to->len += bound - z.avail_out;
    }
    deflateEnd(&z);
    return rc;
}

static uint64_t count_points(const char *lines, size_t n)
{
    uint64_t count = 0;
    const char *end = lines + n;
    while (lines < end) {
        const char *newline = memchr(lines, '\n', (size_t)(end - lines));
        const char *next = newline != NULL ? newline : end;
        while (lines < next && (*lines == ' ' || *lines == '\t' || *lines == '\r'))
            lines++;
        count += lines < next && *lines != '#';
        lines = next + 1;
    }
    return count;
}

/* Whether a refusal is about lines: "partial write: REASONS dropped=N", or, when no line parsed,
 * "unable to parse 'LINE': REASON". */
static int judge_lines(int rc, const char *lines, size_t n, struct bb_client_error *error)
{
    if (rc != BB_CLIENT_SERVER || error->status != 400)
        return rc;
    const char *at = NULL;
    if (strncmp(error->text, "partial write", 13) == 0) {
        for (const char *p = error->text; (p = strstr(p, "dropped=")) != NULL; p++)
            at = p + 8;
        /* InfluxDB says 0 where lines did not parse; at least one did not. */
        error->dropped = at != NULL ? strtoull(at, NULL, 10) : 0;
        if (error->dropped == 0)
            error->dropped = 1;
    } else if (strncmp(error->text, "unable to parse", 15) == 0) {
        error->dropped = count_points(lines, n);
    } else {
        return rc;
    }
    return error->kind = BB_CLIENT_PARTIAL;
}

static uint64_t random_below(struct bb_client *client, uint64_t n)
{
    client->jitter ^= client->jitter << 13;
    client->jitter ^= client->jitter >> 7;
    client->jitter ^= client->jitter << 17;
    return n == 0 ? 0 : client->jitter % n;
}

static bool worth_a_retry(int rc, int status)
{
    switch (rc) {
    case BB_CLIENT_UNREACHABLE:
    case BB_CLIENT_BROKEN:
    case BB_CLIENT_TIMEOUT:
        return true;
    case BB_CLIENT_SERVER:
    case BB_CLIENT_HTTP:
        return status == 503 || status == 429;
    default:
        return false;
    }
}

/* Waits of first, 2 first, 4 first ... up to the longest, each between a half and the whole, so
 * that many clients do not come back at one time; never less than the server asked for. */
static uint32_t wait_ms(struct bb_client *client, unsigned attempt, uint32_t asked_ms)
{
    const struct bb_client_options *o = &client->options;
    uint64_t wait = (uint64_t)o->retry_first_ms << (attempt < 20 ? attempt : 20);
    if (wait > o->retry_longest_ms)
        wait = o->retry_longest_ms;
    wait = wait / 2 + random_below(client, wait / 2 + 1);
    return wait > asked_ms ? (uint32_t)wait : asked_ms;
}

static void write_path(struct text *path, const struct bb_client_options *o)
{
    text_puts(path, "/write?db=");
    text_put_escaped(path, o->database != NULL ? o->database : "");
    if (o->retention_policy != NULL) {
        text_puts(path, "&rp=");
        text_put_escaped(path, o->retention_policy);
    }
    if (o->precision != NULL) {
        text_puts(path, "&precision=");
        text_put_escaped(path, strcmp(o->precision, "us") == 0 ? "u" : o->precision);
    }
}

static int attempts(struct bb_client *client, const struct bbc_request *request, const char *lines,
                    size_t n, struct bb_client_error *error)
{
    int64_t end = clock_now_ms() + client->options.retry_total_ms;
    for (unsigned attempt = 0;; attempt++) {
        struct bbc_reply reply;
        int rc = bbc_perform(client, request, &reply, error);
        text_fini(&reply.said);
        rc = judge_lines(rc, lines, n, error);
        if (!worth_a_retry(rc, reply.status))
            return rc;
        uint32_t wait = wait_ms(client, attempt, reply.retry_after_ms);
        if (clock_now_ms() + wait >= end)
            return rc;
        int slept = bbc_sleep(client, wait, error);
        if (slept != BB_CLIENT_OK)
            return slept;
    }
}

int bbc_write(struct bb_client *client, const char *lines, size_t n, struct bb_client_error *error)
{
    struct bb_client_error own;
    if (error == NULL)
        error = &own;
    if (client->options.database == NULL)
        return bbc_fail(error, BB_CLIENT_USAGE, "no database to write to");
    struct text path, packed;
    text_init(&path, (size_t)1 << 16);
    text_init(&packed, BBC_BODY_MAX);
    write_path(&path, &client->options);
    struct bbc_request request = {
        .post = true,
        .path = text_get(&path),
        .body = lines,
        .body_len = n,
        .type = "text/plain; charset=utf-8",
        .timeout_ms = client->options.write_timeout_ms,
    };
    int rc;
    if (path.failed || (client->options.gzip && gzip(&packed, lines, n) != 0)) {
        rc = bbc_fail(error, BB_CLIENT_NOMEM, "out of memory");
    } else {
        if (client->options.gzip) {
            request.body = packed.data;
            request.body_len = packed.len;
            request.gzipped = true;
        }
        rc = attempts(client, &request, lines, n, error);
    }
    text_fini(&path);
    text_fini(&packed);
    return rc;
}

int bb_client_write(struct bb_client *client, const char *lines, size_t n,
                    struct bb_client_error *error)
{
    bbc_arm(client);
    return bbc_write(client, lines, n, error);
}
