#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(struct bb_error *err, int code, const char *fmt, ...) BB_PRINTF(3, 4);

static int fail(struct bb_error *err, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return err->code = code;
}

bool listen_is_off(const char *spec)
{
    return spec[0] == '\0' || strcmp(spec, "off") == 0;
}

static int resolve(int type, const char *spec, struct sockaddr_storage *addr, socklen_t *addr_len,
                   struct bb_error *err)
{
    char host[256];
    const char *colon = strrchr(spec, ':');
    if (colon == NULL || colon[1] == '\0')
        return fail(err, BB_EINVAL, "listen on '%.100s': want ADDRESS:PORT", spec);
    size_t n = (size_t)(colon - spec);
    const char *start = spec;
    if (n >= 2 && spec[0] == '[' && spec[n - 1] == ']') {
        start++;
        n -= 2;
    }
    if (n >= sizeof(host))
        return fail(err, BB_EINVAL, "listen on '%.100s': address too long", spec);
    memcpy(host, start, n);
    host[n] = '\0';

    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = type, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(n == 0 ? NULL : host, colon + 1, &hints, &list);
    if (rc != 0)
        return fail(err, BB_EINVAL, "listen on '%.100s': %s", spec, gai_strerror(rc));
    memcpy(addr, list->ai_addr, list->ai_addrlen);
    *addr_len = list->ai_addrlen;
    freeaddrinfo(list);
    return BB_OK;
}

/**
 * The first socket is bound without SO_REUSEPORT, so that binding fails when anybody has the port,
 * another busbard too; it turns sharing on afterwards, for the sockets of the other loops. With UDP
 * SO_REUSEADDR would share it as well.
 */
static int bind_one(int type, const char *spec, const struct sockaddr_storage *addr,
                    socklen_t addr_len, bool first, int *out, struct bb_error *err)
{
    int on = 1;
    int fd = socket(addr->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(err, BB_EIO, "listen on '%.100s': %s", spec, strerror(errno));
    bool stream = type == SOCK_STREAM;
    if ((stream && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) ||
        (!first && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (const struct sockaddr *)addr, addr_len) != 0 ||
        (first && stream && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)) {
        int saved = errno;
        close(fd);
        return fail(err, saved == EADDRINUSE ? BB_ELOCKED : BB_EIO, "listen on '%.100s': %s", spec,
                    strerror(saved));
    }
    *out = fd;
    return BB_OK;
}

static void print_address(const struct sockaddr_storage *addr, char *out)
{
    char host[INET6_ADDRSTRLEN];
    if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, LISTEN_ADDRESS_MAX, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, LISTEN_ADDRESS_MAX, "%s:%u", host, (unsigned)ntohs(in->sin_port));
    }
}

int listen_bind(int type, const char *spec, int *fds, size_t count, char *address,
                struct bb_error *err)
{
    struct sockaddr_storage addr = {0};
    socklen_t addr_len = 0;
    int rc = resolve(type, spec, &addr, &addr_len, err);
    for (size_t i = 0; i < count && rc == BB_OK; i++) {
        rc = bind_one(type, spec, &addr, addr_len, i == 0, &fds[i], err);
        if (rc != BB_OK) {
            while (i-- > 0)
                close(fds[i]);
            break;
        }
        if (i == 0) {
            /* The port that the kernel chose is the one for the others. */
            socklen_t n = sizeof(addr);
            getsockname(fds[0], (struct sockaddr *)&addr, &n);
            print_address(&addr, address);
        }
    }
    return rc;
}
