#include "tests/unit/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUESTS_MAX 64
#define REQUEST_MAX  ((size_t)1 << 20)

struct fake_server {
    const struct fake_reply *replies;
    size_t count;
    int fd;
    char url[64];
    pthread_t thread;
    _Atomic bool stop;
    pthread_mutex_t lock;
    size_t requests;
    char *request[REQUESTS_MAX];
    size_t request_len[REQUESTS_MAX];
};

static void pause_ms(struct fake_server *s, unsigned ms)
{
    for (unsigned i = 0; i < ms && !atomic_load(&s->stop); i += 5)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
}

static bool readable(struct fake_server *s, int fd)
{
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 20) > 0)
            return true;
    }
    return false;
}

/* The request on this connection, whole; false: it was closed. */
static bool receive(struct fake_server *s, int fd, char *data, size_t *len)
{
    size_t want = 0;
    *len = 0;
    while (want == 0 || *len < want) {
        if (*len + 1 >= REQUEST_MAX || !readable(s, fd))
            return false;
        ssize_t n = recv(fd, data + *len, REQUEST_MAX - 1 - *len, 0);
        if (n <= 0)
            return false;
        *len += (size_t)n;
        data[*len] = '\0';
        const char *end = strstr(data, "\r\n\r\n");
        const char *length = strcasestr(data, "\r\nContent-Length:");
        if (end != NULL)
            want = (size_t)(end - data) + 4 +
                   (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
    }
    return true;
}

static void keep(struct fake_server *s, const char *data, size_t len, size_t *number)
{
    pthread_mutex_lock(&s->lock);
    *number = s->requests;
    if (s->requests < REQUESTS_MAX) {
        s->request[s->requests] = malloc(len + 1);
        memcpy(s->request[s->requests], data, len + 1);
        s->request_len[s->requests++] = len;
    }
    pthread_mutex_unlock(&s->lock);
}

static bool answer(struct fake_server *s, int fd, const struct fake_reply *reply)
{
    pause_ms(s, reply->delay_ms);
    if (reply->status == NULL)
        return false;
    const char *body = reply->body != NULL ? reply->body : "";
    size_t len = reply->body_len > 0 ? reply->body_len : strlen(body);
    size_t announce = reply->announce > 0 ? reply->announce : len;
    char head[1024];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n",
                     reply->status, reply->headers != NULL ? reply->headers : "", announce);
    if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n ||
        send(fd, body, len, MSG_NOSIGNAL) != (ssize_t)len)
        return false;
    return announce == len;
}

static void *serve(void *arg)
{
    struct fake_server *s = arg;
    char *data = malloc(REQUEST_MAX);
    while (data != NULL && readable(s, s->fd)) {
        int fd = accept(s->fd, NULL, NULL);
        size_t len, number = 0;
        while (receive(s, fd, data, &len)) {
            keep(s, data, len, &number);
            if (number >= s->count || !answer(s, fd, &s->replies[number]))
                break;
        }
        close(fd);
    }
    free(data);
    return NULL;
}

struct fake_server *fake_server_create(const struct fake_reply *replies, size_t count)
{
    struct fake_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->replies = replies;
    s->count = count;
    pthread_mutex_init(&s->lock, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, size) != 0 || listen(s->fd, 8) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&s->thread, NULL, serve, s) != 0) {
        close(s->fd);
        free(s);
        return NULL;
    }
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    return s;
}

void fake_server_destroy(struct fake_server **server)
{
    struct fake_server *s = *server;
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (size_t i = 0; i < s->requests; i++)
        free(s->request[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *server = NULL;
}

const char *fake_server_url(const struct fake_server *server)
{
    return server->url;
}

size_t fake_server_requests(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t n = server->requests;
    pthread_mutex_unlock(&server->lock);
    return n;
}

const char *fake_server_request(struct fake_server *server, size_t i, size_t *len)
{
    pthread_mutex_lock(&server->lock);
    const char *text = i < server->requests ? server->request[i] : "";
    if (len != NULL)
        *len = i < server->requests ? server->request_len[i] : 0;
    pthread_mutex_unlock(&server->lock);
    return text;
}
