#include "bench/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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

int net_send(struct net *net, const void *data, size_t n)
{
    const char *at = data;
    while (n > 0) {
        ssize_t sent = send(net->fd, at, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return fail(net, "send", strerror(errno));
        at += sent;
        n -= (size_t)sent;
    }
    return 0;
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
