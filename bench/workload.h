/**
 * Readings for load tests, the same for the same seed on every machine.
 *
 * A workload is `meters` devices that each send one reading per interval, all meters in turn, so
 * that line n is meter n % meters at start + n / meters * interval:
 *
 *     reading,device_id=MTR-00012345,fuel_type=electricity,direction=import value=0.123 <time>
 *
 * Values are kWh with three decimals: a load curve over the day with morning and evening peaks, a
 * scale and a shift in time of its own for each meter, weekends, noise, and appliances that switch
 * on now and then. Any line can be computed without the ones before it.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_LINE_MAX 160
#define WORKLOAD_SLOTS    96 /* of a day's curve */

struct workload {
    uint64_t meters;
    uint64_t intervals;
    int64_t interval_s;
    int64_t start_s;
    int64_t unit_ns; /* of the timestamps written */
    uint64_t seed;
    struct workload_meter *meter;          /* [meters] */
    uint16_t curve[2][WORKLOAD_SLOTS + 1]; /* [weekend] in thousandths of the meter's scale */
};

/** The numbers up to seed are set. 0, or -1 when out of memory. */
int workload_init(struct workload *w);
void workload_fini(struct workload *w);

uint64_t workload_lines(const struct workload *w);

/** The value of a line in Wh. */
uint32_t workload_value(const struct workload *w, uint64_t meter, uint64_t interval);

/** Write line n, newline included, to out (WORKLOAD_LINE_MAX). Returns its length. */
size_t workload_line(const struct workload *w, uint64_t n, char *out);

#endif
