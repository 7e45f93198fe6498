#include "server/stats.h"

#include "server/process.h"
#include "server/server.h"

struct stats_out {
    struct bb_stat *list;
    size_t count, max;
    const char *module, *tag, *tag_text;
};

static void put(struct stats_out *out, const char *name, uint64_t value)
{
    if (out->count < out->max)
        out->list[out->count++] = (struct bb_stat){.module = out->module,
                                                   .tag = out->tag,
                                                   .tag_text = out->tag_text,
                                                   .name = name,
                                                   .value = value};
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t duration_ns(const struct counters *counters, enum server_path path)
{
    struct bb_latency latency;
    bb_latency_read(&counters->request_latency[path], &latency);
    return latency.sum_ns;
}

static void put_httpd(struct stats_out *out, struct server *server)
{
    const struct counters *c = &server->counters;
    struct pool_load write = pool_look(&server->write_pool);
    struct pool_load query = pool_look(&server->query_pool);
    uint64_t write_ns = duration_ns(c, SERVER_PATH_WRITE);
    uint64_t query_ns = duration_ns(c, SERVER_PATH_QUERY);
    uint64_t writes = load(&c->requests[SERVER_PATH_WRITE]);
    uint64_t queries = load(&c->requests[SERVER_PATH_QUERY]);
    uint64_t others = load(&c->requests[SERVER_PATH_OTHER]);
    out->module = "httpd";
    out->tag = "bind";
    out->tag_text = server->http_address;
    put(out, "authFail", load(&c->errors[401 - 400]));
    put(out, "clientError", load(&c->replies_4xx));
    put(out, "pingReq", load(&c->pings));
    put(out, "pointsWrittenDropped", load(&c->http_points_refused));
    put(out, "pointsWrittenOK", load(&c->http_points_stored));
    put(out, "queryReq", queries);
    put(out, "queryReqDurationNs", query_ns);
    put(out, "queryRespBytes", load(&c->query_reply_bytes));
    put(out, "req", writes + queries + others);
    put(out, "reqActive", write.running + write.waiting + query.running + query.waiting);
    put(out, "reqDurationNs", write_ns + query_ns + duration_ns(c, SERVER_PATH_OTHER));
    put(out, "serverError", load(&c->replies_5xx));
    put(out, "writeReq", writes);
    put(out, "writeReqActive", write.running + write.waiting);
    put(out, "writeReqBytes", load(&c->request_bytes));
    put(out, "writeReqDurationNs", write_ns);
}

static void put_udp(struct stats_out *out, struct server *server)
{
    const struct counters *c = &server->counters;
    if (server->udp_address[0] == '\0')
        return;
    out->module = "udp";
    out->tag = "bind";
    out->tag_text = server->udp_address;
    put(out, "batchesTx", load(&c->udp_batches));
    put(out, "bytesRx", load(&c->udp_bytes));
    put(out, "datagramsDropped", load(&c->udp_dropped));
    put(out, "datagramsRx", load(&c->udp_datagrams));
}

static void put_subscriber(struct stats_out *out, struct server *server)
{
    const struct forward_counters *c = &server->subscriber.counters;
    out->module = "subscriber";
    out->tag = NULL;
    put(out, "createFailures", load(&c->create_failures));
    put(out, "pointsWritten", load(&c->points_written));
    put(out, "writeFailures", load(&c->write_failures));
}

/** What a program in Go says of its memory, as far as it can be said here. */
static void put_runtime(struct stats_out *out, struct server *server)
{
    struct bb_stats stats;
    struct process process;
    bb_stats_get(server->db, &stats);
    process_look(&process);
    out->module = "runtime";
    out->tag = NULL;
    put(out, "Alloc", stats.memory_used_bytes);
    put(out, "HeapAlloc", stats.memory_used_bytes);
    put(out, "HeapInUse", stats.memory_used_bytes);
    put(out, "HeapSys", (uint64_t)process.resident_bytes);
    put(out, "NumGoroutine", (uint64_t)process.threads);
    put(out, "Sys", (uint64_t)process.resident_bytes);
}

size_t stats_list(void *server, struct bb_stat *list, size_t max)
{
    struct stats_out out = {.list = list, .max = max};
    put_httpd(&out, server);
    put_udp(&out, server);
    put_runtime(&out, server);
    put_subscriber(&out, server);
    return out.count;
}
