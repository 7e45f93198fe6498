#include "client/shell_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define NS_PER_S 1000000000

/* One character: its bytes, or 0 if there is none. */
static size_t decode(const char *s, size_t n, wchar_t *c)
{
    mbstate_t state = {0};
    size_t len = mbrtowc(c, s, n, &state);
    return len == (size_t)-1 || len == (size_t)-2 || len == 0 ? 0 : len;
}

void bbsh_put_safe(struct text *t, const char *s, size_t n)
{
    while (n > 0) {
        wchar_t c;
        size_t len = decode(s, n, &c);
        if (len > 0 && wcwidth(c) >= 0) {
            text_put(t, s, len);
        } else if (*s == '\n') {
            text_puts(t, "\\n");
        } else if (*s == '\t') {
            text_puts(t, "\\t");
        } else {
            len = len > 0 ? len : 1;
            for (size_t i = 0; i < len; i++)
                text_printf(t, "\\x%02x", (unsigned)(unsigned char)s[i]);
        }
        len = len > 0 ? len : 1;
        s += len;
        n -= len;
    }
}

size_t bbsh_width(const char *s, size_t n)
{
    size_t width = 0;
    while (n > 0) {
        wchar_t c;
        size_t len = decode(s, n, &c);
        int w = len > 0 ? wcwidth(c) : 1;
        width += w > 0 ? (size_t)w : 0;
        len = len > 0 ? len : 1;
        s += len;
        n -= len;
    }
    return width;
}

static void put_spaces(struct text *t, size_t n)
{
    char *room = text_room(t, n);
    if (room == NULL)
        return;
    memset(room, ' ', n);
    t->len += n;
    t->data[t->len] = '\0';
}

void bbsh_put_fitted(struct text *t, const char *s, size_t n, size_t width, bool right, bool utf8)
{
    size_t have = bbsh_width(s, n);
    if (have <= width) {
        if (right)
            put_spaces(t, width - have);
        text_put(t, s, n);
        if (!right)
            put_spaces(t, width - have);
        return;
    }
    size_t taken = 0;
    while (n > 0) {
        wchar_t c;
        size_t len = decode(s, n, &c);
        int w = len > 0 ? wcwidth(c) : 1;
        len = len > 0 ? len : 1;
        if (taken + (w > 0 ? (size_t)w : 0) + 1 > width)
            break;
        taken += w > 0 ? (size_t)w : 0;
        text_put(t, s, len);
        s += len;
        n -= len;
    }
    if (taken < width) {
        text_puts(t, utf8 ? "\u2026" : "~");
        put_spaces(t, width - taken - 1);
    }
}

bool bbsh_parse_ns(const char *digits, size_t n, int64_t *time_ns)
{
    char copy[32];
    if (n == 0 || n >= sizeof(copy))
        return false;
    memcpy(copy, digits, n);
    copy[n] = '\0';
    char *end;
    errno = 0;
    long long value = strtoll(copy, &end, 10);
    *time_ns = value;
    return errno == 0 && *end == '\0';
}

static void split(int64_t time_ns, bool utc, struct tm *tm, int64_t *fraction)
{
    int64_t s = time_ns / NS_PER_S;
    *fraction = time_ns % NS_PER_S;
    if (*fraction < 0) {
        *fraction += NS_PER_S;
        s--;
    }
    time_t clock = (time_t)s;
    if (utc)
        gmtime_r(&clock, tm);
    else
        localtime_r(&clock, tm);
}

void bbsh_put_time(struct text *t, int64_t time_ns, bool utc)
{
    struct tm tm;
    int64_t fraction;
    split(time_ns, utc, &tm, &fraction);
    text_printf(t, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (fraction != 0) {
        char digits[16];
        int n = snprintf(digits, sizeof(digits), ".%09lld", (long long)fraction);
        while (digits[n - 1] == '0')
            n--;
        text_put(t, digits, (size_t)n);
    }
    if (utc) {
        text_putc(t, 'Z');
        return;
    }
    long offset = tm.tm_gmtoff / 60;
    text_printf(t, "%c%02ld:%02ld", offset < 0 ? '-' : '+', labs(offset) / 60, labs(offset) % 60);
}

void bbsh_put_short_time(struct text *t, int64_t time_ns, bool utc, int64_t span_ns)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int64_t hour = INT64_C(3600) * NS_PER_S;
    struct tm tm;
    int64_t fraction;
    split(time_ns, utc, &tm, &fraction);
    const char *month = months[tm.tm_mon];
    if (span_ns < hour / 12)
        text_printf(t, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
    else if (span_ns < 20 * hour)
        text_printf(t, "%02d:%02d", tm.tm_hour, tm.tm_min);
    else if (span_ns < 10 * 24 * hour)
        text_printf(t, "%d %s %02d:%02d", tm.tm_mday, month, tm.tm_hour, tm.tm_min);
    else
        text_printf(t, "%d %s %d", tm.tm_mday, month, tm.tm_year + 1900);
}

void bbsh_hour_and_day(int64_t time_ns, bool utc, unsigned *hour, unsigned *weekday)
{
    struct tm tm;
    int64_t fraction;
    split(time_ns, utc, &tm, &fraction);
    *hour = (unsigned)tm.tm_hour;
    *weekday = (unsigned)(tm.tm_wday + 6) % 7;
}

bool bbsh_is_utc(const char *name)
{
    return name[0] == '\0' || strcasecmp(name, "utc") == 0 || strcasecmp(name, "z") == 0;
}

bool bbsh_set_zone(const char *name)
{
    if (bbsh_is_utc(name))
        return true;
    if (strcmp(name, "local") == 0) {
        unsetenv("TZ");
        tzset();
        return true;
    }
    /* An unknown TZ silently means UTC to libc. */
    const char *folder = getenv("TZDIR");
    char path[512];
    int n = snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo",
                     name);
    if (n < 0 || (size_t)n >= sizeof(path) || name[0] == '/' || strstr(name, "..") != NULL ||
        access(path, R_OK) != 0 || strlen(name) > 60)
        return false;
    char zone[64];
    snprintf(zone, sizeof(zone), ":%s", name);
    setenv("TZ", zone, 1);
    tzset();
    return true;
}

/** Behind a string or a quoted name that begins at s. */
static const char *skip_quoted(const char *s)
{
    const char quote = *s++;
    while (*s != '\0' && *s != quote)
        s += *s == '\\' && s[1] != '\0' ? 2 : 1;
    return *s == '\0' ? s : s + 1;
}

void bbsh_find_zone(const char *query, char *zone, size_t size)
{
    zone[0] = '\0';
    for (const char *s = query; *s != '\0';) {
        if (*s == '\'' || *s == '"') {
            s = skip_quoted(s);
            continue;
        }
        size_t word = 0;
        while (isalnum((unsigned char)s[word]) || s[word] == '_')
            word++;
        const char *name = s + word + strspn(s + word, " ");
        const bool call = *name == '(' && bbsh_same_word(s, word, "tz");
        s += word == 0 ? 1 : word;
        if (!call)
            continue;
        name += 1 + strspn(name + 1, " ");
        size_t n = *name == '\'' ? strcspn(name + 1, "'\\") : 0;
        if (n > 0 && n < size && name[1 + n] == '\'') {
            memcpy(zone, name + 1, n);
            zone[n] = '\0';
            return;
        }
    }
}

void bbsh_put_number(struct text *t, double x)
{
    char digits[40];
    snprintf(digits, sizeof(digits), fabs(x) >= 1e7 || (x != 0 && fabs(x) < 1e-4) ? "%.3e" : "%.4g",
             x);
    if (fabs(x) >= 1000 && fabs(x) < 1e7)
        snprintf(digits, sizeof(digits), "%.0f", x);
    text_puts(t, digits);
}

bool bbsh_same_word(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(s, word, n) == 0;
}
