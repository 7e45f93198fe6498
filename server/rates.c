#include "server/rates.h"

#include <uv.h>

#include "server/server.h"

static struct rates_sample look(struct server *server)
{
    struct bb_stats stats;
    bb_stats_get(server->db, &stats);
    return (struct rates_sample){.at_ms = uv_hrtime() / 1000000,
                                 .points = stats.points_written,
                                 .rejected = stats.points_rejected,
                                 .wal_bytes = stats.wal_bytes_written,
                                 .statements = stats.queries};
}

static void run(struct job *job)
{
    struct rates *rates = (struct rates *)job;
    struct rates_sample sample = look(rates->server);
    pthread_mutex_lock(&rates->lock);
    rates->samples[rates->count++ % RATES_SAMPLES] = sample;
    pthread_mutex_unlock(&rates->lock);
    atomic_store(&rates->under_way, false);
}

void rates_init(struct rates *rates, struct server *server)
{
    *rates = (struct rates){.job = {.run = run}, .server = server};
    pthread_mutex_init(&rates->lock, NULL);
}

void rates_fini(struct rates *rates)
{
    pthread_mutex_destroy(&rates->lock);
}

void rates_tick(struct rates *rates, uint64_t now_ms)
{
    if (now_ms < rates->next_ms || atomic_exchange(&rates->under_way, true))
        return;
    rates->next_ms = now_ms + RATES_EVERY_MS;
    if (!pool_submit(&rates->server->admin_pool, &rates->job))
        atomic_store(&rates->under_way, false);
}

struct rates_now rates_get(struct rates *rates)
{
    struct rates_now now = {0};
    struct rates_sample new = look(rates->server);
    pthread_mutex_lock(&rates->lock);
    size_t oldest = rates->count > RATES_SAMPLES ? rates->count - RATES_SAMPLES : 0;
    bool known = rates->count > 0;
    struct rates_sample old = rates->samples[oldest % RATES_SAMPLES];
    pthread_mutex_unlock(&rates->lock);
    if (!known || new.at_ms <= old.at_ms)
        return now;
    now.seconds = (double)(new.at_ms - old.at_ms) / 1e3;
    now.points = (double)(new.points - old.points) / now.seconds;
    now.rejected = (double)(new.rejected - old.rejected) / now.seconds;
    now.wal_bytes = (double)(new.wal_bytes - old.wal_bytes) / now.seconds;
    now.statements = (double)(new.statements - old.statements) / now.seconds;
    return now;
}
