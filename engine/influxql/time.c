/* Time strings and their numbers, in the proleptic Gregorian calendar. */
#include "engine/influxql/time.h"

#include <string.h>

#include "engine/base/calendar.h"

#define NS_PER_S  INT64_C(1000000000)
#define S_PER_DAY INT64_C(86400)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly `digits` digits. */
static bool take_number(const char **text, int digits, int64_t *value)
{
    int64_t v = 0;

    for (int i = 0; i < digits; i++) {
        if (!is_digit((*text)[i])) {
            return false;
        }
        v = v * 10 + ((*text)[i] - '0');
    }
    *text += digits;
    *value = v;
    return true;
}

static bool take_char(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

/* Does it begin with dddd-dd-dd? */
static bool begins_with_date(const char *text)
{
    static const char shape[] = "dddd-dd-dd";

    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

static bool take_date(const char **text, int64_t *days)
{
    int64_t year;
    int64_t month;
    int64_t day;

    if (!take_number(text, 4, &year) || !take_char(text, '-') || !take_number(text, 2, &month) ||
        !take_char(text, '-') || !take_number(text, 2, &day) || month < 1 || month > 12 ||
        day < 1 || day > bbi_days_of_month(year, (int)month)) {
        return false;
    }
    *days = bbi_days_from_date(year, (int)month, (int)day);
    return true;
}

/* A point and one to nine digits; without digits the point is left alone. */
static bool take_fraction(const char **text, int64_t *ns)
{
    int64_t unit = NS_PER_S / 10;

    *ns = 0;
    if (**text != '.' || !is_digit((*text)[1])) {
        return true;
    }
    for ((*text)++; is_digit(**text); (*text)++) {
        if (unit == 0) {
            return false;
        }
        *ns += (**text - '0') * unit;
        unit /= 10;
    }
    return true;
}

/* h:mm:ss or hh:mm:ss, with a fraction. */
static bool take_clock(const char **text, int64_t *seconds, int64_t *ns)
{
    int64_t hour;
    int64_t minute;
    int64_t second;

    if (!take_number(text, is_digit((*text)[0]) && is_digit((*text)[1]) ? 2 : 1, &hour) ||
        !take_char(text, ':') || !take_number(text, 2, &minute) || !take_char(text, ':') ||
        !take_number(text, 2, &second) || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    return take_fraction(text, ns);
}

/* Z, or +hh:mm east of it. */
static bool take_offset(const char **text, int64_t *seconds)
{
    int64_t hours;
    int64_t minutes;
    char sign = **text;

    *seconds = 0;
    if (sign == 'Z') {
        (*text)++;
        return true;
    }
    if (sign != '+' && sign != '-') {
        return false;
    }
    (*text)++;
    if (!take_number(text, 2, &hours) || !take_char(text, ':') || !take_number(text, 2, &minutes) ||
        hours > 24 || minutes > 59) {
        return false;
    }
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return true;
}

/* Wall time in the zone of the world to UTC. */
static bbi_ql_wide from_zone(const struct bbi_ql_world *world, bbi_ql_wide local_ns)
{
    if (world == NULL || world->zone_to_utc == NULL || !bbi_ql_fits(local_ns)) {
        return local_ns;
    }
    return world->zone_to_utc(world->zone_arg, (int64_t)local_ns);
}

enum bbi_ql_time_form bbi_ql_time_parse_wide(const char *text, const struct bbi_ql_world *world,
                                             bbi_ql_wide *time_ns)
{
    int64_t days;
    int64_t seconds = 0;
    int64_t ns = 0;
    int64_t offset = 0;
    const char *c = text;

    *time_ns = 0;
    if (!begins_with_date(text)) {
        return BBI_QL_NO_TIME;
    }
    if (!take_date(&c, &days)) {
        return BBI_QL_BAD_TIME;
    }
    bool zoned = *c == 'T';
    if (zoned) {
        c++;
        if (!take_clock(&c, &seconds, &ns) || !take_offset(&c, &offset)) {
            return BBI_QL_BAD_TIME;
        }
    } else if (*c == ' ') {
        c += strspn(c, " ");
        if (!take_clock(&c, &seconds, &ns)) {
            return BBI_QL_BAD_TIME;
        }
    }
    if (*c != '\0') {
        return BBI_QL_BAD_TIME;
    }
    *time_ns = (bbi_ql_wide)(days * S_PER_DAY + seconds - offset) * NS_PER_S + ns;
    if (!zoned) {
        *time_ns = from_zone(world, *time_ns);
    }
    return bbi_ql_fits(*time_ns) ? BBI_QL_GOOD_TIME : BBI_QL_FAR_TIME;
}

enum bbi_ql_time_form bbi_ql_time_parse(const char *text, const struct bbi_ql_world *world,
                                        int64_t *time_ns)
{
    bbi_ql_wide wide;
    enum bbi_ql_time_form form = bbi_ql_time_parse_wide(text, world, &wide);

    if (form == BBI_QL_FAR_TIME) {
        *time_ns = wide < 0 ? INT64_MIN : INT64_MAX;
    } else {
        *time_ns = (int64_t)wide;
    }
    return form;
}

void bbi_ql_time_format_wide(bbi_ql_wide time_ns, bool fraction, struct bbi_buf *buf)
{
    int64_t seconds = (int64_t)(time_ns / NS_PER_S);
    int64_t ns = (int64_t)(time_ns % NS_PER_S);
    int64_t year;
    int month;
    int day;

    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    int64_t second_of_day = seconds % S_PER_DAY;
    int64_t days = seconds / S_PER_DAY;
    if (second_of_day < 0) {
        second_of_day += S_PER_DAY;
        days--;
    }
    bbi_date_of_day(days, &year, &month, &day);
    bbi_buf_printf(buf, "%04lld-%02d-%02dT%02lld:%02lld:%02lld", (long long)year, month, day,
                   (long long)(second_of_day / 3600), (long long)(second_of_day / 60 % 60),
                   (long long)(second_of_day % 60));
    if (fraction && ns != 0) {
        int digits = 9;
        while (ns % 10 == 0) {
            ns /= 10;
            digits--;
        }
        bbi_buf_printf(buf, ".%0*lld", digits, (long long)ns);
    }
    bbi_buf_str(buf, "Z");
}

void bbi_ql_time_format(int64_t time_ns, struct bbi_buf *buf)
{
    bbi_ql_time_format_wide(time_ns, true, buf);
}
