/**
 * Units of timestamps by InfluxDB's names.
 */
#ifndef SERVER_UNITS_H
#define SERVER_UNITS_H

#include <stdint.h>

/** Nanoseconds in one n, ns, u, us, ms, s, m or h; "" is ns; 0: no such precision. */
int64_t units_precision_ns(const char *text);

/** The "epoch" parameter: as above, with µ for u; 0 for "" (RFC 3339); any other text is ns, as
 * InfluxDB takes it. */
int64_t units_epoch_ns(const char *text);

#endif
