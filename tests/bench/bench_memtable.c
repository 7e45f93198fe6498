/**
 * Nanoseconds a row of the write path below the parser: batch record, memtable, and reading back.
 *
 *     bench_memtable [SERIES [ROUNDS]]      default 10,000 series, 100 rows each, round robin
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/memtable/memtable.h"
#include "engine/wal/batchrec.h"
#include "tests/lib/rng.h"

#define BATCH_POINTS 5000U

struct bench {
    uint32_t series;
    uint32_t rounds;
    struct bbi_point points[BATCH_POINTS];
    struct bbi_cell cells[BATCH_POINTS];
    struct bbi_batch batch;
    struct rng random;
};

static void check(int rc, const struct bb_error *err)
{
    if (rc != BB_OK) {
        fprintf(stderr, "bench_memtable: %s\n", err->text);
        exit(1);
    }
}

static void report(const char *what, int64_t ns, uint64_t rows)
{
    printf("%-28s %8.1f ns a row\n", what, (double)ns / (double)rows);
}

/* Batch number i of the feed: readings of all series at one time, then all at the next. */
static void make_batch(struct bench *b, uint64_t i)
{
    b->batch = (struct bbi_batch){.db_id = 1,
                                  .rp_id = 1,
                                  .points = b->points,
                                  .point_count = BATCH_POINTS,
                                  .cells = b->cells,
                                  .cell_count = BATCH_POINTS};
    for (uint32_t k = 0; k < BATCH_POINTS; k++) {
        uint64_t row = i * BATCH_POINTS + k;
        double value = (double)rng_below(&b->random, 100000) / 1000;
        b->points[k] = (struct bbi_point){.time_ns = 1700000000000000000 +
                                                     (int64_t)(row / b->series) * 900000000000,
                                          .series_id = 1 + (uint32_t)(row % b->series),
                                          .measurement_id = 1,
                                          .cell_first = k,
                                          .cell_count = 1};
        b->cells[k] = (struct bbi_cell){.field_id = 1, .type = BBI_FLOAT};
        memcpy(&b->cells[k].v.bits, &value, sizeof(value));
    }
}

static void run_batchrec(struct bench *b, uint64_t batches)
{
    struct bb_error err;
    struct bbi_buf buf;
    struct bbi_batchbuf decoded;
    bbi_buf_init(&buf, NULL, 1 << 20);
    bbi_batchbuf_init(&decoded, NULL);
    int64_t encode_ns = 0;
    int64_t decode_ns = 0;
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < batches; i++) {
        make_batch(b, i);
        int64_t start = bbi_clock_mono_ns();
        bbi_buf_reset(&buf);
        bbi_batchrec_encode(&buf, &b->batch);
        int64_t mid = bbi_clock_mono_ns();
        struct bbi_cursor c;
        bbi_cursor_init(&c, buf.data, buf.len);
        check(bbi_batchrec_decode(&c, &decoded, &err), &err);
        decode_ns += bbi_clock_mono_ns() - mid;
        encode_ns += mid - start;
        bytes += buf.len;
    }
    report("batch record, encode", encode_ns, batches * BATCH_POINTS);
    report("batch record, decode", decode_ns, batches * BATCH_POINTS);
    printf("%-28s %8.2f bytes a row\n", "batch record",
           (double)bytes / (double)batches / BATCH_POINTS);
    bbi_batchbuf_fini(&decoded);
    bbi_buf_fini(&buf);
}

static void read_back(const struct bbi_memtable *mt, uint64_t lsn)
{
    struct bb_error err;
    const struct bbi_memspace *space = bbi_memtable_space(mt, 1, 1);
    struct bbi_memrows rows;
    struct bbi_memmerge merge;
    struct bbi_memseries *series;
    size_t count;
    uint64_t seen = 0;
    bbi_memrows_init(&rows, NULL);
    bbi_memmerge_init(&merge, NULL);
    int64_t start = bbi_clock_mono_ns();
    check(bbi_memspace_series(space, NULL, &series, &count, &err), &err);
    int64_t listed = bbi_clock_mono_ns();
    printf("%-28s %8.1f ns a series\n", "list of series", (double)(listed - start) / (double)count);
    for (size_t i = 0; i < count; i++) {
        check(bbi_memspace_read(space, series[i].series_id, 1, INT64_MIN, INT64_MAX, lsn, &rows,
                                &err),
              &err);
        seen += rows.count;
    }
    int64_t read = bbi_clock_mono_ns();
    report("read, field by field", read - listed, seen);
    for (size_t i = 0; i < count; i++) {
        check(bbi_memspace_read_series(space, series[i].series_id, INT64_MIN, INT64_MAX, lsn,
                                       &merge, &err),
              &err);
    }
    report("read, series by series", bbi_clock_mono_ns() - read, seen);
    bbi_mem_free(series);
    bbi_memmerge_fini(&merge);
    bbi_memrows_fini(&rows);
}

static void run_memtable(struct bench *b, uint64_t batches)
{
    struct bb_error err;
    struct bbi_memtable *mt;
    check(bbi_memtable_create(NULL, 0, &mt, &err), &err);
    int64_t prepare_ns = 0;
    int64_t apply_ns = 0;
    for (uint64_t i = 0; i < batches; i++) {
        make_batch(b, i);
        int64_t start = bbi_clock_mono_ns();
        check(bbi_memtable_prepare(mt, &b->batch, &err), &err);
        int64_t mid = bbi_clock_mono_ns();
        bbi_memtable_apply(mt, &b->batch, 8 * (i + 1));
        apply_ns += bbi_clock_mono_ns() - mid;
        prepare_ns += mid - start;
    }
    uint64_t rows = batches * BATCH_POINTS;
    report("memtable, prepare", prepare_ns, rows);
    report("memtable, apply", apply_ns, rows);
    report("memtable, both", prepare_ns + apply_ns, rows);
    printf("%-28s %8.1f bytes a row, %.1f a series\n", "memtable",
           (double)bbi_memtable_bytes(mt) / (double)rows,
           (double)bbi_memtable_bytes(mt) / b->series);
    read_back(mt, 8 * batches);
    bbi_memtable_unref(&mt);
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof(*b));
    b->series = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
    b->rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100;
    b->random = rng_of(1);
    uint64_t batches = (uint64_t)b->series * b->rounds / BATCH_POINTS;
    if (batches == 0) {
        fprintf(stderr, "bench_memtable: SERIES times ROUNDS must be at least %u\n", BATCH_POINTS);
        return 2;
    }
    run_batchrec(b, batches);
    run_memtable(b, batches);
    free(b);
    return 0;
}
