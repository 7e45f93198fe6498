/**
 * A producer's socket: lines of text, out and in. HTTP goes by libbusbar-client.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stddef.h>

#define NET_TEXT_MAX 1024

struct net {
    int fd;
    char in[65536]; /* read and not used yet */
    size_t in_len;
    char error[NET_TEXT_MAX];
};

/** address: "HOST:PORT". 0, or -1 with net->error. */
int net_open(struct net *net, const char *address);
void net_close(struct net *net);

/** Send all of it; 0 or -1. */
int net_send(struct net *net, const void *data, size_t n);

/** One line without its newline into line; 0, or -1 with net->error. */
int net_line(struct net *net, char *line, size_t size);

#endif
