/**
 * Numbers and times as text, as InfluxDB's JSON has them.
 *
 * out has room for NUMBER_MAX_BYTES. None of these writes a terminating NUL; each returns the count
 * of bytes written.
 */
#ifndef SERVER_NUMBER_H
#define SERVER_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_MAX_BYTES       40
#define NUMBER_PLAIN_MAX_BYTES 352

size_t number_u64(char *out, uint64_t v);
size_t number_i64(char *out, int64_t v);

/**
 * The shortest decimal that reads back as f, laid out as Go's encoding/json does: plain digits, and
 * an exponent below 1e-6 and from 1e21 on ("1e-7", "1e+21"). f must be finite.
 *
 * Source  R. Giulietti, "The Schubfach way to render doubles" (2020).
 */
size_t number_double(char *out, double f);

/**
 * The same digits without an exponent, however many zeros that takes; "+Inf", "-Inf" and "NaN". out
 * has room for NUMBER_PLAIN_MAX_BYTES.
 */
size_t number_plain_double(char *out, double f);

/** Nanoseconds since 1970 as RFC 3339 in UTC, without trailing zeros: "1970-01-01T00:00:00.5Z". */
size_t number_time(char *out, int64_t time_ns);

/** The same by clocks that are so many seconds ahead: "1970-01-01T01:00:00.5+01:00". */
size_t number_time_at(char *out, int64_t time_ns, int32_t utc_offset_s);

#endif
