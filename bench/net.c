#include "bench/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int fail(struct net *net, const char *what, const char *why)
{
    snprintf(net->error, sizeof(net->error), "%.200s: %.700s", what, why);
    return -1;
}

int net_open(struct net *net, const char *address)
{
    net->fd = -1;
    net->in_len = 0;
    net->error[0] = '\0';
    snprintf(net->host, sizeof(net->host), "%s", address);
    char host[NET_TEXT_MAX];
    snprintf(host, sizeof(host), "%s", address);
    char *colon = strrchr(host, ':');
    if (colon == NULL)
        return fail(net, address, "want HOST:PORT");
    *colon = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int rc = getaddrinfo(host, colon + 1, &hints, &list);
    if (rc != 0)
        return fail(net, address, gai_strerror(rc));
    net->fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rc = net->fd < 0 ? -1 : connect(net->fd, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    if (rc != 0)
        return fail(net, address, strerror(errno));
    int on = 1;
    setsockopt(net->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return 0;
}

void net_close(struct net *net)
{
    if (net->fd >= 0)
        close(net->fd);
    net->fd = -1;
}

static int send_two(struct net *net, const void *a, size_t a_len, const void *b, size_t b_len)
{
    struct iovec parts[2] = {{(void *)(size_t)a, a_len}, {(void *)(size_t)b, b_len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        ssize_t n = sendmsg(net->fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(net, "send", strerror(errno));
        for (int i = 0; i < 2; i++) {
            size_t part = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            n -= (ssize_t)part;
        }
    }
    return 0;
}

int net_send(struct net *net, const void *data, size_t n)
{
    return send_two(net, data, n, NULL, 0);
}

static int receive(struct net *net)
{
    if (net->in_len == sizeof(net->in))
        return fail(net, "receive", "a line or head is too long");
    ssize_t n;
    do {
        n = recv(net->fd, net->in + net->in_len, sizeof(net->in) - net->in_len, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return fail(net, "receive", n == 0 ? "the server closed the connection" : strerror(errno));
    net->in_len += (size_t)n;
    return 0;
}

static void drop(struct net *net, size_t n)
{
    memmove(net->in, net->in + n, net->in_len - n);
    net->in_len -= n;
}

int net_line(struct net *net, char *line, size_t size)
{
    char *newline;
    while ((newline = memchr(net->in, '\n', net->in_len)) == NULL)
        if (receive(net) != 0)
            return -1;
    size_t n = (size_t)(newline - net->in);
    size_t kept = n < size - 1 ? n : size - 1;
    memcpy(line, net->in, kept);
    if (kept > 0 && line[kept - 1] == '\r')
        kept--;
    line[kept] = '\0';
    drop(net, n + 1);
    return 0;
}

/** Move n bytes of a body to reply at *len, as far as they fit. */
static int read_body(struct net *net, size_t n, char *reply, size_t size, size_t *len)
{
    while (n > 0) {
        if (net->in_len == 0 && receive(net) != 0)
            return -1;
        size_t part = n < net->in_len ? n : net->in_len;
        size_t room = size - 1 - *len;
        size_t kept = part < room ? part : room;
        memcpy(reply + *len, net->in, kept);
        *len += kept;
        drop(net, part);
        n -= part;
    }
    return 0;
}

static int read_chunks(struct net *net, char *reply, size_t size, size_t *len)
{
    char line[NET_TEXT_MAX];
    for (;;) {
        if (net_line(net, line, sizeof(line)) != 0)
            return -1;
        size_t n = strtoul(line, NULL, 16);
        if (read_body(net, n, reply, size, len) != 0 || net_line(net, line, sizeof(line)) != 0)
            return -1;
        if (n == 0)
            return 0;
    }
}

static int read_reply(struct net *net, char *reply, size_t size)
{
    char line[NET_TEXT_MAX];
    int status;
    size_t length = 0, len = 0;
    bool chunked = false;
    if (net_line(net, line, sizeof(line)) != 0)
        return -1;
    if (sscanf(line, "HTTP/1.1 %d", &status) != 1)
        return fail(net, "not HTTP", line);
    for (;;) {
        if (net_line(net, line, sizeof(line)) != 0)
            return -1;
        if (line[0] == '\0')
            break;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
        else if (strcasecmp(line, "Transfer-Encoding: chunked") == 0)
            chunked = true;
    }
    int rc = chunked ? read_chunks(net, reply, size, &len)
                     : read_body(net, length, reply, size, &len);
    reply[len] = '\0';
    return rc == 0 ? status : -1;
}

int net_http(struct net *net, const char *method, const char *path, const void *body, size_t n,
             char *reply, size_t size)
{
    char head[2 * NET_TEXT_MAX];
    int len = snprintf(head, sizeof(head),
                       "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n", method, path,
                       net->host, n);
    if (len < 0 || (size_t)len >= sizeof(head))
        return fail(net, "request", "path too long");
    if (send_two(net, head, (size_t)len, body, n) != 0)
        return -1;
    return read_reply(net, reply, size);
}
