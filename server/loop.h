/**
 * One event loop per core, each with a thread, listening sockets and clients of its own.
 *
 * Everything that belongs to a client is touched by its loop's thread alone. Other threads
 * (workers, the log's sync thread) hand work to a loop by loop_post, the one function here that any
 * thread may call. A loop never waits: what may block is a job of a pool.
 *
 * A client is a TCP connection; HTTP and line-protocol connections start with a struct client. It
 * lives until its socket is closed and it holds no more references (client_hold), so that a job or
 * message that names it never meets freed memory.
 */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <uv.h>

#include "server/server.h"

#define LOOP_TICK_MS    100
#define LOOP_READ_BYTES ((size_t)64 << 10)
#define LOOP_SPARES     4

struct client;
struct udp;

/** A note to a loop; part of whatever it is about. */
struct message {
    struct message *next;
    void (*run)(struct message *message);
};

struct client_ops {
    /** Every LOOP_TICK_MS: deadlines. */
    void (*tick)(struct client *client, uint64_t now_ms);
    /** The server stops: finish what is under way, then close. Called once. */
    void (*stop)(struct client *client);
    /** Closing has begun: let go of what waits for this client. */
    void (*closing)(struct client *client);
    /** The socket is closed and nothing refers to the client: free it. */
    void (*destroy)(struct client *client);
    _Atomic int64_t *(*count)(struct server *server);
};

struct client {
    uv_tcp_t tcp; /* first: handle and client are cast into each other */
    struct loop *loop;
    struct client *next, *prev;
    const struct client_ops *ops;
    unsigned holds;
    bool closing, closed;
};

struct listener {
    uv_poll_t poll; /* first: handle and listener are cast into each other */
    struct loop *loop;
    void (*accept)(struct listener *listener, int fd);
    int fd;
    bool open;
    bool resting; /* nothing could be accepted; again with the next tick */
    uint64_t logged_at_ms;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick, soon;
    uv_thread_t thread;
    struct server *server;
    size_t index;
    _Atomic(struct message *) mailbox;
    struct listener http, line;
    struct udp *udp; /* the first loop's; NULL: none */
    struct client *clients;
    struct buf spares[LOOP_SPARES]; /* memory of bodies, kept warm */
    uint64_t id_seed, next_request; /* of request ids */
    uint64_t stop_at_ms; /* when stopping: clients left then are closed; 0: not stopping */
    bool ending;
    char read_buffer[LOOP_READ_BYTES];
};

/** Start the loop on descriptors bound by listen_bind; -1: none. Call from the thread that sets up,
 * before loop_run. On an error the loop must not be run. */
int loop_init(struct loop *loop, struct server *server, size_t index, int http_fd, int line_fd,
              struct bb_error *err) BB_CHECKED;

/** Run until loop_stop has been heard and all clients are gone. */
void loop_run(struct loop *loop);

/** Free what loop_run leaves. */
void loop_fini(struct loop *loop);

/** Any thread: stop accepting, finish what is under way within the drain timeout, end. */
void loop_stop(struct loop *loop);

/** Any thread: have message->run called on the loop's thread. The message must not be posted again
 * before it has run. */
void loop_post(struct loop *loop, struct message *message);

/** Have ticks come once in about `ms`, whatever LOOP_TICK_MS is. */
void loop_tick_soon(struct loop *loop, unsigned ms);

uint64_t loop_now_ms(const struct loop *loop);

/**
 * Make the connection `fd` that the listener accepted a new client of `size` bytes, zeroed.
 *
 * Returns NULL when memory is short or max-connections is reached; the connection is closed then,
 * after `refusal`, if any, has been sent.
 */
struct client *client_accept(struct listener *listener, int fd, size_t size,
                             const struct client_ops *ops, const char *refusal);

/** Close the socket; may be called again. The client may be gone on return unless it is held. */
void client_close(struct client *client);

/** Keep the client's memory; each hold needs a release on the loop's thread. */
void client_hold(struct client *client);
void client_release(struct client *client);

/** Reading as uv_read_start does it, with the loop's shared buffer. */
void client_read_shared_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);

/** The address of the other side is 127.0.0.0/8 or ::1. */
bool client_is_local(const struct client *client);

/** Exchange an empty buffer for memory that is still warm, and give it back when done. */
void loop_take_spare(struct loop *loop, struct buf *b);
void loop_give_spare(struct loop *loop, struct buf *b);

#endif
