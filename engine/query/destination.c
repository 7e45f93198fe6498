/*
 * Whether a text is a URL with scheme, host and port, by the rules of Go's url.Parse and
 * net.SplitHostPort, which decide what InfluxDB takes.
 */
#include <ctype.h>
#include <string.h>

#include "engine/query/subscription.h"

/* A piece of the text. */
struct span {
    const char *at;
    size_t len;
};

static const char *find(struct span s, char c)
{
    return s.len == 0 ? NULL : memchr(s.at, c, s.len);
}

static const char *find_last(struct span s, char c)
{
    return s.len == 0 ? NULL : memrchr(s.at, c, s.len);
}

/* What is before `at`, and from it on. */
static struct span before(struct span s, const char *at)
{
    return (struct span){s.at, (size_t)(at - s.at)};
}

static struct span from(struct span s, const char *at)
{
    return (struct span){at, (size_t)(s.at + s.len - at)};
}

/* ---- escapes ---- */

static bool is_escape(struct span s, size_t i)
{
    return i + 2 < s.len && isxdigit((unsigned char)s.at[i + 1]) &&
           isxdigit((unsigned char)s.at[i + 2]);
}

static bool has_good_escapes(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '%' && !is_escape(s, i)) {
            return false;
        }
    }
    return true;
}

/* Unreserved bytes, those that end nothing, and what is not ASCII. */
static bool is_host_byte(char c)
{
    return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) ||
           (c != '\0' && strchr("-_.~!$&'()*+,;=:[]<>\"", c) != NULL);
}

/* Escapes in a host stand for bytes that are not ASCII, or for the % of a zone. */
static bool is_host(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != '%') {
            if (!is_host_byte(s.at[i])) {
                return false;
            }
            continue;
        }
        if (!is_escape(s, i) || (s.at[i + 1] < '8' && memcmp(s.at + i, "%25", 3) != 0)) {
            return false;
        }
        i += 2;
    }
    return true;
}

/* ---- parts ---- */

static bool is_user(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (!isalnum((unsigned char)c) && (c == '\0' || strchr("-._:~!$&'()*+,;=%@", c) == NULL)) {
            return false;
        }
    }
    return has_good_escapes(s);
}

/* ":" and one digit or more. */
static bool is_port(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') {
            return false;
        }
    }
    return s.len > 1 && s.at[0] == ':';
}

/* An address of IPv6 between brackets, with a zone perhaps, and a port. */
static bool is_bracketed(struct span s)
{
    const char *end = find_last(s, ']');
    if (end == NULL || !is_port(from(s, end + 1))) {
        return false;
    }
    struct span inner = {s.at + 1, (size_t)(end - s.at - 1)};
    const char *zone = inner.len == 0 ? NULL : memmem(inner.at, inner.len, "%25", 3);
    struct span address = zone == NULL ? inner : before(inner, zone);
    return find(address, ':') != NULL && is_host(address) && find(inner, '[') == NULL &&
           find(inner, ']') == NULL && (zone == NULL || has_good_escapes(from(inner, zone)));
}

static bool is_host_and_port(struct span s)
{
    if (s.len > 0 && s.at[0] == '[') {
        return is_bracketed(s);
    }
    const char *colon = find_last(s, ':');
    if (colon == NULL || !is_port(from(s, colon))) {
        return false;
    }
    struct span host = before(s, colon);
    return is_host(host) && find(host, ':') == NULL && find(host, '[') == NULL &&
           find(host, ']') == NULL;
}

static bool is_scheme(struct span s)
{
    return (s.len == 3 && strncasecmp(s.at, "udp", 3) == 0) ||
           (s.len == 4 && strncasecmp(s.at, "http", 4) == 0) ||
           (s.len == 5 && strncasecmp(s.at, "https", 5) == 0);
}

static bool has_control_bytes(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool is_destination(struct span url)
{
    const char *mark = find(url, '#');
    if (mark != NULL) {
        if (!has_good_escapes(from(url, mark))) {
            return false;
        }
        url = before(url, mark);
    }
    const char *colon = find(url, ':');
    if (has_control_bytes(url) || colon == NULL || !is_scheme(before(url, colon))) {
        return false;
    }
    struct span rest = from(url, colon + 1);
    const char *query = find(rest, '?');
    rest = query == NULL ? rest : before(rest, query);
    if (rest.len < 2 || memcmp(rest.at, "//", 2) != 0) {
        return false;
    }
    struct span authority = {rest.at + 2, rest.len - 2};
    const char *path = find(authority, '/');
    if (path != NULL) {
        if (!has_good_escapes(from(authority, path))) {
            return false;
        }
        authority = before(authority, path);
    }
    const char *at = find_last(authority, '@');
    return at == NULL ? is_host_and_port(authority)
                      : is_user(before(authority, at)) && is_host_and_port(from(authority, at + 1));
}

int bbi_subscription_check(const char *destination, struct bb_error *err)
{
    return is_destination((struct span){destination, strlen(destination)})
               ? BB_OK
               : bbi_error_set(err, BB_EINVAL, "invalid subscription URL: %.400s", destination);
}
