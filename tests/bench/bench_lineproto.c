/*
 * Nanoseconds per line of the line-protocol parser.
 *
 *     tests/bench/bench_lineproto [seconds per case, default 1]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/lineproto/strict.h"

#define LINES    5000
#define LINE_MAX 400

struct bench {
    const char *name;
    const char *format; /* one %d: the meter */
};

static const struct bench benches[] = {
    {"reading", "reading,device_id=MTR-%08d,fuel_type=electricity,direction=import "
                "value=0.123 1710511200000000000\n"},
    {"two fields", "m,id=%08d a=1i,b=2.5 1710511200000000000\n"},
    {"seventeen digits", "m,id=%08d v=0.30000000000000004 1710511200000000000\n"},
    {"string", "log,id=%08d msg=\"the quick brown fox jumps over the lazy dog\",ok=true "
               "1710511200000000000\n"},
    {"escaped (slow path)", "m\\ x,id=%08d v=1 1710511200000000000\n"},
    {"telegraf cpu",
     "cpu,cpu=cpu-total,host=h%08d usage_user=1.2345678,usage_system=2.25,usage_idle=96.5,"
     "usage_nice=0,usage_iowait=0.1,usage_irq=0,usage_softirq=0.01,usage_steal=0,usage_guest=0,"
     "usage_guest_nice=0 1710511200000000000\n"},
};

static struct bbi_lp_field fields[BBI_LP_FIELDS_MAX];

static uint64_t parse_all(const char *text, size_t length)
{
    struct bbi_lp_parser p;
    struct bbi_lp_line line;
    struct bb_error err;
    uint64_t sum = 0;

    bbi_lp_init(&p, fields, 1, 0);
    bbi_lp_feed(&p, text, length, true);
    while (bbi_lp_next(&p, &line, &err) == BB_OK) {
        sum += line.key_length + line.field_count + (uint64_t)line.time_ns + fields[0].v.bits;
    }
    return sum;
}

int main(int argc, char **argv)
{
    int64_t span_ns = (int64_t)((argc > 1 ? atof(argv[1]) : 1.0) * 1e9);
    static char text[LINES * LINE_MAX];
    uint64_t sum = 0;

    for (size_t b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
        size_t length = 0;
        for (int i = 0; i < LINES; i++) {
            length += (size_t)snprintf(text + length, LINE_MAX, benches[b].format, i);
        }
        int64_t best = INT64_MAX;
        int64_t start = bbi_clock_mono_ns();
        for (int64_t now = start; now - start < span_ns;) {
            int64_t before = now;
            sum += parse_all(text, length);
            now = bbi_clock_mono_ns();
            best = now - before < best ? now - before : best;
        }
        printf("%-20s %6.1f ns/line %6.2f GB/s\n", benches[b].name, (double)best / LINES,
               (double)length / (double)best);
    }
    return sum == 0;
}
