#include "server/destination.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "server/buf.h"

#define URL_MAX_BYTES ((size_t)1 << 20)

/* An address that a name had is asked for anew after this time, and so is one that it had not. */
#define KNOWN_NS   UINT64_C(30000000000)
#define UNKNOWN_NS UINT64_C(5000000000)

#define SEND_TIMEOUT_S 1
#define LOOK_MS        50
#define LOOK_EVERY     64

static int fail(struct bb_error *err, int code, const char *what, const char *why)
{
    snprintf(err->text, sizeof(err->text), "%s: %s", what, why);
    return err->code = code;
}

/* ---- the URL ---- */

/** A part of a URL. */
struct part {
    const char *at;
    size_t n;
};

struct parts {
    struct part scheme, user, host, port, path, query;
};

static struct part until(const char *at, const char *stops)
{
    return (struct part){at, strcspn(at, stops)};
}

/** What the engine has found good. */
static void take_apart(const char *url, struct parts *p)
{
    *p = (struct parts){.scheme = until(url, ":")};
    const char *at = url + p->scheme.n;
    at += strncmp(at, "://", 3) == 0 ? 3 : 0;
    p->host = until(at, "/?#");
    p->path = until(at + p->host.n, "?#");
    const char *rest = p->path.at + p->path.n;
    p->query = *rest == '?' ? until(rest + 1, "#") : (struct part){"", 0};
    const char *user_end = memrchr(p->host.at, '@', p->host.n);
    if (user_end != NULL) {
        p->user = (struct part){p->host.at, (size_t)(user_end - p->host.at)};
        p->host = (struct part){user_end + 1, p->host.n - p->user.n - 1};
    }
    const char *colon = memrchr(p->host.at, ':', p->host.n);
    if (colon != NULL) {
        p->port = (struct part){colon + 1, p->host.n - (size_t)(colon - p->host.at) - 1};
        p->host.n = (size_t)(colon - p->host.at);
    }
}

/** What may stand in a URL as it is, and a path's bytes that may not, escaped. */
static int put_path(struct buf *out, struct part path)
{
    int rc = BB_OK;
    while (path.n > 0 && path.at[path.n - 1] == '/')
        path.n--;
    for (size_t i = 0; i < path.n && rc == BB_OK; i++) {
        unsigned char c = (unsigned char)path.at[i];
        bool plain = c > ' ' && c < 0x7f;
        rc = plain ? buf_put(out, (const char *)&c, 1) : buf_printf(out, "%%%02X", c);
    }
    return rc;
}

static int put_value(struct buf *out, const char *text)
{
    int rc = BB_OK;
    for (; *text != '\0' && rc == BB_OK; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain || c == ' ')
            rc = buf_put(out, c == ' ' ? "+" : text, 1);
        else
            rc = buf_printf(out, "%%%02X", c);
    }
    return rc;
}

/** Ours come first: of a parameter that comes twice the first counts. */
static int put_url(struct buf *out, const struct parts *p, const char *database, const char *policy)
{
    const char *at = p->user.at != NULL ? "@" : "";
    int rc = buf_printf(out, "%.*s://%.*s%s%.*s:%.*s", (int)p->scheme.n, p->scheme.at,
                        (int)p->user.n, p->user.at != NULL ? p->user.at : "", at, (int)p->host.n,
                        p->host.at, (int)p->port.n, p->port.at);
    rc = rc == BB_OK ? put_path(out, p->path) : rc;
    rc = rc == BB_OK ? buf_printf(out, "/write?consistency=&db=") : rc;
    rc = rc == BB_OK ? put_value(out, database) : rc;
    rc = rc == BB_OK ? buf_printf(out, "&precision=ns&rp=") : rc;
    rc = rc == BB_OK ? put_value(out, policy) : rc;
    if (rc == BB_OK && p->query.n > 0)
        rc = buf_printf(out, "&%.*s", (int)p->query.n, p->query.at);
    return rc == BB_OK ? buf_put(out, "", 1) : rc;
}

/** The host as getaddrinfo wants it: without brackets, a zone's %25 as %. */
static bool put_host(struct destination *d, struct part host)
{
    size_t n = 0;
    if (host.n > 1 && host.at[0] == '[')
        host = (struct part){host.at + 1, host.n - 2};
    for (size_t i = 0; i < host.n && n < sizeof(d->host) - 1; i++) {
        d->host[n++] = host.at[i];
        if (host.n - i >= 3 && memcmp(host.at + i, "%25", 3) == 0)
            i += 2;
    }
    d->host[n] = '\0';
    return n < sizeof(d->host) - 1 && host.n < sizeof(d->host);
}

int destination_init(struct destination *d, const char *url, const char *database,
                     const char *policy, struct bb_error *err)
{
    struct parts p;
    struct buf text;
    *d = (struct destination){.udp = strncasecmp(url, "udp:", 4) == 0};
    take_apart(url, &p);
    if (!put_host(d, p.host) || p.port.n >= sizeof(d->port))
        return fail(err, BB_EINVAL, "destination", "host or port too long");
    memcpy(d->port, p.port.at, p.port.n);
    buf_init(&text, URL_MAX_BYTES, NULL);
    int rc = put_url(&text, &p, database, policy);
    d->url = rc == BB_OK ? strdup(text.data) : NULL;
    text.len = 0;
    rc = rc == BB_OK ? buf_printf(&text, "%.*s://%.*s:%s", (int)p.scheme.n, p.scheme.at,
                                  (int)p.host.n, p.host.at, d->port)
                     : rc;
    d->shown = rc == BB_OK ? strndup(text.data, text.len) : NULL;
    buf_fini(&text);
    if (d->url == NULL || d->shown == NULL)
        return fail(err, BB_ENOMEM, "destination", "out of memory");
    return BB_OK;
}

/* ---- names ---- */

/**
 * A name being looked up, on a thread of its own, because nothing ends getaddrinfo before its time:
 * who cannot wait any longer leaves it alone.
 */
struct lookup {
    pthread_mutex_t lock;
    int refs; /* of the destination and the thread */
    bool done;
    int failed; /* getaddrinfo's result */
    struct sockaddr_storage address;
    socklen_t address_len;
    char host[DESTINATION_HOST_MAX];
    char port[16];
};

static int look_up(const char *host, const char *port, int flags, struct sockaddr_storage *address,
                   socklen_t *len)
{
    const struct addrinfo hints = {.ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &list);
    if (rc == 0) {
        memcpy(address, list->ai_addr, list->ai_addrlen);
        *len = list->ai_addrlen;
        freeaddrinfo(list);
    }
    return rc;
}

static void lookup_unref(struct lookup *l)
{
    pthread_mutex_lock(&l->lock);
    int left = --l->refs;
    pthread_mutex_unlock(&l->lock);
    if (left == 0) {
        pthread_mutex_destroy(&l->lock);
        free(l);
    }
}

static void *lookup_main(void *arg)
{
    struct lookup *l = arg;
    struct sockaddr_storage address;
    socklen_t len = 0;
    int failed = look_up(l->host, l->port, 0, &address, &len);
    pthread_mutex_lock(&l->lock);
    l->failed = failed;
    l->address_len = len;
    memcpy(&l->address, &address, len);
    l->done = true;
    pthread_mutex_unlock(&l->lock);
    lookup_unref(l);
    return NULL;
}

static struct lookup *lookup_start(const struct destination *d)
{
    struct lookup *l = calloc(1, sizeof(*l));
    pthread_attr_t attr;
    pthread_t thread;
    if (l == NULL)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    l->refs = 2;
    memcpy(l->host, d->host, sizeof(l->host));
    memcpy(l->port, d->port, sizeof(l->port));
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, lookup_main, l);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        l->refs = 1;
        lookup_unref(l);
        return NULL;
    }
    return l;
}

static bool lookup_done(struct lookup *l)
{
    pthread_mutex_lock(&l->lock);
    bool done = l->done;
    pthread_mutex_unlock(&l->lock);
    return done;
}

static int take_answer(struct destination *d, struct bb_error *err)
{
    struct lookup *l = d->lookup;
    d->lookup = NULL;
    d->address_len = l->failed == 0 ? l->address_len : 0;
    memcpy(&d->address, &l->address, d->address_len);
    int rc = l->failed == 0 ? BB_OK : fail(err, BB_EIO, d->shown, gai_strerror(l->failed));
    lookup_unref(l);
    return rc;
}

static int find_name(struct destination *d, bool (*quits)(void *arg), void *arg,
                     struct bb_error *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    d->lookup = d->lookup == NULL ? lookup_start(d) : d->lookup;
    if (d->lookup == NULL)
        return fail(err, BB_ENOMEM, d->shown, "out of memory");
    for (int ms = 0; ms < DESTINATION_LOOKUP_MS && !quits(arg) && !lookup_done(d->lookup);
         ms += ms == 0 ? 1 : LOOK_MS)
        nanosleep(ms == 0 ? &(struct timespec){.tv_nsec = 1000000} : &pause, NULL);
    if (lookup_done(d->lookup))
        return take_answer(d, err);
    return fail(err, BB_ETIMEOUT, d->shown, "the name is not found in time");
}

static int find_address(struct destination *d, bool (*quits)(void *arg), void *arg,
                        struct bb_error *err)
{
    uint64_t age_ns = uv_hrtime() - d->looked_up_ns;
    if (d->looked_up_ns != 0 && age_ns < (d->address_len != 0 ? KNOWN_NS : UNKNOWN_NS))
        return d->address_len != 0 ? BB_OK
                                   : fail(err, BB_EIO, d->shown, "the name was not found lately");
    d->address_len = 0;
    if (strtoul(d->port, NULL, 10) > UINT16_MAX) /* getaddrinfo would take its low bits */
        return fail(err, BB_EINVAL, d->shown, "invalid port");
    int rc = look_up(d->host, d->port, AI_NUMERICHOST, &d->address, &d->address_len) == 0
                 ? BB_OK
                 : find_name(d, quits, arg, err);
    d->looked_up_ns = uv_hrtime();
    return rc;
}

void destination_fini(struct destination *d)
{
    if (d->lookup != NULL)
        lookup_unref(d->lookup);
    free(d->url);
    free(d->shown);
    *d = (struct destination){.udp = false};
}

/* ---- sending ---- */

static int send_lines(int fd, const struct bb_lines *lines, bool (*quits)(void *arg), void *arg)
{
    for (size_t i = 0, from = 0; i < lines->count; from = lines->ends[i++]) {
        size_t length = lines->ends[i] - from - 1; /* without the newline */
        ssize_t sent;
        do
            sent = send(fd, lines->text + from, length, 0);
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
            return errno;
        if (i % LOOK_EVERY == 0 && quits(arg))
            return ECANCELED;
    }
    return 0;
}

int destination_send_udp(struct destination *d, const struct bb_lines *lines,
                         bool (*quits)(void *arg), void *arg, struct bb_error *err)
{
    const struct timeval patience = {.tv_sec = SEND_TIMEOUT_S};
    char text[128];
    int rc = find_address(d, quits, arg, err);
    if (rc != BB_OK)
        return rc;
    int fd = socket(d->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(err, BB_EIO, d->shown, strerror_r(errno, text, sizeof(text)));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    int failed = connect(fd, (const struct sockaddr *)&d->address, d->address_len) != 0
                     ? errno
                     : send_lines(fd, lines, quits, arg);
    close(fd);
    return failed == 0 ? BB_OK
                       : fail(err, BB_EIO, d->shown, strerror_r(failed, text, sizeof(text)));
}
