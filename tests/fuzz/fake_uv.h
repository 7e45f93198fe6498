/**
 * A network without a network: the functions of libuv that server/loop.c and server/http.c call, in
 * one thread, on a clock that stands still. One listener, one client. Defined in the program, they
 * stand before the library's own.
 */
#ifndef TESTS_FUZZ_FAKE_UV_H
#define TESTS_FUZZ_FAKE_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define FAKE_WRITES_MAX 4096

struct fake_uv {
    uint64_t now_ms;
    uv_async_t *wake;
    bool woken;
    uv_timer_t *timers[4];
    uv_timer_cb timer_cbs[4];
    uint64_t timer_at_ms[4], timer_repeat_ms[4]; /* 0: off */
    size_t timer_count;
    uv_stream_t *stream; /* of the client; NULL: none, or closed */
    uv_alloc_cb alloc;
    uv_read_cb read; /* NULL: it is not read from */
    uv_handle_t *closing[16];
    uv_close_cb close_cbs[16];
    size_t close_count;
    uv_write_t *writes[FAKE_WRITES_MAX]; /* that the socket has not taken yet */
    uv_write_cb write_cbs[FAKE_WRITES_MAX];
    size_t write_bytes[FAKE_WRITES_MAX];
    size_t write_count;
    size_t window;      /* bytes that uv_try_write takes at once */
    bool broken;        /* the client has gone: writes fail */
    bool shut;          /* the server has ended its half */
    unsigned char *out; /* all that was sent; the owner's buffer */
    size_t out_len, out_cap;
};

extern struct fake_uv fake_uv;

/** A new world; `out` takes what the server sends, as far as it fits. */
void fake_uv_reset(unsigned char *out, size_t out_cap);

/** Bytes from the client, as many as the server has room for. Returns how many it took; 0 also when
 * it does not read. */
size_t fake_uv_deliver(const unsigned char *data, size_t n);

/** The end of what the client sends, or a broken connection. False: it does not read. */
bool fake_uv_end(int status);

/** Have the socket take the oldest writes, or fail. False: there is none. */
bool fake_uv_take_writes(void);

/** Run what has been woken or closed. False: nothing. */
bool fake_uv_turn(void);

/** Time passes. */
void fake_uv_sleep(uint64_t ms);

#endif
