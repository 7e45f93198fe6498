#include "server/udp.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"

#define RETRY_MS           250
#define DATAGRAM_BYTES     LOOP_READ_BYTES /* none is longer */
#define DATAGRAMS_AT_ONCE  256             /* then the loop sees to others */
#define LOGGED_REJECTS_MAX 20
#define LOGGED_EVERY_MS    60000

static struct server *server_of(const struct udp *udp)
{
    return udp->loop->server;
}

static void on_readable(uv_poll_t *poll, int status, int events);
static void fly(struct udp *udp);

/* ---- reading or not ---- */

/** The batch is to go when the one before it has gone. */
static bool is_due(const struct udp *udp)
{
    const struct settings *settings = &server_of(udp)->settings;
    return udp->filling != NULL && (udp->filling->lines.len >= settings->line_batch_bytes ||
                                    udp->filling->line_count >= settings->line_batch_lines);
}

/** A batch that is due and has to wait grows to what a frame of the log may hold: the system keeps
 * few datagrams, and what it cannot keep is lost. */
static size_t batch_max_bytes(const struct settings *settings)
{
    return settings->write_piece > settings->line_batch_bytes ? settings->write_piece
                                                              : settings->line_batch_bytes;
}

static bool is_full(const struct udp *udp)
{
    return udp->filling != NULL &&
           udp->filling->lines.len >= batch_max_bytes(&server_of(udp)->settings);
}

static void read_on(struct udp *udp, bool want)
{
    want = want && udp->open && !udp->ending && !(is_full(udp) && udp->flying != NULL);
    if (want && !udp->reading)
        udp->reading = uv_poll_start(&udp->poll, UV_READABLE, on_readable) == 0;
    else if (!want && udp->reading) {
        uv_poll_stop(&udp->poll);
        udp->reading = false;
    }
}

/* ---- the batch that is on its way ---- */

static void log_rejects(struct udp *udp, uint64_t lines, const char *reason, size_t n)
{
    char quoted[1024];
    uint64_t now = loop_now_ms(udp->loop);
    if (now - udp->logged_since_ms >= LOGGED_EVERY_MS) {
        udp->logged_since_ms = now;
        udp->logged_rejects = 0;
    }
    if (udp->logged_rejects >= LOGGED_REJECTS_MAX)
        return;
    udp->logged_rejects++;
    log_event(LOG_WARNING, "udp rejected=%" PRIu64 " reason=%s%s", lines,
              log_quote(quoted, sizeof(quoted), reason, n),
              udp->logged_rejects == LOGGED_REJECTS_MAX
                  ? " note=\"more of this minute are counted, not logged\""
                  : "");
}

/** None of it will be stored. */
static void refuse(struct udp *udp, int code, const char *reason)
{
    struct line_batch *batch = udp->flying;
    count_add(&server_of(udp)->counters.rejected[code], batch->line_count);
    log_rejects(udp, batch->line_count, reason, strlen(reason));
    line_batch_reject(batch, reason);
    batch->state = LINE_BATCH_DONE;
}

/** The batch is done: the next may go. */
static void land(struct udp *udp)
{
    line_batch_destroy(udp->flying);
    udp->flying = NULL;
    udp->retry_at_ms = 0;
    if (is_due(udp) || udp->ending)
        fly(udp);
    read_on(udp, true);
}

static bool may_pass(int code)
{
    return code == BB_EBUSY || code == BB_ENOMEM || code == BB_ENOSPC || code == BB_ETIMEOUT;
}

static void on_submitted(struct line_batch *batch)
{
    struct udp *udp = batch->owner;
    struct counters *counters = &server_of(udp)->counters;
    udp->callbacks--;
    if (batch->err.code == BB_OK) {
        count_add(&counters->udp_batches, 1);
        if (batch->rejects.count > 0)
            log_rejects(udp, batch->rejects.count, batch->rejects.text.data,
                        batch->rejects.text.len);
        return;
    }
    udp->callbacks--; /* there will be no on_durable */
    if (may_pass(batch->err.code) && !udp->ending) {
        if (batch->tries == 1)
            log_rejects(udp, 0, batch->err.text, strlen(batch->err.text));
        count_add(&counters->udp_retries, 1);
        udp->retry_at_ms = loop_now_ms(udp->loop) + RETRY_MS;
        return;
    }
    refuse(udp, batch->err.code, batch->err.text);
    land(udp);
}

static void on_durable(struct line_batch *batch)
{
    struct udp *udp = batch->owner;
    udp->callbacks--;
    if (batch->durable_err.code != BB_OK)
        log_event(LOG_ERROR, "udp lost=%" PRIu64 " reason=\"%s\"", batch->line_count,
                  batch->durable_err.text);
    land(udp);
}

static void submit(struct udp *udp)
{
    udp->retry_at_ms = 0;
    if (line_batch_submit(udp->flying))
        udp->callbacks = 2;
    else
        udp->retry_at_ms = loop_now_ms(udp->loop) + RETRY_MS;
}

/** Send what has been received on its way. */
static void fly(struct udp *udp)
{
    if (udp->filling == NULL || udp->flying != NULL)
        return;
    udp->flying = udp->filling;
    udp->filling = NULL;
    if (udp->flying->line_count == 0) {
        land(udp);
        return;
    }
    udp->flying->owner = udp;
    udp->flying->submitted = on_submitted;
    udp->flying->durable = on_durable;
    submit(udp);
}

/* ---- receiving ---- */

static bool begin_batch(struct udp *udp)
{
    const struct server *server = server_of(udp);
    const char *database = server->settings.udp_database;
    struct line_batch *batch = line_batch_create(udp->loop, batch_max_bytes(&server->settings) +
                                                                DATAGRAM_BYTES + 1);
    if (batch == NULL)
        return false;
    batch->precision_ns = server->udp_precision_ns;
    if (buf_put(&batch->database, database, strlen(database) + 1) != BB_OK) {
        line_batch_destroy(batch);
        return false;
    }
    udp->filling = batch;
    udp->filling_since_ms = loop_now_ms(udp->loop);
    return true;
}

/** What the kernel had no room for, of all times; it tells with each datagram. */
static void look_at_drops(struct udp *udp, struct msghdr *message)
{
    struct cmsghdr *part = CMSG_FIRSTHDR(message);
    for (; part != NULL; part = CMSG_NXTHDR(message, part)) {
        uint32_t dropped;
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&dropped, CMSG_DATA(part), sizeof(dropped));
        count_add(&server_of(udp)->counters.udp_dropped, dropped - udp->dropped_seen);
        udp->dropped_seen = dropped;
    }
}

static void take_lines(struct udp *udp, size_t n)
{
    struct counters *counters = &server_of(udp)->counters;
    struct buf *lines = &udp->filling->lines;
    const char *p = lines->data + lines->len;
    const char *end = p + n;
    count_add(&counters->udp_datagrams, 1);
    count_add(&counters->udp_bytes, n);
    if (n == 0)
        return;
    lines->len += n;
    if (end[-1] != '\n')
        lines->data[lines->len++] = '\n';
    for (end = lines->data + lines->len; p < end; udp->filling->line_count++)
        p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
}

/** False: there is none now, or no memory for one. */
static bool receive(struct udp *udp)
{
    if (udp->filling == NULL && !begin_batch(udp)) {
        read_on(udp, false);
        return false;
    }
    struct buf *lines = &udp->filling->lines;
    if (buf_reserve(lines, DATAGRAM_BYTES + 1) != BB_OK) {
        read_on(udp, false); /* the next tick tries again */
        return false;
    }
    char control[CMSG_SPACE(sizeof(uint32_t))];
    struct iovec part = {.iov_base = lines->data + lines->len, .iov_len = DATAGRAM_BYTES};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(udp->fd, &message, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR;
    look_at_drops(udp, &message);
    take_lines(udp, (size_t)n);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp *udp = (struct udp *)poll;
    (void)status;
    (void)events;
    for (unsigned i = 0; i < DATAGRAMS_AT_ONCE && udp->reading && receive(udp); i++) {
        if (is_due(udp))
            fly(udp);
        read_on(udp, true);
    }
}

/* ---- start, ticks and end ---- */

int udp_open(struct udp *udp, struct loop *loop, int fd, struct bb_error *err)
{
    int on = 1;
    *udp = (struct udp){.loop = loop, .fd = fd};
    if (fd < 0)
        return BB_OK;
    int size = (int)loop->server->settings.udp_read_buffer;
    /* What the system does not know or allow is done without. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (size > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    int rc = uv_poll_init(&loop->uv, &udp->poll, fd);
    if (rc != 0) {
        snprintf(err->text, sizeof(err->text), "udp: %s", uv_strerror(rc));
        return err->code = BB_EIO;
    }
    udp->open = true;
    read_on(udp, true);
    return BB_OK;
}

void udp_tick(struct udp *udp, uint64_t now_ms)
{
    if (!udp->open)
        return;
    if (udp->retry_at_ms != 0 && now_ms >= udp->retry_at_ms)
        submit(udp);
    if (udp->filling != NULL && udp->filling->line_count > 0 &&
        now_ms - udp->filling_since_ms >= server_of(udp)->settings.line_batch_delay)
        fly(udp);
    if (udp->filling != NULL && udp->filling->lines.len == 0) {
        line_batch_destroy(udp->filling); /* an idle listener holds no memory */
        udp->filling = NULL;
    }
    read_on(udp, true);
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *udp = (struct udp *)handle;
    close(udp->fd);
}

void udp_stop(struct udp *udp, bool overdue)
{
    if (udp->open && !udp->ending) {
        while (udp->reading && !is_full(udp) && receive(udp))
            ; /* what has come before the stop is stored too */
        read_on(udp, false);
        udp->ending = true;
        uv_close((uv_handle_t *)&udp->poll, on_closed);
        fly(udp);
    }
    if (overdue && udp->flying != NULL && udp->callbacks == 0) {
        refuse(udp, BB_ETIMEOUT, "the server stopped before the lines could be stored");
        land(udp);
    }
}

bool udp_is_done(const struct udp *udp)
{
    return udp->filling == NULL && udp->flying == NULL;
}
