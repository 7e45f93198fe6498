/**
 * busbard: open the data, listen, run until told to stop.
 *
 * SIGTERM or SIGINT: no more connections, requests in flight are finished, the memtable is flushed,
 * exit 0. A second signal ends the process at once with 1; so does nothing else, because whatever
 * has been acknowledged is in the log, and a process that takes longer than stop-timeout to flush
 * exits 0 without.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/http_auth.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "server/stats.h"
#include "server/udp.h"
#include "server/units.h"

#define LOOPS_MAX            256
#define ADMIN_THREADS        4
#define QUERIES_HELD_MAX     256 /* that wait for their clients and have lent their place */
#define REQUEST_MEMORY_MAX   ((uint64_t)256 << 20)
#define MEMORY_MIN           ((uint64_t)1 << 30)
#define DESCRIPTORS_OF_FILES 512

extern char **environ;

/* Set before the handlers are; read by them. */
static struct server *running;
static volatile sig_atomic_t signals_seen;

static struct udp udp; /* the first loop's */

/* ---- settings that depend on the machine ---- */

static uint64_t cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LOOPS_MAX ? LOOPS_MAX : (uint64_t)n;
}

static void resolve_settings(struct settings *s)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (s->memory == 0)
        s->memory = machine / 2 > MEMORY_MIN ? machine / 2 : MEMORY_MIN;
    if (s->request_memory == 0)
        s->request_memory = s->memory / 8 < REQUEST_MEMORY_MAX ? s->memory / 8 : REQUEST_MEMORY_MAX;
    /* A piece is one frame of the log, in which a short line takes more bytes than as text. */
    if (s->wal_buffer != 0 && s->write_piece > s->wal_buffer / 4)
        s->write_piece = s->wal_buffer / 4;
    /* A request holds up to four of them: a gzip body has two buffers, which double when full. */
    if (s->write_piece > s->request_memory / 8)
        s->write_piece = s->request_memory / 8;
    /* It asks nobody who he is: that must be somebody's wish. */
    if (strcmp(s->auth_enabled, "true") == 0 && !s->line_given)
        strcpy(s->line, "off");
    if (s->loops == 0)
        s->loops = cores();
    if (s->write_threads == 0)
        s->write_threads = cores();
    if (s->query_timeout == 0 || s->query_timeout > UINT32_MAX)
        s->query_timeout = UINT32_MAX; /* 49 days, in ms */
}

/** Every connection is a descriptor, and the engine needs some for files. */
static int raise_descriptor_limit(struct settings *s, struct bb_error *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return BB_OK;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max == RLIM_INFINITY ||
        limit.rlim_max >= s->max_connections + DESCRIPTORS_OF_FILES)
        return BB_OK;
    if (limit.rlim_max <= DESCRIPTORS_OF_FILES) {
        snprintf(err->text, sizeof(err->text),
                 "%" PRIu64 " open files are too few: want %d, and one more for each connection "
                 "(ulimit -Hn)",
                 (uint64_t)limit.rlim_max, DESCRIPTORS_OF_FILES);
        return err->code = BB_EINVAL;
    }
    s->max_connections = limit.rlim_max - DESCRIPTORS_OF_FILES;
    log_event(LOG_WARNING, "limit max-connections=%" PRIu64 " reason=\"%" PRIu64 " open files\"",
              s->max_connections, (uint64_t)limit.rlim_max);
    return BB_OK;
}

static int open_database(struct server *server, struct bb_error *err)
{
    const struct settings *s = &server->settings;
    struct bb_options options;
    bb_options_init(&options);
    options.memory_bytes = s->memory - s->request_memory;
    options.memtable_bytes = s->memtable_memory;
    options.query_memory_bytes = s->query_memory;
    options.wal_buffer_bytes = s->wal_buffer;
    options.catalog_map_bytes = s->catalog_map;
    options.disk_reserve_bytes = s->disk_reserve;
    options.query_threads = (uint32_t)s->query_threads;
    options.query_timeout_ms = (uint32_t)s->query_timeout;
    options.query_count_max = (uint32_t)s->max_concurrent_queries;
    options.series_max = s->max_series_per_database;
    options.tag_values_max = s->max_values_per_tag;
    options.select_points_max = s->max_select_point;
    options.select_series_max = s->max_select_series;
    options.select_buckets_max = s->max_select_buckets;
    options.create_if_missing = true;
    options.no_autogen = strcmp(s->retention_autocreate, "true") != 0;
    options.no_cq = strcmp(s->cq_enabled, "true") != 0;
    options.quiet_cq = strcmp(s->cq_log_enabled, "true") != 0;
    options.cq_interval_ms = (uint32_t)s->cq_run_interval;
    options.more_stats = stats_list;
    options.more_stats_arg = server;
    if (strcmp(s->subscriber_enabled, "true") == 0) {
        options.lines_stored = subscriber_stored;
        options.subscriptions_changed = subscriber_changed;
        options.subscription_numbers = subscriber_numbers;
        options.forward_arg = &server->subscriber;
        options.forward_bytes = s->subscriber_memory;
    }
    options.log = log_engine;
    return bb_db_open(s->data, &options, &server->db, err);
}

/* ---- the databases of the listeners for lines ---- */

static int ignore_index(void *arg, size_t index)
{
    (void)arg;
    (void)index;
    return 0;
}

static int ignore_series(void *arg, const struct bb_series *series)
{
    (void)arg;
    (void)series;
    return 0;
}

static int ignore_rows(void *arg, const struct bb_value *values, size_t row_count)
{
    (void)arg;
    (void)values;
    (void)row_count;
    return 0;
}

static int keep_error(void *arg, const struct bb_error *err)
{
    if (err != NULL)
        *(struct bb_error *)arg = *err;
    return 0;
}

static int create_database(struct server *server, const char *name, struct bb_error *err)
{
    char text[2 * SETTING_TEXT_MAX + 32] = "CREATE DATABASE \"";
    size_t n = strlen(text);
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            text[n++] = '\\';
        text[n++] = *p;
    }
    text[n++] = '"';
    struct bb_error failed = {0};
    struct bb_sink sink = {.arg = &failed,
                           .statement_begin = ignore_index,
                           .series = ignore_series,
                           .rows = ignore_rows,
                           .statement_end = keep_error};
    struct bb_query query = {.text = text, .text_length = n};
    int rc = bb_query(server->db, &query, &sink, err);
    if (rc == BB_OK && failed.code != BB_OK) {
        *err = failed;
        rc = failed.code;
    }
    return rc;
}

/* ---- stopping ---- */

/** Only what a signal handler may do. */
static void on_signal(int number)
{
    (void)number;
    if (++signals_seen > 1)
        _exit(1);
    alarm((unsigned)((running->settings.stop_timeout + 999) / 1000));
    for (size_t i = 0; i < running->loop_count; i++)
        loop_stop(&running->loops[i]);
}

/** The readings that are not flushed are in the log. */
static void on_alarm(int number)
{
    static const char text[] = "stop flushed=no reason=\"stop-timeout\"\n";
    (void)number;
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written;
    _exit(0);
}

static void handle_signals(struct server *server)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    running = server;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
}

/* ---- loops ---- */

static int bind_listener(struct server *server, const char *spec, int *fds, char *address,
                         struct bb_error *err)
{
    for (size_t i = 0; i < server->loop_count; i++)
        fds[i] = -1;
    if (listen_is_off(spec)) {
        strcpy(address, "off");
        return BB_OK;
    }
    return listen_bind(SOCK_STREAM, spec, fds, server->loop_count, address, err);
}

/** The first loop reads all datagrams, so that they are stored in the order in which they came. */
static int open_udp(struct server *server, struct bb_error *err)
{
    int fd = -1;
    if (listen_is_off(server->settings.udp))
        return BB_OK;
    int rc = listen_bind(SOCK_DGRAM, server->settings.udp, &fd, 1, server->udp_address, err);
    if (rc == BB_OK) {
        server->loops[0].udp = &udp;
        rc = udp_open(&udp, &server->loops[0], fd, err);
    }
    return rc;
}

static int init_loops(struct server *server, struct bb_error *err)
{
    int http_fds[LOOPS_MAX], line_fds[LOOPS_MAX];
    server->loop_count = server->settings.loops;
    server->loops = calloc(server->loop_count, sizeof(server->loops[0]));
    if (server->loops == NULL) {
        snprintf(err->text, sizeof(err->text), "out of memory: %zu loops", server->loop_count);
        return err->code = BB_ENOMEM;
    }
    int rc = bind_listener(server, server->settings.http, http_fds, server->http_address, err);
    if (rc == BB_OK)
        rc = bind_listener(server, server->settings.line, line_fds, server->line_address, err);
    for (size_t i = 0; i < server->loop_count && rc == BB_OK; i++)
        rc = loop_init(&server->loops[i], server, i, http_fds[i], line_fds[i], err);
    if (rc == BB_OK)
        rc = open_udp(server, err);
    return rc;
}

static void thread_main(void *arg)
{
    loop_run(arg);
}

/** The first loop has this thread, the only one that takes signals. */
static void run_loops(struct server *server)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    size_t started = 1;
    for (; started < server->loop_count; started++) {
        struct loop *loop = &server->loops[started];
        if (uv_thread_create(&loop->thread, thread_main, loop) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (started < server->loop_count) {
        log_event(LOG_ERROR, "start error=\"a thread cannot be started\"");
        for (size_t i = 0; i < server->loop_count; i++)
            loop_stop(&server->loops[i]);
    }
    loop_run(&server->loops[0]);
    for (size_t i = 1; i < started; i++)
        uv_thread_join(&server->loops[i].thread);
}

/* ---- from start to end ---- */

/** The order matters: whoever may still post to a loop ends before the loops are freed. */
static int stop(struct server *server, struct bb_error *err)
{
    __atomic_store_n(&server->async_canceled, 1, __ATOMIC_RELAXED);
    pool_fini(&server->write_pool);
    pool_fini(&server->query_pool);
    pool_fini(&server->auth_pool);
    pool_fini(&server->admin_pool);
    rates_fini(&server->rates);
    request_profiles_fini(&server->request_profiles);
    reject_log_close(&server->reject_log);
    subscriber_stop(&server->subscriber, (uint32_t)server->settings.drain_timeout);
    int rc = bb_db_close(&server->db, err);
    for (size_t i = 0; i < server->loop_count; i++)
        loop_fini(&server->loops[i]);
    free(server->loops);
    return rc;
}

static int start(struct server *server, struct bb_error *err)
{
    struct settings *s = &server->settings;
    resolve_settings(s);
    int rc = raise_descriptor_limit(s, err);
    if (rc != BB_OK)
        return rc;
    server->request_budget.limit_bytes = s->request_memory;
    rates_init(&server->rates, server);
    request_profiles_init(&server->request_profiles);
    server->line_precision_ns = units_precision_ns(s->line_precision);
    server->udp_precision_ns = units_precision_ns(s->udp_precision);
    log_set_level(s->log_level);
    /* Ports first: opening the data may take seconds, and a server that runs already has them. */
    rc = init_loops(server, err);
    if (rc == BB_OK)
        rc = subscriber_init(&server->subscriber, s, err);
    if (rc == BB_OK)
        rc = open_database(server, err);
    if (rc == BB_OK && strcmp(s->subscriber_enabled, "true") == 0)
        subscriber_start(&server->subscriber, server->db);
    if (rc == BB_OK && !listen_is_off(s->line))
        rc = create_database(server, s->line_database, err);
    if (rc == BB_OK && !listen_is_off(s->udp))
        rc = create_database(server, s->udp_database, err);
    if (rc == BB_OK)
        rc = pool_init(&server->write_pool, s->write_threads, 0, err);
    if (rc == BB_OK)
        rc = pool_init(&server->query_pool, s->max_queries, QUERIES_HELD_MAX, err);
    if (rc == BB_OK)
        rc = pool_init(&server->auth_pool, HTTP_AUTH_THREADS, 0, err);
    if (rc == BB_OK)
        rc = pool_init(&server->admin_pool, ADMIN_THREADS, 0, err);
    if (rc == BB_OK)
        rc = reject_log_open(&server->reject_log, s->data, s->reject_log, &server->admin_pool, err);
    return rc;
}

static int fail(const char *what, const struct bb_error *err)
{
    fprintf(stderr, "busbard: %s%s\n", what, err->text);
    return 1;
}

/** What one wants to know of a log that somebody sends. */
static void log_start(const struct server *server)
{
    const struct settings *s = &server->settings;
    log_event(LOG_INFO,
              "start version=%s pid=%ld http=%s line=%s udp=%s data=%s config=%s memory=%" PRIu64
              " loops=%zu write_threads=%" PRIu64 " max_queries=%" PRIu64 " max_body=%" PRIu64,
              bb_version(), (long)getpid(), server->http_address, server->line_address,
              udp.open ? server->udp_address : "off", s->data,
              s->config[0] == '\0' ? "none" : s->config, s->memory, server->loop_count,
              s->write_threads, s->max_queries, s->max_body);
}

int main(int argc, char *argv[])
{
    static struct server server;
    struct bb_error err = {0};
    enum settings_action action;
    if (settings_load(&server.settings, argc, argv, environ, &action, &err) != BB_OK)
        return fail("", &err);
    if (action == SETTINGS_HELP)
        settings_help(stdout);
    else if (action == SETTINGS_VERSION)
        printf("busbard %s\n", bb_version());
    else if (action == SETTINGS_PRINT)
        settings_print(&server.settings, stdout);
    else if (action == SETTINGS_SAMPLE)
        settings_sample(stdout);
    else if (action == SETTINGS_MAN)
        settings_man(stdout);
    else if (action == SETTINGS_METRICS)
        metrics_document(stdout);
    if (action != SETTINGS_RUN)
        return fflush(stdout) == 0 ? 0 : 1;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of the write, not of the process */
    if (start(&server, &err) != BB_OK)
        return fail("cannot start: ", &err);
    handle_signals(&server);
    printf("listening http=%s line=%s%s%s data=%s\n", server.http_address, server.line_address,
           udp.open ? " udp=" : "", udp.open ? server.udp_address : "", server.settings.data);
    fflush(stdout);
    log_start(&server);
    run_loops(&server);
    int64_t stop_ns = wall_clock_ns();
    log_event(LOG_INFO, "stop connections=%" PRId64,
              server.connections_http + server.connections_line);
    if (stop(&server, &err) != BB_OK)
        return fail("stopped with an error: ", &err);
    log_event(LOG_INFO, "stopped flushed=yes ms=%" PRId64, (wall_clock_ns() - stop_ns) / 1000000);
    return 0;
}
