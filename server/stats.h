/**
 * Numbers of the server for SHOW STATS and /debug/vars, by the names that InfluxDB has for them.
 * They are the counters that /metrics tells, too.
 */
#ifndef SERVER_STATS_H
#define SERVER_STATS_H

#include "engine/busbar.h"

/** bb_options.more_stats; server: a struct server. */
size_t stats_list(void *server, struct bb_stat *list, size_t max);

#endif
