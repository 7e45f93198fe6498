#include "engine/civil/rule.h"

#include "engine/base/calendar.h"

#define DAY_S INT64_C(86400)

/* ---- reading ---- */

struct reader {
    const char *at;
    const char *end;
    bool bad;
};

static char peek(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static bool take(struct reader *r, char c)
{
    bool there = peek(r) == c && c != '\0';
    r->at += there;
    return there;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int number(struct reader *r, int max)
{
    int value = 0;
    int digits = 0;
    for (; is_digit(peek(r)) && digits < 4; digits++) {
        value = value * 10 + (*r->at++ - '0');
    }
    r->bad = r->bad || digits == 0 || value > max;
    return value;
}

/* Letters, or anything between angle brackets. */
static void name(struct reader *r)
{
    const char *from = r->at;
    if (take(r, '<')) {
        while (peek(r) != '>' && peek(r) != '\0') {
            r->at++;
        }
        r->bad = r->bad || !take(r, '>');
        return;
    }
    while ((peek(r) >= 'a' && peek(r) <= 'z') || (peek(r) >= 'A' && peek(r) <= 'Z')) {
        r->at++;
    }
    r->bad = r->bad || r->at - from < 3;
}

/* [+-]h[:mm[:ss]] */
static int32_t clock_time(struct reader *r, int hours_max)
{
    bool negative = take(r, '-');
    if (!negative) {
        (void)take(r, '+');
    }
    int32_t seconds = number(r, hours_max) * 3600;
    if (take(r, ':')) {
        seconds += number(r, 59) * 60;
        if (take(r, ':')) {
            seconds += number(r, 59);
        }
    }
    return negative ? -seconds : seconds;
}

static void change(struct reader *r, struct bbi_zone_change *c)
{
    r->bad = r->bad || !take(r, ',');
    if (take(r, 'M')) {
        c->kind = 'M';
        c->month = number(r, 12);
        r->bad = r->bad || !take(r, '.') || c->month < 1;
        c->week = number(r, 5);
        r->bad = r->bad || !take(r, '.') || c->week < 1;
        c->day = number(r, 6);
    } else {
        c->kind = take(r, 'J') ? 'J' : 'D';
        c->day = number(r, 365);
        r->bad = r->bad || (c->kind == 'J' && c->day < 1);
    }
    c->time_s = take(r, '/') ? clock_time(r, 167) : 7200;
}

bool bbi_zone_rule_parse(const char *text, size_t length, struct bbi_zone_rule *out)
{
    struct reader r = {.at = text, .end = text + length};
    *out = (struct bbi_zone_rule){.has_dst = false};
    name(&r);
    out->std_offset_s = -clock_time(&r, 24);
    if (r.at < r.end && !r.bad) {
        out->has_dst = true;
        name(&r);
        out->dst_offset_s = out->std_offset_s + 3600;
        if (peek(&r) != ',') {
            out->dst_offset_s = -clock_time(&r, 24);
        }
        change(&r, &out->start);
        change(&r, &out->end);
    }
    return !r.bad && r.at == r.end;
}

/* ---- using ---- */

/* Seconds since 1970, by the local clock, at which a change happens in a year. */
static int64_t change_of_year(const struct bbi_zone_change *c, int64_t year)
{
    int64_t day;
    if (c->kind == 'M') {
        int64_t first = bbi_days_from_date(year, c->month, 1);
        int ahead = (c->day - bbi_weekday(first) + 7) % 7 + (c->week - 1) * 7;
        if (ahead >= bbi_days_of_month(year, c->month)) {
            ahead -= 7;
        }
        day = first + ahead;
    } else {
        day = bbi_days_from_date(year, 1, 1) + c->day;
        if (c->kind == 'J') {
            day -= bbi_days_of_month(year, 2) == 28 || c->day < 60;
        }
    }
    return day * DAY_S + c->time_s;
}

int32_t bbi_zone_rule_offset(const struct bbi_zone_rule *rule, int64_t utc_s)
{
    if (!rule->has_dst) {
        return rule->std_offset_s;
    }
    int64_t local_s = utc_s + rule->std_offset_s;
    int64_t days = local_s / DAY_S - (local_s % DAY_S < 0);
    int64_t month = bbi_month_of_day(days);
    int64_t year = 1970 + (month >= 0 ? month : month - 11) / 12;
    int64_t start = change_of_year(&rule->start, year) - rule->std_offset_s;
    int64_t end = change_of_year(&rule->end, year) - rule->dst_offset_s;
    bool summer = start < end ? utc_s >= start && utc_s < end : utc_s >= start || utc_s < end;
    return summer ? rule->dst_offset_s : rule->std_offset_s;
}
