#include "bench/workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

struct workload_meter {
    uint16_t scale_wh; /* of the curve's highest point */
    uint16_t base_wh;
    uint16_t appliance_wh;
    uint16_t shift_s16; /* its day starts so many 16 s later */
};

/** splitmix64 of a value: random, and the same for the same value */
static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static double peak(double hour, double at, double width)
{
    double d = fabs(hour - at);
    if (d > 12)
        d = 24 - d;
    return exp(-d * d / (2 * width * width));
}

static void fill_curve(struct workload *w)
{
    for (int i = 0; i <= WORKLOAD_SLOTS; i++) {
        double hour = i * 24.0 / WORKLOAD_SLOTS;
        double weekday = 0.12 + 0.55 * peak(hour, 7.5, 1.2) + 0.25 * peak(hour, 13, 2.5) +
                         0.88 * peak(hour, 19, 2.2);
        double weekend = 0.14 + 0.45 * peak(hour, 9.5, 1.8) + 0.45 * peak(hour, 13.5, 2.5) +
                         0.80 * peak(hour, 19, 2.5);
        w->curve[0][i] = (uint16_t)lround(weekday * 1000);
        w->curve[1][i] = (uint16_t)lround(weekend * 1000);
    }
}

static void fill_meter(struct workload *w, uint64_t m)
{
    uint64_t r = mix(w->seed ^ mix(m));
    double size = (double)(r & 0xffff) / 65536;
    /* An hour's worth of a household's peak, by the length of the interval. */
    double per_hour = 300 + 2200 * size * size;
    double wh = per_hour * (double)w->interval_s / 3600;
    struct workload_meter *meter = &w->meter[m];
    meter->scale_wh = (uint16_t)fmin(wh, 60000);
    meter->base_wh = (uint16_t)fmin(wh * (0.03 + 0.1 * (double)(r >> 16 & 0xff) / 256), 60000);
    meter->appliance_wh = (uint16_t)fmin((double)w->interval_s / 3600 * 1800, 60000);
    meter->shift_s16 = (uint16_t)((r >> 24 & 0x3ff) * 7200 / 16 / 1024);
}

int workload_init(struct workload *w)
{
    w->meter = calloc(w->meters, sizeof(w->meter[0]));
    if (w->meter == NULL)
        return -1;
    fill_curve(w);
    for (uint64_t m = 0; m < w->meters; m++)
        fill_meter(w, m);
    return 0;
}

void workload_fini(struct workload *w)
{
    free(w->meter);
    w->meter = NULL;
}

uint64_t workload_lines(const struct workload *w)
{
    return w->meters * w->intervals;
}

uint32_t workload_value(const struct workload *w, uint64_t m, uint64_t interval)
{
    const struct workload_meter *meter = &w->meter[m];
    int64_t time = w->start_s + (int64_t)interval * w->interval_s + meter->shift_s16 * 16;
    int64_t day = time / DAY_S;
    uint32_t second = (uint32_t)(time % DAY_S);
    int weekend = (day + 3) % 7 >= 5; /* 1970-01-01 was a Thursday */
    uint32_t slot = second / (DAY_S / WORKLOAD_SLOTS);
    uint32_t in_slot = second % (DAY_S / WORKLOAD_SLOTS);
    const uint16_t *curve = w->curve[weekend];
    uint32_t level = (curve[slot] * (DAY_S / WORKLOAD_SLOTS - in_slot) +
                      curve[slot + 1] * in_slot) /
                     (DAY_S / WORKLOAD_SLOTS);
    uint64_t r = mix(w->seed + mix(m << 32 | interval));
    uint32_t load = meter->base_wh + meter->scale_wh * level / 1000;
    uint32_t noise = 700 + (uint32_t)(r % 601); /* thousandths */
    uint32_t value = (uint32_t)((uint64_t)load * noise / 1000);
    if ((r >> 32 & 0xffff) % 100 < 4)
        value += meter->appliance_wh * (uint32_t)(r >> 48 & 0xff) / 256;
    return value;
}

/** v in exactly n digits */
static char *put_digits(char *out, uint64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
    return out + n;
}

static char *put_number(char *out, uint64_t v)
{
    int n = 1;
    for (uint64_t rest = v; rest >= 10; rest /= 10)
        n++;
    return put_digits(out, v, n);
}

/** Wh as kWh without zeros at the end, as meters' exports have them: 120 is 0.12 */
static char *put_kwh(char *out, uint32_t wh)
{
    out = put_number(out, wh / 1000);
    uint32_t part = wh % 1000;
    if (part == 0)
        return out;
    *out++ = '.';
    out = put_digits(out, part, 3);
    while (out[-1] == '0')
        out--;
    return out;
}

static char *put_text(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

#define PUT_LITERAL(out, text) put_text(out, text, sizeof(text) - 1)

size_t workload_line(const struct workload *w, uint64_t n, char *out)
{
    uint64_t m = n % w->meters;
    uint64_t interval = n / w->meters;
    char *at = PUT_LITERAL(out, "reading,device_id=MTR-");
    at = put_digits(at, m, 8);
    at = PUT_LITERAL(at, ",fuel_type=electricity,direction=import value=");
    at = put_kwh(at, workload_value(w, m, interval));
    *at++ = ' ';
    int64_t time_s = w->start_s + (int64_t)interval * w->interval_s;
    if (w->unit_ns <= 1000000000)
        at = put_number(at, (uint64_t)time_s * (uint64_t)(1000000000 / w->unit_ns));
    else
        at = put_number(at, (uint64_t)time_s / (uint64_t)(w->unit_ns / 1000000000));
    *at++ = '\n';
    return (size_t)(at - out);
}
