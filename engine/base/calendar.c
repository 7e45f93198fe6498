#include "engine/base/calendar.h"

#include <stdbool.h>

#define ERA_YEARS  400
#define ERA_DAYS   INT64_C(146097)
#define EPOCH_DAYS INT64_C(719468) /* from 0000-03-01 to 1970-01-01 */

int64_t bbi_days_from_date(int64_t year, int month, int day)
{
    /* Years begin in March, so that the leap day is the last. */
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = y - era * ERA_YEARS;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

int64_t bbi_month_of_day(int64_t days)
{
    int64_t z = days + EPOCH_DAYS;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day_of_era = z - era * ERA_DAYS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153 + 2; /* of the year, January 0 */
    return (year_of_era + era * ERA_YEARS - 1970) * 12 + month;
}

int64_t bbi_first_day_of_month(int64_t month)
{
    int64_t year = (month >= 0 ? month : month - 11) / 12;
    return bbi_days_from_date(1970 + year, (int)(month - year * 12) + 1, 1);
}

void bbi_date_of_day(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t m = bbi_month_of_day(days);
    int64_t years = (m >= 0 ? m : m - 11) / 12;
    *year = 1970 + years;
    *month = (int)(m - years * 12) + 1;
    *day = (int)(days - bbi_first_day_of_month(m)) + 1;
}

int bbi_weekday(int64_t days)
{
    int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    return (int)(w < 0 ? w + 7 : w);
}

int bbi_days_of_month(int64_t year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}
