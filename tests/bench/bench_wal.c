/**
 * The log on a real disk: appends a second alone and in groups, bytes a second, and replay.
 *
 *     bench_wal DIR [MIB]      DIR is an empty directory; MIB of log for appending and replay
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/wal/wal.h"

#define PAYLOAD     45000U /* 5,000 rows of one float */
#define WRITERS     64
#define GROUP_TIME  INT64_C(2000000000)
#define NS_A_SECOND 1e9

struct bench {
    struct bbi_wal *wal;
    pthread_mutex_t write_lock;
    int64_t until;
    uint64_t frames[WRITERS];
};

struct writer {
    struct bench *bench;
    int number;
};

static uint8_t payload[PAYLOAD];

static void check(int rc, const struct bb_error *err)
{
    if (rc != BB_OK) {
        fprintf(stderr, "bench_wal: %s\n", err->text);
        exit(1);
    }
}

static void open_log(struct bench *b, const char *dir, struct bbi_wal_report *report)
{
    struct bb_error err;
    check(bbi_wal_open(bbi_fs_posix(), dir, NULL, NULL, NULL, 0, NULL, NULL, &b->wal, report, &err),
          &err);
}

static uint64_t append(struct bench *b, size_t length)
{
    struct bb_error err;
    uint64_t lsn;
    struct bbi_wal_piece pieces[2] = {{payload, length}, {NULL, 0}};
    check(bbi_wal_append(b->wal, pieces, NULL, &lsn, &err), &err);
    return lsn;
}

static void *write_small(void *arg)
{
    struct writer *w = arg;
    struct bb_error err;
    while (bbi_clock_mono_ns() < w->bench->until) {
        pthread_mutex_lock(&w->bench->write_lock);
        uint64_t lsn = append(w->bench, 200);
        pthread_mutex_unlock(&w->bench->write_lock);
        check(bbi_wal_wait(w->bench->wal, lsn, &err), &err);
        w->bench->frames[w->number]++;
    }
    return NULL;
}

static void run_groups(struct bench *b, int writers)
{
    pthread_t threads[WRITERS];
    struct writer args[WRITERS];
    struct bbi_wal_stats before;
    struct bbi_wal_stats after;
    uint64_t frames = 0;
    bbi_wal_get_stats(b->wal, &before);
    b->until = bbi_clock_mono_ns() + GROUP_TIME;
    for (int i = 0; i < writers; i++) {
        b->frames[i] = 0;
        args[i] = (struct writer){.bench = b, .number = i};
        pthread_create(&threads[i], NULL, write_small, &args[i]);
    }
    for (int i = 0; i < writers; i++) {
        pthread_join(threads[i], NULL);
        frames += b->frames[i];
    }
    bbi_wal_get_stats(b->wal, &after);
    uint64_t syncs = after.syncs - before.syncs;
    printf("%2d writers, 200 bytes: %8.0f durable frames/s, %5.1f frames a sync, %.0f us a sync\n",
           writers, (double)frames / ((double)GROUP_TIME / NS_A_SECOND),
           (double)frames / (double)syncs,
           (double)(after.sync_ns - before.sync_ns) / 1000 / (double)syncs);
}

static void run_stream(struct bench *b, uint64_t bytes)
{
    struct bb_error err;
    uint64_t lsn = 0;
    int64_t start = bbi_clock_mono_ns();
    int64_t in_append = 0;
    for (uint64_t done = 0; done < bytes; done += PAYLOAD) {
        int64_t at = bbi_clock_mono_ns();
        lsn = append(b, PAYLOAD);
        in_append += bbi_clock_mono_ns() - at;
    }
    check(bbi_wal_wait(b->wal, lsn, &err), &err);
    double s = (double)(bbi_clock_mono_ns() - start) / NS_A_SECOND;
    printf("stream of %u bytes a frame: %.0f MB/s durable, %.1f us an append, waits included\n",
           PAYLOAD, (double)bytes / 1e6 / s, (double)in_append / 1000 / ((double)bytes / PAYLOAD));
}

static void run_replay(struct bench *b, const char *dir)
{
    struct bb_error err;
    struct bbi_wal_report report;
    check(bbi_wal_close(&b->wal, &err), &err);
    int64_t start = bbi_clock_mono_ns();
    open_log(b, dir, &report);
    double s = (double)(bbi_clock_mono_ns() - start) / NS_A_SECOND;
    printf("replay: %.0f MB in %.3f s, %.0f MB/s\n", (double)report.bytes / 1e6, s,
           (double)report.bytes / 1e6 / s);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_wal DIR [MIB]\n");
        return 2;
    }
    struct bb_error err;
    struct bench b = {.write_lock = PTHREAD_MUTEX_INITIALIZER};
    uint64_t bytes = (argc > 2 ? strtoull(argv[2], NULL, 10) : 512) << 20;
    for (size_t i = 0; i < PAYLOAD; i++) {
        payload[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    open_log(&b, argv[1], NULL);
    run_groups(&b, 1);
    run_groups(&b, 8);
    run_groups(&b, WRITERS);
    run_stream(&b, bytes);
    run_replay(&b, argv[1]);
    check(bbi_wal_trim(b.wal, bbi_wal_end(b.wal), &err), &err);
    check(bbi_wal_close(&b.wal, &err), &err);
    return 0;
}
