/*
 * Sizes and speeds of the value codec on real series.
 *
 *     bench_codec [DIR]
 *
 * DIR (else $BUSBAR_DATA, else ../shared/data beside the source tree) holds gzipped CSV files with
 * the columns device_id,timestamp,value... Sizes are those of payloads and directories, pages of
 * 32,768 values. Speeds are those of one core in CPU time, the best of many rounds over a part of
 * the series that stays in the cache, so that other work on the machine disturbs them little. Files
 * that are missing are passed over with a word.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/codec/bitpack.h"
#include "engine/codec/chunk.h"

#ifndef BUSBAR_DATA_DIR
#define BUSBAR_DATA_DIR "../shared/data"
#endif

#define PAGE_VALUES 32768
#define ROUNDS      300

/* Values that speeds are measured on: their encoded form fits the second-level cache. */
#define SPEED_VALUES 262144

struct series {
    size_t first;
    size_t count;
};

struct dataset {
    uint64_t *bits;
    size_t count, cap;
    struct series *series;
    size_t series_count, series_cap;
    bool integer; /* bits are int64 */
};

struct encoded {
    struct bbi_chunk *chunks;
    uint64_t *offsets; /* of payloads */
    size_t chunk_count;
    struct bbi_buf payload;
    struct bbi_buf dir;
};

static void die(const char *what, const struct bb_error *err)
{
    fprintf(stderr, "bench_codec: %s%s%s\n", what, err != NULL ? ": " : "",
            err != NULL ? err->text : "");
    exit(1);
}

static void add_value(struct dataset *d, const char *device, char *last_device, double v)
{
    if (d->count == d->cap) {
        d->cap = d->cap == 0 ? 1 << 16 : 2 * d->cap;
        d->bits = realloc(d->bits, d->cap * sizeof(*d->bits));
    }
    if (strcmp(device, last_device) != 0) {
        if (d->series_count == d->series_cap) {
            d->series_cap = d->series_cap == 0 ? 64 : 2 * d->series_cap;
            d->series = realloc(d->series, d->series_cap * sizeof(*d->series));
        }
        d->series[d->series_count++] = (struct series){d->count, 0};
        snprintf(last_device, 64, "%s", device);
    }
    if (d->bits == NULL || d->series == NULL) {
        die("out of memory", NULL);
    }
    memcpy(&d->bits[d->count++], &v, sizeof(v));
    d->series[d->series_count - 1].count++;
}

/* Column `column` (2 is the first value) of a file; false: it is not there. */
static bool load(const char *dir, const char *name, int column, struct dataset *d)
{
    char command[512];
    char line[512];
    char last[64] = "";
    memset(d, 0, sizeof(*d));
    snprintf(command, sizeof(command), "gzip -dc '%s/%s.csv.gz' 2>/dev/null", dir, name);
    FILE *in = popen(command, "r");
    if (in == NULL || fgets(line, sizeof(line), in) == NULL) {
        printf("%s: no file in %s, left out\n", name, dir);
        if (in != NULL) {
            pclose(in);
        }
        return false;
    }
    while (fgets(line, sizeof(line), in) != NULL) {
        char *field = line;
        char *device = strsep(&field, ",");
        for (int i = 1; i < column && field != NULL; i++) {
            (void)strsep(&field, ",");
        }
        const char *text = field == NULL ? NULL : strsep(&field, ",\r\n");
        if (text != NULL && *text != '\0') {
            add_value(d, device, last, strtod(text, NULL));
        }
    }
    pclose(in);
    return true;
}

static void unload(struct dataset *d)
{
    free(d->bits);
    free(d->series);
}

static void encode(const struct dataset *d, size_t chunk_values, struct encoded *e)
{
    struct bb_error err;
    enum bbi_type type = d->integer ? BBI_INT : BBI_FLOAT;
    struct bbi_chunk_scratch *scratch = bbi_chunk_scratch_create(NULL);
    if (scratch == NULL) {
        die("out of memory", NULL);
    }
    e->chunk_count = 0;
    bbi_buf_reset(&e->payload);
    for (size_t s = 0; s < d->series_count; s++) {
        const struct series *series = &d->series[s];
        for (size_t at = 0; at < series->count; at += chunk_values) {
            size_t n = series->count - at < chunk_values ? series->count - at : chunk_values;
            struct bbi_chunk *c = &e->chunks[e->chunk_count];
            e->offsets[e->chunk_count++] = e->payload.len;
            if (bbi_chunk_encode(type, d->bits + series->first + at, n, c, &e->payload, scratch,
                                 &err) != BB_OK) {
                die("encode", &err);
            }
        }
    }
    bbi_buf_zero(&e->payload, BBI_CODEC_PAD);
    bbi_chunk_scratch_destroy(&scratch);
}

static void encode_directories(const struct dataset *d, struct encoded *e)
{
    struct bb_error err;
    enum bbi_type type = d->integer ? BBI_INT : BBI_FLOAT;
    bbi_buf_reset(&e->dir);
    for (size_t at = 0; at < e->chunk_count;) {
        size_t n = 0;
        for (size_t values = 0; at + n < e->chunk_count && values < PAGE_VALUES; n++) {
            values += e->chunks[at + n].value_count;
        }
        if (bbi_chunkdir_encode(type, e->chunks + at, n, &e->dir, &err) != BB_OK) {
            die("directory", &err);
        }
        at += n;
    }
}

static void start(struct encoded *e, const struct dataset *d)
{
    memset(e, 0, sizeof(*e));
    size_t most = d->count / 48 + 2 * d->series_count + 1;
    e->chunks = malloc(most * sizeof(*e->chunks));
    e->offsets = malloc(most * sizeof(*e->offsets));
    bbi_buf_init(&e->payload, NULL, (size_t)1 << 32);
    bbi_buf_init(&e->dir, NULL, (size_t)1 << 32);
    if (e->chunks == NULL || e->offsets == NULL) {
        die("out of memory", NULL);
    }
}

static void finish(struct encoded *e)
{
    free(e->chunks);
    free(e->offsets);
    bbi_buf_fini(&e->payload);
    bbi_buf_fini(&e->dir);
}

static void decode_all(const struct dataset *d, const struct encoded *e, uint64_t *out)
{
    struct bb_error err;
    enum bbi_type type = d->integer ? BBI_INT : BBI_FLOAT;
    for (size_t i = 0; i < e->chunk_count; i++) {
        size_t n = e->chunks[i].value_count;
        if (bbi_chunk_decode(type, &e->chunks[i], e->payload.data + e->offsets[i], 0, n, out,
                             &err) != BB_OK) {
            die("decode", &err);
        }
        out += n;
    }
}

static void check(const struct dataset *d, const struct encoded *e)
{
    uint64_t *out = malloc((d->count + 1) * sizeof(*out));
    if (out == NULL) {
        die("out of memory", NULL);
    }
    decode_all(d, e, out);
    if (memcmp(out, d->bits, d->count * sizeof(*out)) != 0) {
        die("decoded values differ", NULL);
    }
    free(out);
}

static void print_size(const char *name, const struct dataset *d, size_t chunk_values)
{
    struct encoded e;
    start(&e, d);
    encode(d, chunk_values, &e);
    encode_directories(d, &e);
    check(d, &e);
    size_t codings[5] = {0};
    size_t deltas = 0;
    size_t dicts = 0;
    size_t exceptions = 0;
    for (size_t i = 0; i < e.chunk_count; i++) {
        codings[e.chunks[i].coding]++;
        deltas += e.chunks[i].transform != 0;
        dicts += e.chunks[i].dict_count > 0;
        exceptions += e.chunks[i].exception_count;
    }
    double count = (double)d->count;
    double payload = (double)(e.payload.len - BBI_CODEC_PAD) / count;
    double dir = (double)e.dir.len / count;
    printf("%-30s %5zu %9zu %7.4f %7.4f %7.4f %6.2f  %zu/%zu/%zu/%zu/%zu %zu %zu %zu\n", name,
           chunk_values, d->count, payload, dir, payload + dir,
           (double)e.dir.len / (double)e.chunk_count, codings[0], codings[1], codings[2],
           codings[3], codings[4], deltas, dicts, exceptions);
    finish(&e);
}

static double giga_per_second(size_t count, int64_t ns)
{
    return (double)count / (double)ns;
}

static int64_t time_sums(const struct dataset *d, const struct encoded *e)
{
    struct bb_error err;
    struct bbi_chunk_total total;
    int64_t begin = bbi_clock_cpu_ns();
    for (size_t i = 0; i < e->chunk_count; i++) {
        size_t n = e->chunks[i].value_count;
        struct bbi_chunk c = e->chunks[i];
        c.has_stats = false;
        if (bbi_chunk_sum(d->integer ? BBI_INT : BBI_FLOAT, &c, e->payload.data + e->offsets[i], 0,
                          n, &total, &err) != BB_OK) {
            die("sum", &err);
        }
    }
    return bbi_clock_cpu_ns() - begin;
}

static int64_t time_minmax(const struct dataset *d, const struct encoded *e)
{
    struct bb_error err;
    struct bbi_chunk_extremes extremes;
    int64_t begin = bbi_clock_cpu_ns();
    for (size_t i = 0; i < e->chunk_count; i++) {
        size_t n = e->chunks[i].value_count;
        if (bbi_chunk_minmax(d->integer ? BBI_INT : BBI_FLOAT, &e->chunks[i],
                             e->payload.data + e->offsets[i], 0, n, &extremes, &err) != BB_OK) {
            die("minmax", &err);
        }
    }
    return bbi_clock_cpu_ns() - begin;
}

/* Decoding into one small buffer, as a query does. */
static int64_t time_decode(const struct dataset *d, const struct encoded *e)
{
    struct bb_error err;
    uint64_t out[BBI_CHUNK_MAX];
    int64_t begin = bbi_clock_cpu_ns();
    for (size_t i = 0; i < e->chunk_count; i++) {
        if (bbi_chunk_decode(d->integer ? BBI_INT : BBI_FLOAT, &e->chunks[i],
                             e->payload.data + e->offsets[i], 0, e->chunks[i].value_count, out,
                             &err) != BB_OK) {
            die("decode", &err);
        }
    }
    return bbi_clock_cpu_ns() - begin;
}

/* The first series of a dataset, borrowed. */
static struct dataset part_of(const struct dataset *d, size_t value_count)
{
    struct dataset part = *d;
    part.count = 0;
    part.series_count = 0;
    while (part.series_count < d->series_count && part.count < value_count) {
        part.count += d->series[part.series_count++].count;
    }
    return part;
}

static void print_speed(const char *name, const struct dataset *all, size_t chunk_values)
{
    static const char *const kernels[] = {"c", "avx2", "avx512"};
    struct dataset part = part_of(all, SPEED_VALUES);
    const struct dataset *d = &part;
    struct encoded e;
    start(&e, d);
    for (int k = 0; k < 3; k++) {
        if (!bbi_codec_set_kernel((enum bbi_codec_kernel)k)) {
            continue;
        }
        int64_t best[4] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
        for (int round = 0; round < ROUNDS; round++) {
            int64_t begin = bbi_clock_cpu_ns();
            encode(d, chunk_values, &e);
            int64_t spent[4] = {bbi_clock_cpu_ns() - begin, time_decode(d, &e), time_sums(d, &e),
                                time_minmax(d, &e)};
            for (int i = 0; i < 4; i++) {
                best[i] = spent[i] < best[i] ? spent[i] : best[i];
            }
        }
        printf("%-30s %5zu %-6s encode %6.1f Mv/s  decode %5.2f  sum %5.2f  minmax %5.2f Gv/s\n",
               name, chunk_values, kernels[k], 1e3 * giga_per_second(d->count, best[0]),
               giga_per_second(d->count, best[1]), giga_per_second(d->count, best[2]),
               giga_per_second(d->count, best[3]));
    }
    finish(&e);
}

/* Turn intervals into a register that counts them up, in thousandths. */
static void accumulate(struct dataset *d)
{
    for (size_t s = 0; s < d->series_count; s++) {
        int64_t total = 0;
        for (size_t i = 0; i < d->series[s].count; i++) {
            uint64_t *bits = &d->bits[d->series[s].first + i];
            double v;
            memcpy(&v, bits, sizeof(v));
            total += (int64_t)(v * 1000 + 0.5);
            v = (double)total / 1000;
            memcpy(bits, &v, sizeof(v));
        }
    }
}

/* Numbers of three decimals and ten bits without any order: packed with one width. */
static void make_uniform(struct dataset *d)
{
    uint64_t state = 1;
    for (size_t i = 0; i < d->count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double v = (double)(state >> 54) / 1000;
        memcpy(&d->bits[i], &v, sizeof(v));
    }
}

static const struct {
    const char *file;
    int column;
} files[] = {
    {"uci_household_1min", 2},    {"uci_household_1min", 3}, {"uci_household_1min", 4},
    {"uci_household_1min", 5},    {"uci_household_1min", 6}, {"household_power_1min", 2},
    {"solar_site_10min", 2},      {"solar_site_10min", 3},   {"solar_inverter_10min", 2},
    {"solar_inverter_10min", 3},  {"price_aemo_5min", 2},    {"price_aemo_5min", 3},
    {"price_dayahead_hourly", 2}, {"load_aep_hourly", 2},    {"uk_meters_hourly", 2},
    {"heat_meter_hourly", 2},     {"heat_meter_hourly", 3},  {"weather_uk_hourly", 2},
    {"weather_bdg_hourly", 2},    {"weather_bdg_hourly", 3},
};

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : getenv("BUSBAR_DATA");
    struct dataset d;
    dir = dir != NULL ? dir : BUSBAR_DATA_DIR;
    printf("%-30s %5s %9s %7s %7s %7s %6s  %s\n", "series", "chunk", "values", "payload", "dir",
           "B/value", "B/dir", "const/packed/patched/layered/runs deltas dicts exceptions");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (load(dir, files[i].file, files[i].column, &d)) {
            char name[64];
            snprintf(name, sizeof(name), "%s:%d", files[i].file, files[i].column - 1);
            print_size(name, &d, 1024);
            unload(&d);
        }
    }
    if (!load(dir, "edrp_household_30min", 2, &d)) {
        return 0;
    }
    print_size("edrp_household_30min", &d, 48);
    print_size("edrp_household_30min", &d, 96);
    print_size("edrp_household_30min", &d, 336);
    print_size("edrp_household_30min", &d, 1024);
    print_speed("edrp_household_30min", &d, 336);
    print_speed("edrp_household_30min", &d, 1024);
    accumulate(&d);
    print_size("edrp register", &d, 336);
    print_size("edrp register", &d, 1024);
    print_speed("edrp register", &d, 336);
    print_speed("edrp register", &d, 1024);
    make_uniform(&d);
    print_size("uniform, 10 bits", &d, 1024);
    print_speed("uniform, 10 bits", &d, 336);
    print_speed("uniform, 10 bits", &d, 1024);
    unload(&d);
    return 0;
}
