/**
 * The slow half of the parser: every line that is not plain, good and short, and the exact reason
 * why a line is bad. It reads a line the way InfluxDB does, pass by pass, so that escapes, quotes
 * and errors come out the same in every corner. parse.c goes here whenever it is in doubt.
 */
#ifndef BBI_LINEPROTO_STRICT_H
#define BBI_LINEPROTO_STRICT_H

#include "engine/lineproto/lineproto.h"

/** As bbi_lp_next, without the fast path; the two agree on every text. */
int bbi_lp_next_strict(struct bbi_lp_parser *p, struct bbi_lp_line *line, struct bb_error *err);

/**
 * Scale a timestamp. Returns false: beyond what can be stored.
 */
static inline bool bbi_lp_scale_time(int64_t stamp, int64_t precision_ns, int64_t *time_ns)
{
    return !__builtin_mul_overflow(stamp, precision_ns, time_ns) && *time_ns >= BBI_TIME_MIN &&
           *time_ns <= BBI_TIME_MAX;
}

/** Where a part of a series key ended, or why it did not. */
enum bbi_lp_key_state {
    BBI_LP_KEY_TAG,  /* a comma: a tag follows */
    BBI_LP_KEY_DONE, /* the end of the key */
    BBI_LP_KEY_BAD
};

/**
 * One step through a raw key: the measurement (at = start) or a tag.
 *
 * at      in: its first byte; out: the first byte of the next tag
 * equals  out: the = of a tag
 * reason  out, of BBI_LP_KEY_BAD
 * part_end  out: behind its last byte
 */
enum bbi_lp_key_state bbi_lp_key_measurement(const uint8_t **at, const uint8_t *end,
                                             const uint8_t **part_end, const char **reason);
enum bbi_lp_key_state bbi_lp_key_tag(const uint8_t **at, const uint8_t *end, const uint8_t **equals,
                                     const uint8_t **part_end, const char **reason);

#endif
