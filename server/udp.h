/**
 * The UDP listener: datagrams of whole lines, no replies. Off unless `udp` names an address.
 *
 * Datagrams are received straight into a batch. One batch is on its way into the log while the next
 * fills; when that one is full, or memory is short, the socket is not read: the kernel's buffer
 * takes what comes then and drops the rest, which is counted as soon as a later datagram tells. A
 * refused line is counted by reason, logged and kept like those of the TCP listener.
 *
 * Thread  the first loop's.
 */
#ifndef SERVER_UDP_H
#define SERVER_UDP_H

#include "server/line_batch.h"

struct udp {
    uv_poll_t poll; /* first */
    struct loop *loop;
    int fd;
    bool open;    /* the loop has the handle */
    bool reading; /* the handle is on */
    bool ending;  /* no more datagrams will be taken */
    struct line_batch *filling, *flying;
    uint64_t filling_since_ms; /* when the first of its datagrams came */
    uint64_t retry_at_ms;      /* of flying; 0: it is under way */
    unsigned callbacks;        /* of flying that are still to come */
    uint32_t dropped_seen;     /* the kernel's count at the last look */
    unsigned logged_rejects;   /* in this minute, which began at */
    uint64_t logged_since_ms;
};

/** Read datagrams from a bound socket, which is closed in the end; -1: none, and nothing below does
 * anything. */
int udp_open(struct udp *udp, struct loop *loop, int fd, struct bb_error *err) BB_CHECKED;

/** Every LOOP_TICK_MS. */
void udp_tick(struct udp *udp, uint64_t now_ms);

/** The server stops: take no more, store what is there. overdue: give up what is not stored. */
void udp_stop(struct udp *udp, bool overdue);

/** Nothing of it is on its way any more. */
bool udp_is_done(const struct udp *udp);

#endif
