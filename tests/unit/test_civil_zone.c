/* Zones against the C library's: all of them, over all changes of their clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/calendar.h"
#include "engine/civil/rule.h"
#include "engine/civil/zone.h"
#include "engine/query/zones.h"

static struct bbi_zones *zones;
static struct bb_error err;

static int setup(void **state)
{
    (void)state;
    return bbi_zones_create(NULL, &zones, &err);
}

static int teardown(void **state)
{
    (void)state;
    bbi_zones_destroy(&zones);
    return 0;
}

static int32_t libc_offset(int64_t utc_s)
{
    time_t t = (time_t)utc_s;
    struct tm tm;
    assert_non_null(localtime_r(&t, &tm));
    return (int32_t)tm.tm_gmtoff;
}

/* Around each change that the C library knows between 1850 and 2200, and at random in between. */
static void compare_zone(const struct bbi_zone *zone, const char *name, uint64_t *checked)
{
    const int64_t step = 9 * 86400 + 12345;
    int64_t from = INT64_C(-3786912000);
    int32_t before = libc_offset(from);
    for (int64_t t = from; t < INT64_C(7258118400); t += step) {
        int32_t offset = libc_offset(t);
        if (offset != before) {
            int64_t low = t - step;
            int64_t high = t;
            while (high - low > 1) {
                int64_t middle = low + (high - low) / 2;
                if (libc_offset(middle) == before) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            if (bbi_zone_offset(zone, low) != before ||
                bbi_zone_offset(zone, high) != libc_offset(high)) {
                fail_msg("%s at %lld", name, (long long)high);
            }
            before = offset;
        }
        if (bbi_zone_offset(zone, t) != offset) {
            fail_msg("%s at %lld: %d, not %d", name, (long long)t, bbi_zone_offset(zone, t),
                     offset);
        }
        ++*checked;
    }
}

/* Midnights: the clocks show them or a later time first then, and no later one before. */
static void check_days(const struct bbi_zone *zone, const char *name)
{
    int64_t before = INT64_MIN;
    for (int64_t day = -10000; day < 30000; day += 1) {
        int64_t first = bbi_zone_first(zone, day * 86400);
        if (first + bbi_zone_offset(zone, first) < day * 86400 ||
            first - 1 + bbi_zone_offset(zone, first - 1) >= day * 86400 + 7200 || first < before) {
            fail_msg("%s: day %lld begins at %lld", name, (long long)day, (long long)first);
        }
        before = first;
        int64_t utc = bbi_zone_to_utc(zone, day * 86400 + 43200);
        if (bbi_zone_offset(zone, first) == bbi_zone_offset(zone, first + 86400)) {
            assert_int_equal(utc + bbi_zone_offset(zone, utc), day * 86400 + 43200);
        }
    }
}

static void all_zones(void **state)
{
    char line[512];
    uint64_t checked = 0;
    unsigned count = 0;
    (void)state;
    FILE *list = fopen("/usr/share/zoneinfo/zone.tab", "r");
    if (list == NULL) {
        fail_msg("no /usr/share/zoneinfo/zone.tab (Debian: tzdata)");
    }
    while (fgets(line, sizeof(line), list) != NULL) {
        char name[128];
        const struct bbi_zone *zone;
        if (line[0] == '#' || sscanf(line, "%*s %*s %127s", name) != 1) {
            continue;
        }
        assert_int_equal(bbi_zones_get(zones, name, &zone, &err), BB_OK);
        assert_int_equal(setenv("TZ", name, 1), 0);
        tzset();
        compare_zone(zone, name, &checked);
        if (strcmp(name, "Pacific/Apia") != 0 && strcmp(name, "Pacific/Fakaofo") != 0 &&
            strcmp(name, "Pacific/Kwajalein") != 0 && strcmp(name, "Pacific/Kiritimati") != 0 &&
            strcmp(name, "Pacific/Kanton") != 0 && strncmp(name, "Antarctica/", 11) != 0) {
            check_days(zone, name);
        }
        count++;
    }
    (void)fclose(list);
    print_message("%u zones, %llu moments\n", count, (unsigned long long)checked);
    assert_true(count > 300);
}

static void known_days(void **state)
{
    const struct bbi_zone *london;
    const struct bbi_zone *saopaulo;
    (void)state;
    assert_int_equal(bbi_zones_get(zones, "Europe/London", &london, &err), BB_OK);
    /* 2024-03-31 has 23 hours, 2024-10-27 has 25. */
    int64_t march = bbi_days_from_date(2024, 3, 31) * 86400;
    int64_t october = bbi_days_from_date(2024, 10, 27) * 86400;
    assert_int_equal(bbi_zone_first(london, march + 86400) - bbi_zone_first(london, march), 82800);
    assert_int_equal(bbi_zone_first(london, october + 86400) - bbi_zone_first(london, october),
                     90000);
    /* Half past one is shown never, and twice. */
    assert_int_equal(bbi_zone_first(london, march + 5400), march + 3600);
    assert_int_equal(bbi_zone_first(london, october + 5400), october + 1800);
    /* Midnight itself is jumped over. */
    assert_int_equal(bbi_zones_get(zones, "America/Sao_Paulo", &saopaulo, &err), BB_OK);
    int64_t november = bbi_days_from_date(2018, 11, 4) * 86400;
    assert_int_equal(bbi_zone_first(saopaulo, november), november + 3 * 3600);
}

static void names(void **state)
{
    static const char *const bad[] = {
        "Nowhere/City",
        "../../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "zone.tab",
        "Europe/London ",
        "a b",
        ".",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    const struct bbi_zone *zone;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(bbi_zones_get(zones, bad[i], &zone, &err), BB_ENOTFOUND);
    }
    assert_int_equal(bbi_zones_get(zones, "", &zone, &err), BB_OK);
    assert_int_equal(bbi_zone_offset(zone, 0), 0);
}

static void rules(void **state)
{
    static const char *const bad[] = {"",
                                      "X",
                                      "CET",
                                      "CET-1CEST",
                                      "CET-1x",
                                      "CET-1CEST,",
                                      "A3",
                                      "CET-1CEST,M3.5.0",
                                      "<+03",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,J1",
                                      "CET-25",
                                      "CET-1CEST,J0,J2",
                                      "CET-1CEST,M3.5.0,M10.5.0/168"};
    struct bbi_zone_rule rule;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (bbi_zone_rule_parse(bad[i], strlen(bad[i]), &rule)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_true(bbi_zone_rule_parse("<-03>3<-02>,J60/-1,300/26", 25, &rule));
    assert_int_equal(rule.std_offset_s, -10800);
    assert_int_equal(rule.dst_offset_s, -7200);
    /* J60 is the first of March in any year; an hour before it begins. */
    int64_t start = bbi_days_from_date(2024, 3, 1) * 86400 - 3600 + 10800;
    assert_int_equal(bbi_zone_rule_offset(&rule, start - 1), -10800);
    assert_int_equal(bbi_zone_rule_offset(&rule, start), -7200);
}

/* Any bytes: an error or a zone that can be asked. */
static void hostile_files(void **state)
{
    static uint8_t bytes[8192];
    struct bbi_zone *zone;
    (void)state;
    FILE *f = fopen("/usr/share/zoneinfo/Europe/London", "rb");
    assert_non_null(f);
    size_t length = fread(bytes, 1, sizeof(bytes), f);
    (void)fclose(f);
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_equal(bbi_zone_parse(bytes, cut, NULL, &zone, &err), BB_ECORRUPT);
    }
    for (size_t at = 0; at < length; at++) {
        uint8_t was = bytes[at];
        for (unsigned v = 0; v < 256; v += 51) {
            bytes[at] = (uint8_t)v;
            if (bbi_zone_parse(bytes, length, NULL, &zone, &err) == BB_OK) {
                for (int64_t t = -5000000000; t < 10000000000; t += 2500000000) {
                    (void)bbi_zone_first(zone, t + bbi_zone_offset(zone, t));
                }
                bbi_mem_free(zone);
            }
        }
        bytes[at] = was;
    }
}

static void calendar(void **state)
{
    (void)state;
    for (int64_t month = -24000; month < 24000; month++) {
        int64_t first = bbi_first_day_of_month(month);
        assert_int_equal(bbi_month_of_day(first), month);
        assert_int_equal(bbi_month_of_day(first - 1), month - 1);
    }
    assert_int_equal(bbi_days_from_date(2024, 2, 29), 19782);
    assert_int_equal(bbi_weekday(19782), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_zones), cmocka_unit_test(known_days), cmocka_unit_test(names),
        cmocka_unit_test(rules),     cmocka_unit_test(calendar),   cmocka_unit_test(hostile_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
