#include "tests/fuzz/fake_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_uv fake_uv;

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

void fake_uv_reset(unsigned char *out, size_t out_cap)
{
    fake_uv = (struct fake_uv){
        .now_ms = 1000000, .window = SIZE_MAX, .out = out, .out_cap = out_cap};
}

/* ---- what the test does ---- */

size_t fake_uv_deliver(const unsigned char *data, size_t n)
{
    uv_buf_t buf = {0};
    if (fake_uv.stream == NULL || fake_uv.read == NULL)
        return 0;
    fake_uv.alloc((uv_handle_t *)fake_uv.stream, 65536, &buf);
    if (buf.len == 0) {
        fake_uv.read(fake_uv.stream, UV_ENOBUFS, &buf);
        return 0;
    }
    n = n < buf.len ? n : buf.len;
    memcpy(buf.base, data, n);
    fake_uv.read(fake_uv.stream, (ssize_t)n, &buf);
    return n;
}

bool fake_uv_end(int status)
{
    uv_buf_t buf = {0};
    if (fake_uv.stream == NULL || fake_uv.read == NULL)
        return false;
    fake_uv.read(fake_uv.stream, status, &buf);
    return true;
}

bool fake_uv_take_writes(void)
{
    if (fake_uv.write_count == 0)
        return false;
    uv_write_t *write = fake_uv.writes[0];
    uv_write_cb cb = fake_uv.write_cbs[0];
    fake_uv.write_count--;
    memmove(fake_uv.writes, fake_uv.writes + 1, fake_uv.write_count * sizeof(fake_uv.writes[0]));
    memmove(fake_uv.write_cbs, fake_uv.write_cbs + 1,
            fake_uv.write_count * sizeof(fake_uv.write_cbs[0]));
    memmove(fake_uv.write_bytes, fake_uv.write_bytes + 1,
            fake_uv.write_count * sizeof(fake_uv.write_bytes[0]));
    cb(write, fake_uv.broken || fake_uv.stream == NULL ? UV_EPIPE : 0);
    return true;
}

bool fake_uv_turn(void)
{
    if (fake_uv.woken) {
        fake_uv.woken = false;
        fake_uv.wake->async_cb(fake_uv.wake);
        return true;
    }
    /* A closed stream's writes are told to fail before its end is. */
    if (fake_uv.stream == NULL && fake_uv.write_count > 0)
        return fake_uv_take_writes();
    if (fake_uv.close_count == 0)
        return false;
    fake_uv.close_count--;
    uv_close_cb cb = fake_uv.close_cbs[fake_uv.close_count];
    if (cb != NULL)
        cb(fake_uv.closing[fake_uv.close_count]);
    return true;
}

void fake_uv_sleep(uint64_t ms)
{
    fake_uv.now_ms += ms;
    for (size_t i = 0; i < fake_uv.timer_count; i++) {
        if (fake_uv.timer_at_ms[i] == 0 || fake_uv.timer_at_ms[i] > fake_uv.now_ms)
            continue;
        fake_uv.timer_at_ms[i] = fake_uv.timer_repeat_ms[i] == 0
                                     ? 0
                                     : fake_uv.now_ms + fake_uv.timer_repeat_ms[i];
        fake_uv.timer_cbs[i](fake_uv.timers[i]);
    }
}

/* ---- libuv ---- */

uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return fake_uv.now_ms;
}

uint64_t uv_hrtime(void)
{
    return fake_uv.now_ms * 1000000;
}

int uv_loop_init(uv_loop_t *loop)
{
    memset(loop, 0, sizeof(*loop));
    return 0;
}

int uv_loop_close(uv_loop_t *loop)
{
    (void)loop;
    return 0;
}

int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb cb)
{
    async->loop = loop;
    async->async_cb = cb;
    fake_uv.wake = async;
    return 0;
}

int uv_async_send(uv_async_t *async)
{
    must(async == fake_uv.wake, "the loop's own handle is woken");
    fake_uv.woken = true;
    return 0;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    timer->loop = loop;
    fake_uv.timers[fake_uv.timer_count++] = timer;
    return 0;
}

static size_t find_timer(const uv_timer_t *timer)
{
    size_t i = 0;
    while (fake_uv.timers[i] != timer)
        i++;
    return i;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    size_t i = find_timer(timer);
    fake_uv.timer_cbs[i] = cb;
    fake_uv.timer_at_ms[i] = fake_uv.now_ms + timeout;
    fake_uv.timer_repeat_ms[i] = repeat;
    return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    return fake_uv.timer_at_ms[find_timer((const uv_timer_t *)handle)] != 0;
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp)
{
    tcp->loop = loop;
    return 0;
}

int uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd)
{
    (void)fd;
    must(fake_uv.stream == NULL, "one client at a time");
    fake_uv.stream = (uv_stream_t *)tcp;
    return 0;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int on)
{
    (void)tcp;
    (void)on;
    return 0;
}

int uv_tcp_keepalive(uv_tcp_t *tcp, int on, unsigned delay)
{
    (void)tcp;
    (void)on;
    (void)delay;
    return 0;
}

/* A client from afar: what is for operators on the machine is refused. */
int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *name, int *n)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    (void)tcp;
    must(*n >= (int)sizeof(in), "room for an address");
    in.sin_addr.s_addr = htonl(0xc0000207);
    memcpy(name, &in, sizeof(in));
    *n = sizeof(in);
    return 0;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc, uv_read_cb read)
{
    must(stream == fake_uv.stream, "only an open stream is read");
    fake_uv.alloc = alloc;
    fake_uv.read = read;
    return 0;
}

int uv_read_stop(uv_stream_t *stream)
{
    if (stream == fake_uv.stream)
        fake_uv.read = NULL;
    return 0;
}

static void put_out(const uv_buf_t *buf, size_t n)
{
    size_t room = fake_uv.out_cap - fake_uv.out_len;
    n = n < room ? n : room;
    if (n > 0)
        memcpy(fake_uv.out + fake_uv.out_len, buf->base, n);
    fake_uv.out_len += n;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t bufs[], unsigned count)
{
    must(stream == fake_uv.stream && count == 1, "only an open stream is written to");
    must(!fake_uv.shut, "nothing is written behind the end");
    if (fake_uv.write_count > 0 || fake_uv.window == 0)
        return UV_EAGAIN;
    if (fake_uv.broken)
        return UV_EPIPE;
    size_t n = bufs[0].len < fake_uv.window ? bufs[0].len : fake_uv.window;
    put_out(&bufs[0], n);
    return (int)n;
}

int uv_write(uv_write_t *write, uv_stream_t *stream, const uv_buf_t bufs[], unsigned count,
             uv_write_cb cb)
{
    must(stream == fake_uv.stream, "only an open stream is written to");
    must(!fake_uv.shut, "nothing is written behind the end");
    must(fake_uv.write_count < FAKE_WRITES_MAX, "not that many writes wait");
    size_t at = fake_uv.write_count++;
    fake_uv.writes[at] = write;
    fake_uv.write_cbs[at] = cb;
    fake_uv.write_bytes[at] = 0;
    for (unsigned i = 0; i < count; i++) {
        put_out(&bufs[i], bufs[i].len);
        fake_uv.write_bytes[at] += bufs[i].len;
    }
    return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *stream)
{
    size_t n = 0;
    (void)stream;
    for (size_t i = 0; i < fake_uv.write_count; i++)
        n += fake_uv.write_bytes[i];
    return n;
}

int uv_shutdown(uv_shutdown_t *shutdown, uv_stream_t *stream, uv_shutdown_cb cb)
{
    (void)shutdown;
    must(stream == fake_uv.stream && cb == NULL, "only an open stream is shut down");
    must(!fake_uv.shut, "once");
    fake_uv.shut = true;
    return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb cb)
{
    for (size_t i = 0; i < fake_uv.timer_count; i++)
        if (handle == (uv_handle_t *)fake_uv.timers[i])
            fake_uv.timer_at_ms[i] = 0;
    if (handle == (uv_handle_t *)fake_uv.stream) {
        fake_uv.stream = NULL;
        fake_uv.read = NULL;
    }
    must(fake_uv.close_count < 16, "not that many handles");
    fake_uv.closing[fake_uv.close_count] = handle;
    fake_uv.close_cbs[fake_uv.close_count++] = cb;
}
