#include "client/import_zone.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK_S 900
#define DAY_S   86400

/** "+01:00", "-0330" or "+5". */
static bool parse_fixed(const char *name, int64_t *offset_s)
{
    int hours = 0, minutes = 0, digits = 0;
    const char *at = name + 1;
    for (; isdigit((unsigned char)*at) && digits < 2; at++, digits++)
        hours = hours * 10 + (*at - '0');
    if (digits == 0)
        return false;
    at += *at == ':';
    if (*at != '\0') {
        if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1]) || at[2] != '\0')
            return false;
        minutes = (at[0] - '0') * 10 + (at[1] - '0');
    }
    *offset_s = (hours * 3600 + minutes * 60) * (*name == '-' ? -1 : 1);
    return hours <= 15 && minutes < 60;
}

/** Whether tzdata has a zone of this name: TZ would take any other name for UTC, silently. */
static bool zone_exists(const char *name)
{
    char path[PATH_MAX], magic[4];
    const char *folder = getenv("TZDIR");
    if (*name == '/' || *name == '.' || strstr(name, "..") != NULL)
        return false;
    int n = snprintf(path, sizeof(path), "%s/%s", folder == NULL ? "/usr/share/zoneinfo" : folder,
                     name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool yes = fread(magic, 1, sizeof(magic), f) == sizeof(magic) && memcmp(magic, "TZif", 4) == 0;
    fclose(f);
    return yes;
}

bool zone_init(struct zone *zone, const char *name)
{
    *zone = (struct zone){.fixed = true};
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0)
        return true;
    if (*name == '+' || *name == '-')
        return parse_fixed(name, &zone->offset_s);
    if (!zone_exists(name) || setenv("TZ", name, 1) != 0)
        return false;
    tzset();
    zone->fixed = false;
    return true;
}

static int64_t offset_at(int64_t utc_s)
{
    time_t t = (time_t)utc_s;
    struct tm tm;
    return localtime_r(&t, &tm) == NULL ? 0 : tm.tm_gmtoff;
}

/**
 * A clock that shows this runs on the offset of a day before or of a day after: no two changes are
 * closer together than that. Each of the two counts where it holds at the moment it gives; the
 * larger one gives the earlier moment.
 */
static int resolve(int64_t local_s, int64_t offset_s[2])
{
    int64_t before = offset_at(local_s - DAY_S), after = offset_at(local_s + DAY_S);
    int n = 0;
    if (offset_at(local_s - before) == before)
        offset_s[n++] = before;
    if (after != before && offset_at(local_s - after) == after)
        offset_s[n++] = after;
    if (n == 2 && offset_s[0] < offset_s[1]) {
        int64_t first = offset_s[1];
        offset_s[1] = offset_s[0];
        offset_s[0] = first;
    }
    return n;
}

int zone_resolve(struct zone *z, int64_t local_s, int64_t utc_s[2])
{
    int64_t offset_s[2] = {z->offset_s, 0};
    int n = 1;
    int64_t block = local_s / BLOCK_S - (local_s % BLOCK_S < 0);
    if (!z->fixed && z->block_known && block == z->block) {
        n = z->block_count;
        memcpy(offset_s, z->block_offset_s, sizeof(offset_s));
    } else if (!z->fixed) {
        int64_t last_offset_s[2] = {0, 0};
        n = resolve(block * BLOCK_S, offset_s);
        int last = resolve(block * BLOCK_S + BLOCK_S - 1, last_offset_s);
        /* Remembered only where the whole quarter is alike: old changes fell on odd minutes. */
        z->block_known = n == last && (n == 0 || offset_s[0] == last_offset_s[0]) &&
                         (n < 2 || offset_s[1] == last_offset_s[1]);
        if (z->block_known) {
            z->block = block;
            z->block_count = n;
            memcpy(z->block_offset_s, offset_s, sizeof(offset_s));
        } else {
            n = resolve(local_s, offset_s);
        }
    }
    for (int i = 0; i < n; i++)
        utc_s[i] = local_s - offset_s[i];
    return n;
}
