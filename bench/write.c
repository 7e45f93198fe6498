#include "bench/write.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/batches.h"
#include "bench/net.h"
#include "bench/process.h"
#include "client/busbar_client.h"

#define IDLE_WAIT_S 600
#define POLL_US     50000

struct run {
    const struct options *o;
    struct bb_client *client; /* for all but the lines */
    struct batches batches;
    double *latency_s; /* [batches.count] */
};

struct sender {
    struct run *run;
    pthread_t thread;
    uint64_t index;
    uint64_t acknowledged; /* lines */
    int failed;
    struct net net;
};

/* ---- senders ---- */

/** The server as the options name it; retries and limits would hide what is measured. */
static int connect_to(const struct run *run, struct bb_client **client,
                      struct bb_client_error *error)
{
    struct bb_client_options options;
    bb_client_options_init(&options);
    options.url = run->o->url;
    options.database = run->o->db;
    options.precision = run->o->precision;
    options.retry_total_ms = 0;
    options.write_timeout_ms = options.get_timeout_ms = 0;
    return bb_client_create(client, &options, error);
}

static int send_http(struct sender *s)
{
    const struct options *o = s->run->o;
    struct batch scratch = {0};
    struct bb_client *client;
    struct bb_client_error error;
    int rc = connect_to(s->run, &client, &error);
    for (uint64_t i = s->index; i < s->run->batches.count && rc == 0; i += o->connections) {
        const struct batch *batch = batches_get(&s->run->batches, i, &scratch);
        if (batch == NULL) {
            snprintf(error.text, sizeof(error.text), "out of memory");
            rc = BB_CLIENT_NOMEM;
            break;
        }
        double start = process_now_s();
        rc = bb_client_write(client, batch->data, batch->len, &error);
        s->run->latency_s[i] = process_now_s() - start;
        if (rc == BB_CLIENT_OK)
            s->acknowledged += batch->lines;
    }
    if (rc != BB_CLIENT_OK)
        snprintf(s->net.error, sizeof(s->net.error), "%.1000s", error.text);
    free(scratch.data);
    bb_client_destroy(&client);
    return rc;
}

/** Wait for the answer to the sync that follows batch i. */
static int await_sync(struct sender *s, uint64_t i, const double *sent)
{
    char line[NET_TEXT_MAX], expect[64];
    const struct batches *b = &s->run->batches;
    snprintf(expect, sizeof(expect), "synced %" PRIu64, i);
    if (net_line(&s->net, line, sizeof(line)) != 0)
        return -1;
    if (strcmp(line, expect) != 0) {
        snprintf(s->net.error, sizeof(s->net.error), "got '%.100s' instead of '%s'", line, expect);
        return -1;
    }
    s->run->latency_s[i] = process_now_s() - sent[i];
    uint64_t left = b->total_lines - i * b->lines;
    s->acknowledged += i < b->prepared ? b->batch[i].lines : left < b->lines ? left : b->lines;
    return 0;
}

static int send_tcp(struct sender *s)
{
    const struct options *o = s->run->o;
    const struct batches *b = &s->run->batches;
    struct batch scratch = {0};
    char text[NET_TEXT_MAX];
    double *sent = calloc(b->count, sizeof(sent[0]));
    uint64_t waiting = s->index; /* the first whose sync is not answered */
    int rc = sent == NULL ? -1 : net_open(&s->net, o->tcp);
    int n = snprintf(text, sizeof(text), "# db %s\n# precision %s\n", o->db, o->precision);
    if (rc == 0)
        rc = net_send(&s->net, text, (size_t)n);
    for (uint64_t i = s->index; i < b->count && rc == 0; i += o->connections) {
        const struct batch *batch = batches_get(b, i, &scratch);
        n = snprintf(text, sizeof(text), "# sync %" PRIu64 "\n", i);
        sent[i] = process_now_s();
        rc = batch == NULL ? -1 : net_send(&s->net, batch->data, batch->len);
        if (rc == 0)
            rc = net_send(&s->net, text, (size_t)n);
        if (rc == 0 && i - waiting >= (o->window - 1) * o->connections) {
            rc = await_sync(s, waiting, sent);
            waiting += o->connections;
        }
    }
    for (; waiting < b->count && rc == 0; waiting += o->connections)
        rc = await_sync(s, waiting, sent);
    free(scratch.data);
    free(sent);
    net_close(&s->net);
    return rc;
}

static void *sender_main(void *arg)
{
    struct sender *s = arg;
    s->failed = s->run->o->tcp[0] != '\0' ? send_tcp(s) : send_http(s);
    return NULL;
}

static int send_all(struct run *run, uint64_t *acknowledged)
{
    uint64_t count = run->o->connections;
    struct sender *senders = calloc(count, sizeof(senders[0]));
    int rc = 0;
    *acknowledged = 0;
    if (senders == NULL)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        senders[i].run = run;
        senders[i].index = i;
        if (pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]) != 0) {
            fprintf(stderr, "busbar-bench: a thread cannot be started\n");
            exit(1);
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        pthread_join(senders[i].thread, NULL);
        *acknowledged += senders[i].acknowledged;
        if (senders[i].failed != 0) {
            fprintf(stderr, "busbar-bench: %s\n", senders[i].net.error);
            rc = -1;
        }
    }
    free(senders);
    return rc;
}

/* ---- around it ---- */

static int told(const char *what, const struct bb_client_error *error)
{
    fprintf(stderr, "busbar-bench: %s: %s\n", what, error->text);
    return -1;
}

static int create_database(const struct run *run)
{
    char query[NET_TEXT_MAX];
    struct bb_client_error error;
    snprintf(query, sizeof(query), "CREATE DATABASE \"%.500s\"", run->o->db);
    if (bb_client_query(run->client, query, NULL, NULL, &error) != BB_CLIENT_OK)
        return told(query, &error);
    return 0;
}

/** Flush, and wait until there is nothing more to flush or compact. */
static int wait_idle(const struct run *run)
{
    struct bb_client_error error;
    double end = process_now_s() + IDLE_WAIT_S;
    if (!run->o->no_flush &&
        bb_client_post(run->client, "/debug/flush", "", 0, NULL, NULL, &error) != BB_CLIENT_OK)
        return told("/debug/flush", &error);
    while (process_now_s() < end) {
        char *metrics;
        if (bb_client_get(run->client, "/metrics", &metrics, NULL, &error) != BB_CLIENT_OK)
            return told("/metrics", &error);
        bool idle = strstr(metrics, "\nbusbar_background_idle 1\n") != NULL;
        bb_client_free(metrics);
        if (idle)
            return 0;
        usleep(POLL_US);
    }
    fprintf(stderr, "busbar-bench: the server is not idle after %d s\n", IDLE_WAIT_S);
    return -1;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report_latency(const struct run *run)
{
    uint64_t n = run->batches.count;
    double *l = run->latency_s;
    qsort(l, n, sizeof(l[0]), compare_doubles);
    printf("latency of a request   p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", l[n / 2] * 1e3,
           l[n - 1 - n / 100] * 1e3, l[n - 1] * 1e3);
}

static void report_cpu(const char *what, double seconds, uint64_t lines)
{
    printf("server CPU %-12s%.2f s, %.3f s per million\n", what, seconds,
           seconds / ((double)lines / 1e6));
}

static int measure(struct run *run)
{
    const struct options *o = run->o;
    pid_t pid = (pid_t)o->pid;
    uint64_t acknowledged;
    double cpu_start = process_cpu_s(pid);
    double start = process_now_s();
    int rc = send_all(run, &acknowledged);
    double sent_s = process_now_s() - start;
    double cpu_sent = process_cpu_s(pid);
    printf("readings acknowledged  %" PRIu64 " of %" PRIu64 "\n", acknowledged,
           run->batches.total_lines);
    printf("time                   %.2f s, %.0f readings/s\n", sent_s,
           (double)acknowledged / sent_s);
    if (rc != 0)
        return 1;
    report_latency(run);
    rc = wait_idle(run);
    double cpu_idle = process_cpu_s(pid);
    printf("time until idle        %.2f s\n", process_now_s() - start);
    if (pid != 0 && cpu_start >= 0 && cpu_idle >= 0) {
        report_cpu("to last ack", cpu_sent - cpu_start, acknowledged);
        report_cpu("until idle", cpu_idle - cpu_start, acknowledged);
        printf("server peak memory     %.0f MiB\n", process_peak_mib(pid));
    }
    if (o->data[0] != '\0') {
        double bytes = process_disk_bytes(o->data);
        printf("on disk                %.0f bytes, %.3f per reading sent\n", bytes,
               bytes / (double)acknowledged);
    }
    return rc == 0 && acknowledged == run->batches.total_lines ? 0 : 1;
}

int bench_write(const struct options *o, const struct workload *w)
{
    struct run run = {.o = o};
    struct bb_client_error error;
    if (connect_to(&run, &run.client, &error) != BB_CLIENT_OK) {
        told(o->url, &error);
        return 1;
    }
    if (create_database(&run) != 0) {
        bb_client_destroy(&run.client);
        return 1;
    }
    int rc = w == NULL ? batches_load(&run.batches, o->file, o->lines)
                       : batches_generate(&run.batches, w, o->lines, o->prepare_mib << 20);
    if (rc == 0 && run.batches.count > 0) {
        run.latency_s = calloc(run.batches.count, sizeof(run.latency_s[0]));
        rc = run.latency_s == NULL ? 1 : measure(&run);
    }
    free(run.latency_s);
    batches_free(&run.batches);
    bb_client_destroy(&run.client);
    return rc == 0 ? 0 : 1;
}
