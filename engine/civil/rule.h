/** The rule at the end of a zone's file: a POSIX TZ string with RFC 8536's extensions. */
#ifndef BBI_CIVIL_RULE_H
#define BBI_CIVIL_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** When summer time begins or ends. */
struct bbi_zone_change {
    char kind; /* 'M' month, week, weekday; 'J' day 1..365 without leap day; 'D' day 0..365 */
    int month;
    int week;
    int day;        /* the weekday, or the day of the year */
    int32_t time_s; /* of the local clock, may be negative or beyond a day */
};

struct bbi_zone_rule {
    int32_t std_offset_s; /* ahead of UTC */
    int32_t dst_offset_s;
    bool has_dst;
    struct bbi_zone_change start; /* of summer time */
    struct bbi_zone_change end;
};

/** Read "CET-1CEST,M3.5.0,M10.5.0/3". False: it is none. */
bool bbi_zone_rule_parse(const char *text, size_t length, struct bbi_zone_rule *out);

/** Seconds ahead of UTC at a moment. */
int32_t bbi_zone_rule_offset(const struct bbi_zone_rule *rule, int64_t utc_s);

#endif
