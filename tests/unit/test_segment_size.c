/*
 * What a reading costs on disk, everything counted: half-hourly readings of 622 homes in segments
 * of a week each. Skipped where the data set is not at hand (BUSBAR_DATA, or ../shared/data beside
 * the source).
 */
#include <stdio.h>
#include <time.h>

#include "engine/base/clock.h"
#include "engine/segment/segment.h"
#include "engine/segment/writer.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define DATA_FILE  "edrp_household_30min.csv.gz"
#define WEEK_NS    (INT64_C(7) * 24 * 3600 * 1000000000)
#define BYTES_MOST 1.30

/* All readings, series after series. */
struct readings {
    uint32_t *series;
    int64_t *times;
    uint64_t *bits;
    size_t count, cap;
    size_t *runs; /* [run_count + 1] where a week of a series begins */
    size_t run_count;
};

static FILE *open_data(void)
{
    char command[2048];
    const char *dir = getenv("BUSBAR_DATA");
    const char *source = getenv("BUSBAR_SRCDIR");
    if (dir == NULL && source == NULL) {
        return NULL;
    }
    (void)snprintf(command, sizeof(command),
                   "f='%s%s/" DATA_FILE "'; test -r \"$f\" && zcat \"$f\"",
                   dir != NULL ? dir : source, dir != NULL ? "" : "/../shared/data");
    return popen(command, "r");
}

static void push(struct readings *r, uint32_t series, int64_t time_ns, double value)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 1 << 16 : r->cap * 2;
        r->series = realloc(r->series, r->cap * sizeof(*r->series));
        r->times = realloc(r->times, r->cap * sizeof(*r->times));
        r->bits = realloc(r->bits, r->cap * sizeof(*r->bits));
        assert_true(r->series != NULL && r->times != NULL && r->bits != NULL);
    }
    r->series[r->count] = series;
    r->times[r->count] = time_ns;
    memcpy(&r->bits[r->count], &value, sizeof(value));
    r->count++;
}

/* Lines of device_id,timestamp,value, grouped by device. */
static void read_data(FILE *in, struct readings *r)
{
    char line[256];
    char device[64] = "";
    uint32_t series = 0;
    while (fgets(line, sizeof(line), in) != NULL) {
        char name[64];
        struct tm tm = {0};
        double value;
        if (sscanf(line, "%63[^,],%d-%d-%dT%d:%d:%dZ,%lf", name, &tm.tm_year, &tm.tm_mon,
                   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &value) != 8) {
            continue;
        }
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        if (strcmp(name, device) != 0) {
            memcpy(device, name, sizeof(device));
            series++;
        }
        push(r, series, (int64_t)timegm(&tm) * 1000000000, value);
    }
}

static void find_runs(struct readings *r)
{
    r->runs = calloc(r->count + 1, sizeof(*r->runs));
    assert_non_null(r->runs);
    for (size_t i = 0; i < r->count; i++) {
        if (i == 0 || r->series[i] != r->series[i - 1] ||
            r->times[i] / WEEK_NS != r->times[i - 1] / WEEK_NS) {
            r->runs[r->run_count++] = i;
        }
    }
    r->runs[r->run_count] = r->count;
}

static uint64_t write_week(const struct readings *r, const struct bbi_fs *fs, int64_t week,
                           uint64_t *rows)
{
    struct bbi_segment_meta meta = {.id = (uint64_t)week, .job_parts = 1};
    struct bbi_segment_writer *w = NULL;
    struct bb_error err;
    assert_ok(bbi_segment_writer_create(fs, "/", &meta, NULL, &w, &err), &err);
    for (size_t k = 0; k < r->run_count; k++) {
        size_t i = r->runs[k];
        if (r->times[i] / WEEK_NS == week) {
            struct bbi_column column = {.field_id = 1, .type = BBI_FLOAT, .bits = r->bits + i};
            assert_ok(bbi_segment_writer_add(w, 1, r->series[i], r->times + i, r->runs[k + 1] - i,
                                             &column, 1, &err),
                      &err);
        }
    }
    assert_ok(bbi_segment_writer_finish(w, &meta, &err), &err);
    bbi_segment_writer_destroy(&w);
    *rows += meta.row_count;
    return meta.file_bytes;
}

static struct bbi_segment *open_week(const struct bbi_fs *fs, int64_t week)
{
    char path[BBI_FS_PATH_MAX];
    struct bbi_segment *seg = NULL;
    struct bb_error err;
    assert_ok(bbi_segment_path(path, "/", (uint64_t)week, &err), &err);
    assert_ok(bbi_segment_open(fs, path, NULL, &seg, &err), &err);
    assert_ok(bbi_segment_pin(seg, &err), &err);
    return seg;
}

/* Bytes of field pages; the rest is directories, index, headers. */
static uint64_t field_bytes(const struct bbi_segment *seg)
{
    size_t count = 0;
    uint64_t bytes = 0;
    const struct bbi_segment_group *groups = bbi_segment_groups(seg, &count);
    for (size_t g = 0; g < count; g++) {
        bytes += groups[g].fields[0].page_bytes;
    }
    return bytes;
}

/* Compare a week with the readings, or, r NULL, only add it up. */
static void read_week(struct bbi_segment *seg, const struct readings *r, int64_t week,
                      struct bbi_sum *sum)
{
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    struct bb_error err;
    uint64_t bits[BBI_SEGMENT_CHUNK_ROWS];
    int64_t times[BBI_SEGMENT_CHUNK_ROWS];
    size_t groups = 0;
    size_t at = 0;
    size_t n = 0;
    bbi_timepage_init(&tp, NULL);
    bbi_fieldpage_init(&fp, NULL);
    (void)bbi_segment_groups(seg, &groups);
    for (size_t g = 0; g < groups; g++) {
        assert_ok(bbi_segment_read_time(seg, g, &tp, &err), &err);
        assert_ok(bbi_segment_read_field(seg, g, 0, &tp, &fp, &err), &err);
        for (size_t c = 0; c < tp.chunk_count; c++) {
            size_t rows = tp.rows[c];
            if (r == NULL) {
                assert_ok(bbi_fieldpage_sum(&fp, c, 0, rows, sum, NULL, &n, &err), &err);
                continue;
            }
            while (r->times[at] / WEEK_NS != week) {
                at++;
            }
            assert_ok(bbi_fieldpage_values(&fp, c, 0, rows, bits, NULL, &n, &err), &err);
            assert_ok(bbi_timepage_times(&tp, c, 0, rows, times, &err), &err);
            assert_int_equal(tp.series[c], r->series[at]);
            assert_memory_equal(bits, r->bits + at, rows * sizeof(bits[0]));
            assert_memory_equal(times, r->times + at, rows * sizeof(times[0]));
            at += rows;
        }
    }
    bbi_fieldpage_fini(&fp);
    bbi_timepage_fini(&tp);
}

static void report(const struct readings *r, uint64_t bytes, uint64_t in_fields, int64_t write_ns,
                   int64_t sum_ns)
{
    double n = (double)r->count;
    print_message("%zu readings: %.4f bytes each, of which %.4f in field pages\n", r->count,
                  (double)bytes / n, (double)in_fields / n);
    print_message("written at %.0f, opened and summed at %.0f million readings per second\n",
                  n * 1e3 / (double)write_ns, n * 1e3 / (double)sum_ns);
    assert_true((double)bytes / n <= BYTES_MOST);
}

static void test_half_hourly_readings(void **state)
{
    (void)state;
    FILE *in = open_data();
    struct readings r = {.count = 0};
    if (in != NULL) {
        read_data(in, &r);
        (void)pclose(in);
    }
    if (r.count == 0) {
        print_message(DATA_FILE " is not at hand\n");
        skip();
    }
    find_runs(&r);
    struct simdisk *disk = simdisk_create(1);
    const struct bbi_fs *fs = simdisk_fs(disk);
    uint64_t bytes = 0;
    uint64_t in_fields = 0;
    uint64_t rows = 0;
    struct bbi_sum sum;
    bbi_sum_init(&sum, NULL);
    int64_t write_ns = 0;
    int64_t sum_ns = 0;
    int64_t first = r.times[0] / WEEK_NS;
    for (int64_t week = first; week <= r.times[r.count - 1] / WEEK_NS; week++) {
        int64_t start = bbi_clock_cpu_ns();
        bytes += write_week(&r, fs, week, &rows);
        write_ns += bbi_clock_cpu_ns() - start;
        struct bbi_segment *seg = open_week(fs, week);
        in_fields += field_bytes(seg);
        read_week(seg, &r, week, NULL);
        start = bbi_clock_cpu_ns();
        read_week(seg, NULL, week, &sum);
        sum_ns += bbi_clock_cpu_ns() - start;
        bbi_segment_unpin(seg);
        bbi_segment_unref(&seg);
    }
    assert_int_equal(rows, r.count);
    report(&r, bytes, in_fields, write_ns, sum_ns);
    bbi_sum_fini(&sum);
    simdisk_destroy(&disk);
    free(r.series);
    free(r.times);
    free(r.bits);
    free(r.runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_hourly_readings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
