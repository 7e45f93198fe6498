/*
 * One pass over the pattern. What counts as one thing to repeat (an atom) is written as it is read;
 * groups lose their numbers and names, since nobody asks what they matched.
 *
 * Repetitions multiply where they are nested, and Go refuses more than 1,000 in all: `cost` of an
 * atom is the largest product of the repetitions within it.
 */
#include "engine/base/re2.h"

#include <string.h>

#define REPEAT_MAX 1000
#define GROUPS_MAX 200 /* nested; PCRE2 allows 250 */
#define RUNE_MAX   0x10FFFF

struct group {
    unsigned cost; /* of the atoms that it has so far */
};

struct reader {
    const char *begin;
    const char *end;
    const char *at;
    struct bbi_buf *out;
    struct bb_error *err;
    struct group groups[GROUPS_MAX + 1];
    unsigned depth;
    bool has_atom; /* there is something to repeat */
    unsigned cost; /* of that atom */
};

static int fail(struct reader *r, const char *what, const char *from, const char *to)
{
    size_t length = (size_t)(to - from);
    return bbi_error_set(r->err, BB_EPARSE, "error parsing regexp: %s: `%.*s`", what,
                         (int)(length < 200 ? length : 200), from);
}

static int fail_whole(struct reader *r, const char *what)
{
    return fail(r, what, r->begin, r->end);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* ---- characters ---- */

/* The bytes of a UTF-8 sequence at p; 0: it is none. */
static size_t rune_at(const char *p, const char *end, uint32_t *rune)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)*p;
    size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (length == 1) {
        *rune = first;
        return 1;
    }
    if (first < 0xC2 || first > 0xF4 || (size_t)(end - p) < length) {
        return 0;
    }
    *rune = first & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)p[i] & 0xC0) != 0x80) {
            return 0;
        }
        *rune = *rune << 6 | ((uint8_t)p[i] & 0x3FU);
    }
    bool good = *rune >= least[length] && *rune <= RUNE_MAX && (*rune & ~0x7FFU) != 0xD800;
    return good ? length : 0;
}

static bool is_utf8(const char *p, const char *end)
{
    uint32_t rune;
    while (p < end) {
        size_t length = rune_at(p, end, &rune);
        if (length == 0) {
            return false;
        }
        p += length;
    }
    return true;
}

static void put_rune(struct reader *r, uint32_t rune)
{
    if (rune < 0x80 && is_word((char)rune)) {
        bbi_buf_u8(r->out, (uint8_t)rune);
    } else {
        bbi_buf_printf(r->out, "\\x{%x}", (unsigned)rune);
    }
}

static void take_rune(struct reader *r, uint32_t *rune)
{
    r->at += rune_at(r->at, r->end, rune);
}

static void put_atom(struct reader *r, uint32_t rune)
{
    put_rune(r, rune);
    r->has_atom = true;
    r->cost = 1;
}

static int hex_of(char c)
{
    return is_digit(c)              ? c - '0'
           : (c >= 'a' && c <= 'f') ? c - 'a' + 10
           : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                    : -1;
}

/* \x41 and \x{41}, behind the x. False: no number; at stands behind what was looked at. */
static bool take_hex(struct reader *r, uint32_t *rune)
{
    *rune = 0;
    if (r->at == r->end) {
        return false;
    }
    bool braced = *r->at == '{';
    r->at += braced;
    for (unsigned digits = 0; r->at < r->end; digits++) {
        uint32_t c;
        take_rune(r, &c);
        if (braced && c == '}') {
            return digits > 0;
        }
        int digit = c < 0x80 ? hex_of((char)c) : -1;
        if (digit < 0 && !braced && digits == 0 && r->at < r->end) {
            take_rune(r, &c); /* Go names both */
        }
        *rune = *rune * 16 + (uint32_t)digit;
        if (digit < 0 || *rune > RUNE_MAX) {
            return false;
        }
        if (!braced && digits == 1) {
            return true;
        }
    }
    return false;
}

static bool take_octal(struct reader *r, uint32_t first, uint32_t *rune)
{
    bool more = r->at < r->end && *r->at >= '0' && *r->at <= '7';
    *rune = first - '0';
    if (first != '0' && !more) {
        return false; /* a reference to a group */
    }
    for (unsigned i = 0; i < 2 && r->at < r->end && *r->at >= '0' && *r->at <= '7'; i++) {
        *rune = *rune * 8 + (uint32_t)(*r->at++ - '0');
    }
    return true;
}

/* An escape that stands for one character, at its backslash. */
static int take_escape(struct reader *r, uint32_t *rune)
{
    static const char letters[] = "aftnrv";
    static const char meanings[] = "\a\f\t\n\r\v";
    const char *from = r->at++;
    if (r->at == r->end) {
        return fail(r, "trailing backslash at end of expression", r->end, r->end);
    }
    uint32_t c;
    take_rune(r, &c);
    const char *letter = c == 0 || c >= 0x80 ? NULL : strchr(letters, (int)c);
    bool good = true;
    if (letter != NULL) {
        *rune = (uint8_t)meanings[letter - letters];
    } else if (c == 'x') {
        good = take_hex(r, rune);
    } else if (c >= '0' && c <= '7') {
        good = take_octal(r, c, rune);
    } else {
        *rune = c;
        good = c < 0x80 && (c == '_' || !is_word((char)c));
    }
    return good ? BB_OK : fail(r, "invalid escape sequence", from, r->at);
}

/* ---- classes ---- */

/* Go's \s has no vertical tab. */
static bool put_perl_class(struct reader *r, char c, bool in_class)
{
    switch (c) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        bbi_buf_printf(r->out, "\\%c", c);
        return true;
    case 's':
        bbi_buf_str(r->out, in_class ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
        return true;
    case 'S':
        bbi_buf_str(r->out, in_class ? "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}"
                                     : "[^\\t\\n\\f\\r\\x20]");
        return true;
    default:
        return false;
    }
}

/* Categories have one or two letters; the names of scripts are longer, and PCRE2 knows them. */
static bool is_unicode_name(const char *name, size_t length)
{
    static const char categories[] =
        " C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd "
        "Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs ";
    char padded[5] = {' '};
    if (length == 0 || length > 40 || name[0] < 'A' || name[0] > 'Z') {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_word(name[i])) {
            return false;
        }
    }
    if (length > 2) {
        return !(length == 3 && name[0] == 'X') && memcmp(name, "Is", 2) != 0;
    }
    memcpy(padded + 1, name, length);
    padded[length + 1] = ' ';
    return strstr(categories, padded) != NULL;
}

/* \pN, \p{Greek}, \P{^Lu}, at the backslash. */
static int take_unicode(struct reader *r)
{
    const char *from = r->at;
    bool negated = from[1] == 'P';
    r->at += 2;
    const char *name = r->at;
    const char *name_end = name;
    if (r->at < r->end && *r->at == '{') {
        name++;
        name_end = memchr(name, '}', (size_t)(r->end - name));
        if (name_end == NULL) {
            return fail(r, "invalid character class range", from, r->end);
        }
        r->at = name_end + 1;
    } else if (r->at < r->end) {
        uint32_t c;
        take_rune(r, &c);
        name_end = r->at;
    }
    if (name < name_end && *name == '^') {
        negated = !negated;
        name++;
    }
    size_t length = (size_t)(name_end - name);
    if (!is_unicode_name(name, length)) {
        return fail(r, "invalid character class range", from, r->at);
    }
    bbi_buf_printf(r->out, "\\%c{%.*s}", negated ? 'P' : 'p', (int)length, name);
    return BB_OK;
}

static bool is_unicode(const struct reader *r)
{
    return r->end - r->at >= 2 && r->at[0] == '\\' && (r->at[1] == 'p' || r->at[1] == 'P');
}

/* [:alpha:] and [:^alpha:] within a class. *taken: it was one. */
static int take_named_class(struct reader *r, bool *taken)
{
    static const char known[] =
        " alnum alpha ascii blank cntrl digit graph lower print punct space "
        "upper word xdigit ";
    char padded[12] = {' '};
    const char *from = r->at;
    const char *stop = from + 2;
    *taken = false;
    while (stop < r->end && !(stop[0] == ':' && stop + 1 < r->end && stop[1] == ']')) {
        stop++;
    }
    if (stop == r->end) {
        return BB_OK;
    }
    const char *name = from + 2 + (from[2] == '^');
    size_t length = stop > name ? (size_t)(stop - name) : 0;
    bool good = length > 0 && length < sizeof(padded) - 2;
    for (size_t i = 0; good && i < length; i++) {
        good = name[i] >= 'a' && name[i] <= 'z';
    }
    if (good) {
        memcpy(padded + 1, name, length);
        padded[length + 1] = ' ';
        good = strstr(known, padded) != NULL;
    }
    if (!good) {
        return fail(r, "invalid character class range", from, stop + 2);
    }
    bbi_buf_put(r->out, from, (size_t)(stop + 2 - from));
    r->at = stop + 2;
    *taken = true;
    return BB_OK;
}

static int take_class_rune(struct reader *r, const char *class_begin, uint32_t *rune)
{
    if (r->at == r->end) {
        return fail(r, "missing closing ]", class_begin, r->end);
    }
    if (*r->at == '\\') {
        return take_escape(r, rune);
    }
    take_rune(r, rune);
    return BB_OK;
}

static int take_range(struct reader *r, const char *class_begin)
{
    const char *from = r->at;
    uint32_t low;
    int rc = take_class_rune(r, class_begin, &low);
    uint32_t high = low;
    if (rc == BB_OK && r->end - r->at >= 2 && r->at[0] == '-' && r->at[1] != ']') {
        r->at++;
        rc = take_class_rune(r, class_begin, &high);
        if (rc == BB_OK && high < low) {
            return fail(r, "invalid character class range", from, r->at);
        }
    }
    if (rc == BB_OK) {
        put_rune(r, low);
        if (high != low) {
            bbi_buf_str(r->out, "-");
            put_rune(r, high);
        }
    }
    return rc;
}

static int take_class_item(struct reader *r, const char *class_begin)
{
    bool taken = false;
    if (r->end - r->at > 2 && r->at[0] == '[' && r->at[1] == ':') {
        int rc = take_named_class(r, &taken);
        if (rc != BB_OK || taken) {
            return rc;
        }
    }
    if (is_unicode(r)) {
        return take_unicode(r);
    }
    if (r->end - r->at >= 2 && r->at[0] == '\\' && put_perl_class(r, r->at[1], true)) {
        r->at += 2;
        return BB_OK;
    }
    return take_range(r, class_begin);
}

/* At the bracket. A ] that comes first is a character. */
static int take_class(struct reader *r)
{
    const char *from = r->at++;
    bbi_buf_str(r->out, "[");
    if (r->at < r->end && *r->at == '^') {
        bbi_buf_str(r->out, "^");
        r->at++;
    }
    int rc = BB_OK;
    for (bool first = true; rc == BB_OK && (r->at == r->end || *r->at != ']' || first);
         first = false) {
        rc = take_class_item(r, from);
    }
    if (rc == BB_OK) {
        r->at++;
        bbi_buf_str(r->out, "]");
        r->has_atom = true;
        r->cost = 1;
    }
    return rc;
}

/* ---- groups ---- */

/* What the last atom of a group costs is not known before the next one begins. */
static void end_atom(struct reader *r)
{
    struct group *g = &r->groups[r->depth];
    if (r->has_atom && r->cost > g->cost) {
        g->cost = r->cost;
    }
    r->has_atom = false;
    r->cost = 0;
}

static int open_group(struct reader *r)
{
    if (r->depth == GROUPS_MAX) {
        return fail_whole(r, "expression nests too deeply");
    }
    end_atom(r);
    r->groups[++r->depth].cost = 1;
    return BB_OK;
}

static int close_group(struct reader *r)
{
    if (r->depth == 0) {
        return fail_whole(r, "unexpected )");
    }
    end_atom(r);
    r->cost = r->groups[r->depth--].cost;
    r->has_atom = true;
    r->at++;
    bbi_buf_str(r->out, ")");
    return BB_OK;
}

/* (?P<name>, at the parenthesis. */
static int take_named_group(struct reader *r)
{
    const char *from = r->at;
    const char *stop = memchr(from, '>', (size_t)(r->end - from));
    if (stop == NULL) {
        return fail(r, "invalid named capture", from, r->end);
    }
    bool good = stop > from + 4;
    for (const char *p = from + 4; p < stop; p++) {
        good = good && is_word(*p);
    }
    if (!good) {
        return fail(r, "invalid named capture", from, stop + 1);
    }
    r->at = stop + 1;
    bbi_buf_str(r->out, "(?:");
    return open_group(r);
}

/* (?flags) and (?flags:, at the parenthesis. */
static int take_flags(struct reader *r)
{
    const char *from = r->at;
    bool minus = false;
    bool any = false;
    for (r->at += 2; r->at < r->end;) {
        uint32_t c;
        take_rune(r, &c);
        if (c == 'i' || c == 'm' || c == 's' || c == 'U') {
            any = true;
        } else if (c == '-' && !minus) {
            minus = true;
            any = false;
        } else if ((c == ':' || c == ')') && (!minus || any)) {
            bool empty = r->at == from + 3;
            if (!(empty && c == ')')) {
                bbi_buf_put(r->out, from, (size_t)(r->at - from));
            }
            end_atom(r); /* Go would repeat what stands before (?i)+; PCRE2 cannot */
            return c == ':' ? open_group(r) : BB_OK;
        } else {
            break;
        }
    }
    return fail(r, "invalid or unsupported Perl syntax", from, r->at);
}

static int take_group(struct reader *r)
{
    size_t left = (size_t)(r->end - r->at);
    if (left > 4 && memcmp(r->at, "(?P<", 4) == 0) {
        return take_named_group(r);
    }
    if (left >= 2 && r->at[1] == '?') {
        return take_flags(r);
    }
    r->at++;
    bbi_buf_str(r->out, "(?:");
    return open_group(r);
}

/* ---- repetitions ---- */

/* A number without leading zeros; one that is too large is -1. */
static bool take_count(const char **at, const char *end, int *count)
{
    const char *p = *at;
    if (p == end || !is_digit(*p) || (p[0] == '0' && p + 1 < end && is_digit(p[1]))) {
        return false;
    }
    int value = 0;
    for (; p < end && is_digit(*p); p++) {
        value = value < 0 || value > 9999999 ? -1 : value * 10 + (*p - '0');
    }
    *at = p;
    *count = value;
    return true;
}

/* {2}, {2,} or {2,3}; max -1: no end, min -1: a number too large. False: no repetition. */
static bool take_braces(const char **at, const char *end, int *min, int *max)
{
    const char *p = *at + 1;
    if (!take_count(&p, end, min) || p == end) {
        return false;
    }
    *max = *min;
    if (*p == ',') {
        p++;
        *max = -1;
        if (p < end && *p != '}') {
            if (!take_count(&p, end, max)) {
                return false;
            }
            *min = *max < 0 ? -1 : *min;
        }
    }
    if (p == end || *p != '}') {
        return false;
    }
    *at = p + 1;
    return true;
}

/* The operator at `at` ended at r->at: what does it repeat? */
static int repeat(struct reader *r, const char *from, const char *last, int min, int max)
{
    if (last != NULL) {
        return fail(r, "invalid nested repetition operator", last, r->at);
    }
    if (!r->has_atom) {
        return fail(r, "missing argument to repetition operator", from, r->at);
    }
    if (min >= 2 || max >= 2) {
        unsigned times = (unsigned)(max < 0 ? min : max);
        if (r->cost * times > REPEAT_MAX) {
            return fail(r, "invalid repeat count", from, r->at);
        }
        r->cost *= times;
    }
    bbi_buf_put(r->out, from, (size_t)(r->at - from));
    return BB_OK;
}

/* Repetition at r->at, or a brace that is none. *last: where the repetition just before began; it
 * becomes this one's place. */
static int take_repeat(struct reader *r, const char **last)
{
    const char *from = r->at;
    int min = 0;
    int max = -1;
    if (*from != '{') {
        r->at++;
    } else if (!take_braces(&r->at, r->end, &min, &max)) {
        r->at++;
        end_atom(r);
        put_atom(r, '{');
        *last = NULL;
        return BB_OK;
    }
    if (min < 0 || min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max)) {
        return fail(r, "invalid repeat count", from, r->at);
    }
    if (r->at < r->end && *r->at == '?') {
        r->at++;
    }
    int rc = repeat(r, from, *last, min, max);
    *last = from;
    return rc;
}

static bool is_repeat(const struct reader *r)
{
    return r->at < r->end && memchr("*+?{", *r->at, 4) != NULL;
}

/* ---- everything ---- */

/* PCRE2 repeats no bare assertion. */
static void put_assertion(struct reader *r, const char *text)
{
    bbi_buf_printf(r->out, is_repeat(r) ? "(?:%s)" : "%s", text);
    r->has_atom = true;
    r->cost = 1;
}

static void take_quoted(struct reader *r)
{
    r->at += 2;
    end_atom(r);
    while (r->at < r->end && !(r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'E')) {
        uint32_t rune;
        take_rune(r, &rune);
        end_atom(r);
        put_atom(r, rune);
    }
    r->at += r->at < r->end ? 2 : 0;
}

static int take_backslash(struct reader *r)
{
    char c = '\0';
    if (r->end - r->at >= 2) {
        c = r->at[1];
    }
    if (c == 'Q') {
        take_quoted(r);
        return BB_OK;
    }
    end_atom(r);
    if (c == 'A' || c == 'b' || c == 'B' || c == 'z') {
        const char text[] = {'\\', c, '\0'};
        r->at += 2;
        put_assertion(r, text);
        return BB_OK;
    }
    int rc = BB_OK;
    if (is_unicode(r)) {
        rc = take_unicode(r);
    } else if (put_perl_class(r, c, false)) {
        r->at += 2;
    } else {
        uint32_t rune = 0;
        rc = take_escape(r, &rune);
        if (rc == BB_OK) {
            put_rune(r, rune);
        }
    }
    r->has_atom = true;
    r->cost = 1;
    return rc;
}

static int take_one(struct reader *r)
{
    char c = *r->at;
    uint32_t rune;
    switch (c) {
    case '(':
        return take_group(r);
    case ')':
        return close_group(r);
    case '\\':
        return take_backslash(r);
    case '|':
        end_atom(r);
        r->at++;
        bbi_buf_str(r->out, "|");
        return BB_OK;
    case '[':
        end_atom(r);
        return take_class(r);
    case '^':
    case '$':
    case '.':
        end_atom(r);
        r->at++;
        put_assertion(r, c == '^' ? "^" : c == '$' ? "$" : ".");
        return BB_OK;
    default:
        end_atom(r);
        take_rune(r, &rune);
        put_atom(r, rune);
        return BB_OK;
    }
}

int bbi_re2_to_pcre2(const char *pattern, size_t length, struct bbi_buf *out, struct bb_error *err)
{
    struct reader r = {
        .begin = pattern, .end = pattern + length, .at = pattern, .out = out, .err = err};
    const char *last = NULL;
    int rc = BB_OK;
    if (!is_utf8(r.begin, r.end)) {
        return fail_whole(&r, "invalid UTF-8");
    }
    while (rc == BB_OK && r.at < r.end) {
        if (is_repeat(&r)) {
            rc = take_repeat(&r, &last);
        } else {
            last = NULL;
            rc = take_one(&r);
        }
    }
    if (rc == BB_OK && r.depth > 0) {
        return fail_whole(&r, "missing closing )");
    }
    return rc == BB_OK ? bbi_buf_check(out, "regular expression", err) : rc;
}
