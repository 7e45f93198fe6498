/**
 * A client's sockets: HTTP/1.1 over one connection, and lines of text.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stddef.h>

#define NET_TEXT_MAX 1024

struct net {
    int fd;
    char host[NET_TEXT_MAX]; /* for the Host header */
    char in[65536];          /* read and not used yet */
    size_t in_len;
    char error[NET_TEXT_MAX];
};

/** address: "HOST:PORT". 0, or -1 with net->error. */
int net_open(struct net *net, const char *address);
void net_close(struct net *net);

/** Send all of it; 0 or -1. */
int net_send(struct net *net, const void *data, size_t n);

/**
 * One request and its reply.
 *
 * reply  [size] out: the body, cut to fit, NUL-terminated
 * Returns the status, or -1 with net->error.
 */
int net_http(struct net *net, const char *method, const char *path, const void *body, size_t n,
             char *reply, size_t size);

/** One line without its newline into line; 0, or -1 with net->error. */
int net_line(struct net *net, char *line, size_t size);

#endif
