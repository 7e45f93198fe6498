/**
 * Every setting of busbard, from one table: its name (the flag is --NAME, the environment variable
 * BUSBAR_NAME in capitals with _ for -, the file's line "NAME = value"), its default, its limits
 * and its help text.
 *
 * A flag beats the environment, the environment the file, the file the default.
 */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/busbar.h"

#define SETTING_TEXT_MAX 1024

/** Read if it is there and no other is named. */
#define SETTINGS_CONFIG_DEFAULT "/etc/busbar/busbar.conf"

struct settings {
    char config[SETTING_TEXT_MAX]; /* file that was read; "": none */
    char data[SETTING_TEXT_MAX];
    char http[SETTING_TEXT_MAX];
    char line[SETTING_TEXT_MAX];
    char line_database[SETTING_TEXT_MAX];
    char line_precision[SETTING_TEXT_MAX];
    char udp[SETTING_TEXT_MAX];
    char udp_database[SETTING_TEXT_MAX];
    char udp_precision[SETTING_TEXT_MAX];
    char retention_autocreate[SETTING_TEXT_MAX];
    char cq_enabled[SETTING_TEXT_MAX];
    char cq_log_enabled[SETTING_TEXT_MAX];
    uint64_t cq_run_interval;
    char subscriber_enabled[SETTING_TEXT_MAX];
    uint64_t subscriber_http_timeout, subscriber_write_concurrency, subscriber_write_buffer_size;
    uint64_t subscriber_memory;
    char subscriber_any_certificate[SETTING_TEXT_MAX];
    char subscriber_ca_certs[SETTING_TEXT_MAX];
    char auth_enabled[SETTING_TEXT_MAX];
    char ping_auth_enabled[SETTING_TEXT_MAX];
    char log_level[SETTING_TEXT_MAX];
    bool line_given; /* 'line' is no default */

    /* sizes in bytes */
    uint64_t memory, memtable_memory, query_memory, request_memory, wal_buffer, catalog_map;
    uint64_t max_body, max_head, reply_buffer, write_piece;
    uint64_t line_batch_bytes, line_in_flight, max_line, reject_log, disk_reserve, udp_read_buffer;

    /* counts */
    uint64_t max_series_per_database, max_values_per_tag;
    uint64_t max_select_point, max_select_series, max_select_buckets, max_row_limit;
    uint64_t loops, write_threads, max_queries, max_concurrent_queries, query_threads,
        max_connections, line_batch_lines;

    /* times in milliseconds */
    uint64_t log_queries_after, query_timeout, queue_timeout, idle_timeout, read_timeout,
        request_timeout;
    uint64_t send_timeout, line_idle_timeout, line_batch_delay, drain_timeout, stop_timeout;
};

enum settings_action {
    SETTINGS_RUN,
    SETTINGS_HELP,
    SETTINGS_VERSION,
    SETTINGS_PRINT,
    SETTINGS_SAMPLE,
    SETTINGS_MAN,
    SETTINGS_METRICS
};

/**
 * Defaults, then the file, then the environment, then the arguments.
 *
 * env     [] "NAME=value", NULL at the end; only BUSBAR_ names are looked at
 * action  out: what the arguments ask for
 * Returns BB_OK; BB_EINVAL with the offending flag, variable or line in err.
 */
int settings_load(struct settings *s, int argc, char *const argv[], char *const env[],
                  enum settings_action *action, struct bb_error *err) BB_CHECKED;

/** The text of --help. */
void settings_help(FILE *out);

/** Every setting as "name = value", with its help as a comment. */
void settings_print(const struct settings *s, FILE *out);

/** A file in which every setting stands at its default, commented out. */
void settings_sample(FILE *out);

/** The list of settings of busbar.conf(5), as troff. */
void settings_man(FILE *out);

#endif
