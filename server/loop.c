#include "server/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http.h"
#include "server/lines.h"
#include "server/log.h"
#include "server/udp.h"

#define LISTEN_BACKLOG    1024
#define ACCEPTS_AT_ONCE   64
#define REST_LOG_MS       10000
#define SPARE_MAX_BYTES   ((size_t)2 << 20)
#define KEEPALIVE_SECONDS 60

static void close_listener(struct listener *listener);
static void wake_listener(struct listener *listener);

static int uv_fail(struct bb_error *err, const char *what, int rc)
{
    snprintf(err->text, sizeof(err->text), "%s: %s", what, uv_strerror(rc));
    return err->code = BB_EIO;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

/* ---- mailbox ---- */

void loop_post(struct loop *loop, struct message *message)
{
    struct message *head = atomic_load_explicit(&loop->mailbox, memory_order_relaxed);
    do {
        message->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->mailbox, &head, message,
                                                    memory_order_release, memory_order_relaxed));
    /* Whoever found the box empty rings; the others' messages are taken along. */
    if (head == NULL)
        uv_async_send(&loop->wake);
}

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    struct message *taken = atomic_exchange_explicit(&loop->mailbox, NULL, memory_order_acquire);
    struct message *in_order = NULL;
    while (taken != NULL) {
        struct message *next = taken->next;
        taken->next = in_order;
        in_order = taken;
        taken = next;
    }
    while (in_order != NULL) {
        struct message *next = in_order->next;
        in_order->run(in_order);
        in_order = next;
    }
    if (atomic_load_explicit(&loop->server->stopping, memory_order_acquire) &&
        loop->stop_at_ms == 0) {
        loop->stop_at_ms = loop_now_ms(loop) + loop->server->settings.drain_timeout;
        close_listener(&loop->http);
        close_listener(&loop->line);
        if (loop->udp != NULL)
            udp_stop(loop->udp, false);
        for (struct client *c = loop->clients, *after; c != NULL; c = after) {
            after = c->next;
            if (!c->closing)
                c->ops->stop(c);
        }
    }
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->server->stopping, true, memory_order_release);
    uv_async_send(&loop->wake);
}

/** Memory that is kept warm must not be what others wait for. */
static bool memory_is_short(const struct loop *loop)
{
    const struct budget *budget = &loop->server->request_budget;
    return atomic_load_explicit(&budget->used_bytes, memory_order_relaxed) >
           budget->limit_bytes / 2;
}

/* ---- ticks ---- */

static void on_tick(uv_timer_t *tick)
{
    struct loop *loop = tick->data;
    uint64_t now = loop_now_ms(loop);
    if (loop->index == 0 && loop->stop_at_ms == 0)
        rates_tick(&loop->server->rates, now);
    for (size_t i = 0; i < LOOP_SPARES && memory_is_short(loop); i++)
        buf_fini(&loop->spares[i]);
    wake_listener(&loop->http);
    wake_listener(&loop->line);
    bool overdue = loop->stop_at_ms != 0 && now >= loop->stop_at_ms;
    for (struct client *c = loop->clients, *after; c != NULL; c = after) {
        after = c->next;
        if (c->closing)
            continue;
        if (overdue)
            client_close(c);
        else
            c->ops->tick(c, now);
    }
    if (loop->udp != NULL && overdue)
        udp_stop(loop->udp, true);
    else if (loop->udp != NULL)
        udp_tick(loop->udp, now);
    bool idle = loop->clients == NULL && (loop->udp == NULL || udp_is_done(loop->udp));
    if (loop->stop_at_ms != 0 && idle && !loop->ending) {
        loop->ending = true;
        uv_close((uv_handle_t *)&loop->tick, NULL);
        uv_close((uv_handle_t *)&loop->soon, NULL);
        uv_close((uv_handle_t *)&loop->wake, NULL);
    }
}

void loop_tick_soon(struct loop *loop, unsigned ms)
{
    if (!uv_is_active((uv_handle_t *)&loop->soon) && !loop->ending)
        uv_timer_start(&loop->soon, on_tick, ms + 1, 0);
}

/* ---- listeners ---- */

/** What cannot be accepted now (no descriptor, no memory) waits in the kernel's queue until the
 * next tick: the socket stays readable, and asking at once would keep the loop from all else. */
static void rest(struct listener *listener, int error)
{
    uint64_t now = loop_now_ms(listener->loop);
    uv_poll_stop(&listener->poll);
    listener->resting = true;
    if (listener->logged_at_ms != 0 && now - listener->logged_at_ms < REST_LOG_MS)
        return;
    listener->logged_at_ms = now;
    log_event(LOG_WARNING, "accept error=\"%s\"", uv_strerror(uv_translate_sys_error(error)));
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = (struct listener *)poll;
    (void)events;
    if (status < 0) {
        rest(listener, -status);
        return;
    }
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->accept(listener, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN)
                rest(listener, errno);
            break;
        }
    }
}

static void wake_listener(struct listener *listener)
{
    if (!listener->resting)
        return;
    listener->resting = false;
    uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
}

static void on_listener_closed(uv_handle_t *handle)
{
    close(((struct listener *)handle)->fd);
}

static void close_listener(struct listener *listener)
{
    if (!listener->open)
        return;
    listener->open = listener->resting = false;
    uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
}

static int open_listener(struct loop *loop, struct listener *listener, int fd,
                         void (*accept)(struct listener *, int), struct bb_error *err)
{
    if (fd < 0)
        return BB_OK;
    listener->loop = loop;
    listener->accept = accept;
    listener->fd = fd;
    if (listen(fd, LISTEN_BACKLOG) != 0)
        return uv_fail(err, "listen", uv_translate_sys_error(errno));
    int rc = uv_poll_init(&loop->uv, &listener->poll, fd);
    if (rc != 0)
        return uv_fail(err, "listen", rc);
    listener->open = true;
    rc = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    return rc == 0 ? BB_OK : uv_fail(err, "listen", rc);
}

/* ---- start and end ---- */

int loop_init(struct loop *loop, struct server *server, size_t index, int http_fd, int line_fd,
              struct bb_error *err)
{
    memset(loop, 0, sizeof(*loop));
    loop->server = server;
    loop->index = index;
    loop->id_seed = uv_hrtime();
    for (size_t i = 0; i < LOOP_SPARES; i++)
        buf_init(&loop->spares[i], SPARE_MAX_BYTES, &server->request_budget);
    int rc = uv_loop_init(&loop->uv);
    if (rc != 0)
        return uv_fail(err, "event loop", rc);
    rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc != 0)
        return uv_fail(err, "event loop", rc);
    loop->wake.data = loop;
    uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    uv_timer_start(&loop->tick, on_tick, LOOP_TICK_MS, LOOP_TICK_MS);
    uv_timer_init(&loop->uv, &loop->soon);
    loop->soon.data = loop;
    int code = open_listener(loop, &loop->http, http_fd, http_accept, err);
    return code != BB_OK ? code : open_listener(loop, &loop->line, line_fd, lines_accept, err);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_fini(struct loop *loop)
{
    for (size_t i = 0; i < LOOP_SPARES; i++)
        buf_fini(&loop->spares[i]);
    uv_loop_close(&loop->uv);
}

/* ---- clients ---- */

static void link_client(struct client *client)
{
    struct loop *loop = client->loop;
    client->next = loop->clients;
    if (loop->clients != NULL)
        loop->clients->prev = client;
    loop->clients = client;
}

static void destroy_client(struct client *client)
{
    struct loop *loop = client->loop;
    if (client->prev != NULL)
        client->prev->next = client->next;
    else
        loop->clients = client->next;
    if (client->next != NULL)
        client->next->prev = client->prev;
    atomic_fetch_sub(client->ops->count(loop->server), 1);
    client->ops->destroy(client);
}

static void on_closed(uv_handle_t *handle)
{
    struct client *client = (struct client *)handle;
    client->closed = true;
    if (client->holds == 0)
        destroy_client(client);
}

void client_close(struct client *client)
{
    if (client->closing)
        return;
    client->closing = true;
    client->ops->closing(client);
    uv_close((uv_handle_t *)&client->tcp, on_closed);
}

void client_hold(struct client *client)
{
    client->holds++;
}

void client_release(struct client *client)
{
    if (--client->holds == 0 && client->closed)
        destroy_client(client);
}

/** The text fits the socket's empty buffer. */
static void refuse(int fd, const char *refusal)
{
    if (refusal != NULL)
        (void)send(fd, refusal, strlen(refusal), MSG_NOSIGNAL);
    close(fd);
}

struct client *client_accept(struct listener *listener, int fd, size_t size,
                             const struct client_ops *ops, const char *refusal)
{
    struct loop *loop = listener->loop;
    struct server *server = loop->server;
    int64_t open = atomic_load(&server->connections_http) + atomic_load(&server->connections_line);
    struct client *client = NULL;
    if (open < (int64_t)server->settings.max_connections)
        client = calloc(1, size);
    if (client == NULL) {
        count_add(&server->counters.clients_refused, 1);
        refuse(fd, refusal);
        return NULL;
    }
    client->loop = loop;
    client->ops = ops;
    uv_tcp_init(&loop->uv, &client->tcp);
    link_client(client);
    atomic_fetch_add(ops->count(server), 1);
    if (uv_tcp_open(&client->tcp, fd) != 0) {
        close(fd);
        client_close(client);
        return NULL;
    }
    uv_tcp_nodelay(&client->tcp, 1);
    uv_tcp_keepalive(&client->tcp, 1, KEEPALIVE_SECONDS);
    return client;
}

void client_read_shared_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct loop *loop = ((struct client *)handle)->loop;
    (void)suggested;
    *buf = uv_buf_init(loop->read_buffer, sizeof(loop->read_buffer));
}

bool client_is_local(const struct client *client)
{
    struct sockaddr_storage peer = {0};
    int n = sizeof(peer);
    if (uv_tcp_getpeername(&client->tcp, (struct sockaddr *)&peer, &n) != 0)
        return false;
    if (peer.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&peer;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

/* ---- warm memory ---- */

void loop_take_spare(struct loop *loop, struct buf *b)
{
    for (size_t i = 0; i < LOOP_SPARES; i++) {
        if (loop->spares[i].cap > 0) {
            buf_swap(b, &loop->spares[i]);
            b->len = 0;
            return;
        }
    }
}

void loop_give_spare(struct loop *loop, struct buf *b)
{
    bool keep = b->cap <= SPARE_MAX_BYTES && !memory_is_short(loop);
    for (size_t i = 0; i < LOOP_SPARES && keep; i++) {
        if (loop->spares[i].cap == 0) {
            buf_swap(b, &loop->spares[i]);
            break;
        }
    }
    buf_fini(b);
}
