/** Days and dates of the proleptic Gregorian calendar. */
#ifndef BBI_BASE_CALENDAR_H
#define BBI_BASE_CALENDAR_H

#include <stdint.h>

/** Days since 1970-01-01; month 1..12. Source: Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms". */
int64_t bbi_days_from_date(int64_t year, int month, int day);

/** The date of a day so counted. */
void bbi_date_of_day(int64_t days, int64_t *year, int *month, int *day);

/** The month that a day lies in, counted from January 1970. */
int64_t bbi_month_of_day(int64_t days);

/** The first day of a month so counted. */
int64_t bbi_first_day_of_month(int64_t month);

/** 0 Sunday .. 6 Saturday. */
int bbi_weekday(int64_t days);

int bbi_days_of_month(int64_t year, int month);

#endif
