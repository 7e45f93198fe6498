/*
 * The fast half of the parser: a line without escapes, whose values are short numbers, booleans or
 * plain strings, in one pass. Whatever else it meets it leaves to strict.c, from the start of the
 * line, without having changed anything.
 */
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "engine/base/decimal.h"
#include "engine/lineproto/strict.h"

void bbi_lp_init(struct bbi_lp_parser *p, struct bbi_lp_field *fields, int64_t precision_ns,
                 int64_t now_ns)
{
    int64_t beyond;

    BB_ASSERT(precision_ns > 0);
    memset(p, 0, sizeof(*p));
    p->line_number = 1;
    p->precision_ns = precision_ns;
    p->fields = fields;
    /* Cut towards the past on both sides of 1970. */
    beyond = now_ns % precision_ns;
    p->now_ns = now_ns - beyond - (beyond < 0 ? precision_ns : 0);
}

void bbi_lp_feed(struct bbi_lp_parser *p, const void *text, size_t length, bool last)
{
    p->at = text;
    p->end = length == 0 ? p->at : p->at + length;
    p->last = last;
}

size_t bbi_lp_rest(const struct bbi_lp_parser *p)
{
    return (size_t)(p->end - p->at);
}

/* The first of four bytes in [p, end), or end. */
static inline const uint8_t *find_any4(const uint8_t *p, const uint8_t *end, const char find[4])
{
#ifdef __SSE2__
    const __m128i v0 = _mm_set1_epi8(find[0]);
    const __m128i v1 = _mm_set1_epi8(find[1]);
    const __m128i v2 = _mm_set1_epi8(find[2]);
    const __m128i v3 = _mm_set1_epi8(find[3]);
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, v0), _mm_cmpeq_epi8(v, v1)),
                                   _mm_or_si128(_mm_cmpeq_epi8(v, v2), _mm_cmpeq_epi8(v, v3)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);
        if (mask != 0) {
            return p + __builtin_ctz(mask);
        }
        p += 16;
    }
#endif
    while (p < end && memchr(find, *p, 4) == NULL) {
        p++;
    }
    return p;
}

/* Eight digits at once, if there are. Source: Lemire, "Quickly parsing eight digits", 2018. */
static inline bool take_eight_digits(const uint8_t *p, uint64_t *value)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    if (((v & UINT64_C(0xf0f0f0f0f0f0f0f0)) |
         (((v + UINT64_C(0x0606060606060606)) & UINT64_C(0xf0f0f0f0f0f0f0f0)) >> 4)) !=
        UINT64_C(0x3333333333333333)) {
        return false;
    }
    v = (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
    v = (v & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
    v = (v & UINT64_C(0x0000ffff0000ffff)) * UINT64_C(42949672960001) >> 32;
    *value = *value * 100000000 + v;
    return true;
}

/* Digits appended to *value modulo 2^64; the caller bounds their number. */
static inline const uint8_t *take_digits(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    uint64_t v = *value;
    while (p < end && (uint8_t)(*p - '0') <= 9) {
        v = v * 10 + (uint64_t)(*p - '0');
        p++;
    }
    *value = v;
    return p;
}

static inline const uint8_t *take_many_digits(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    while (end - p >= 8 && take_eight_digits(p, value)) {
        p += 8;
    }
    return take_digits(p, end, value);
}

/* Nineteen digits always fit 64 bits. */
#define DIGITS_MAX 19

/* The exponent of a number, at its e. NULL: not plain. */
static const uint8_t *fast_exponent(const uint8_t *p, const uint8_t *end, int *exp10)
{
    uint64_t value = 0;
    bool negative = false;

    p++;
    if (p < end && (*p == '-' || *p == '+')) {
        negative = *p++ == '-';
    }
    const uint8_t *start = p;
    p = take_digits(p, end, &value);
    if (p == start || p - start > 2) {
        return NULL;
    }
    *exp10 += negative ? -(int)value : (int)value;
    return p;
}

/* A number at p; returns the byte behind it, or NULL: not plain. */
static inline const uint8_t *fast_number(const uint8_t *p, const uint8_t *end,
                                         struct bbi_lp_field *field)
{
    bool negative = *p == '-';
    uint64_t digits = 0;
    int exp10 = 0;

    p += negative;
    const uint8_t *start = p;
    p = take_digits(p, end, &digits);
    ptrdiff_t count = p - start;
    bool has_point = p < end && *p == '.';
    if (has_point) {
        start = ++p;
        p = take_digits(p, end, &digits);
        exp10 = -(int)(p - start);
        count += p - start;
    }
    if (count == 0 || count > DIGITS_MAX) {
        return NULL;
    }
    if (p < end && (*p == 'i' || *p == 'u')) {
        field->type = *p == 'i' ? BBI_INT : BBI_UINT;
        field->v.bits = negative ? -digits : digits;
        bool fits = *p == 'u' ? !negative : digits <= (uint64_t)INT64_MAX + negative;
        return has_point || !fits ? NULL : p + 1;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = fast_exponent(p, end, &exp10);
        if (p == NULL) {
            return NULL;
        }
    }
    double value = bbi_decimal_make(digits, exp10);
    value = negative ? -value : value;
    field->type = BBI_FLOAT;
    memcpy(&field->v.bits, &value, sizeof(value));
    return p;
}

static const uint8_t *fast_string(const uint8_t *p, const uint8_t *end, struct bbi_lp_field *field)
{
    const uint8_t *start = p + 1;
    const uint8_t *quote = find_any4(start, end, (const char[]){'"', '\\', '\n', '\n'});

    if (quote == end || *quote != '"' || quote - start > BBI_LP_STRING_MAX) {
        return NULL;
    }
    field->type = BBI_STRING;
    field->v.str = start;
    field->length = (uint32_t)(quote - start);
    return quote + 1;
}

static const uint8_t *fast_boolean(const uint8_t *p, const uint8_t *end, struct bbi_lp_field *field)
{
    bool value = *p == 't' || *p == 'T';
    size_t long_form = value ? 4 : 5;
    size_t left = (size_t)(end - p);

    field->type = BBI_BOOL;
    field->v.bits = value;
    if (left >= long_form && memcmp(p, value ? "true" : "false", long_form) == 0) {
        return p + long_form;
    }
    if (left < 2 || p[1] == ',' || p[1] == ' ' || p[1] == '\n') {
        return p + 1;
    }
    return NULL;
}

static inline const uint8_t *fast_value(const uint8_t *p, const uint8_t *end,
                                        struct bbi_lp_field *field)
{
    if (p == end) {
        return NULL;
    }
    if ((uint8_t)(*p - '0') <= 9 || *p == '-' || *p == '.') {
        return fast_number(p, end, field);
    }
    switch (*p) {
    case '"':
        return fast_string(p, end, field);
    case 't':
    case 'T':
    case 'f':
    case 'F':
        return fast_boolean(p, end, field);
    default:
        return NULL;
    }
}

/* Bytes that end a plain field name, or that it must not hold. */
static inline bool ends_name(uint8_t c)
{
    return c == '=' || c == ',' || c == ' ' || c == '\\' || c == '\n' || c == '\t' || c == '\0' ||
           c == '"';
}

/* The fields from p on. Returns the byte behind the last, or NULL: not plain. */
static const uint8_t *fast_fields(const uint8_t *p, const uint8_t *end, struct bbi_lp_line *line)
{
    size_t name_max = BBI_LP_KEY_MAX - line->key_length;
    uint32_t count = 0;

    for (;; p++) {
        struct bbi_lp_field *field = &line->fields[count];
        const uint8_t *name = p;
        while (p < end && !ends_name(*p)) {
            p++;
        }
        size_t length = (size_t)(p - name);
        if (p == end || *p != '=' || length == 0 || length + 4 > name_max) {
            return NULL;
        }
        field->name = name;
        field->name_length = (uint32_t)length;
        field->name_escaped = false;
        field->string_escaped = false;
        field->length = 0;
        p = fast_value(p + 1, end, field);
        if (p == NULL) {
            return NULL;
        }
        count++;
        if (p == end || *p != ',') {
            line->field_count = count;
            return p;
        }
        if (count == BBI_LP_FIELDS_MAX) {
            return NULL;
        }
    }
}

/* At the end of a line: the byte behind its newline, *text_end its last byte's end. NULL: it is not
 * the end, or not yet known. */
static inline const uint8_t *fast_line_end(const struct bbi_lp_parser *parser, const uint8_t *p,
                                           const uint8_t **text_end)
{
    *text_end = p;
    if (p < parser->end && *p == '\n') {
        return p + 1;
    }
    if (parser->end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
        return p + 2;
    }
    return p == parser->end && parser->last ? p : NULL;
}

static inline const uint8_t *fast_time(const struct bbi_lp_parser *parser, const uint8_t *p,
                                       struct bbi_lp_line *line)
{
    uint64_t digits = 0;
    bool negative = p < parser->end && *p == '-';

    p += negative;
    const uint8_t *start = p;
    p = take_many_digits(p, parser->end, &digits);
    /* The lowest int64 is out of range anyway. */
    if (p == start || p - start > DIGITS_MAX || digits > INT64_MAX) {
        return NULL;
    }
    int64_t stamp = negative ? -(int64_t)digits : (int64_t)digits;
    line->has_time = true;
    return bbi_lp_scale_time(stamp, parser->precision_ns, &line->time_ns) ? p : NULL;
}

/* One plain line at parser->at. Returns false: it is not, nothing has moved. */
static bool fast_line(struct bbi_lp_parser *parser, struct bbi_lp_line *line)
{
    const uint8_t *start = parser->at;
    const uint8_t *end = parser->end;
    const uint8_t *p = find_any4(start, end, (const char[]){' ', '\\', '\n', '\0'});
    const uint8_t *text_end;

    if (p == end || *p != ' ' || p - start > BBI_LP_KEY_MAX) {
        return false;
    }
    line->key = start;
    line->key_length = (uint32_t)(p - start);
    line->fields = parser->fields;
    p = fast_fields(p + 1, end, line);
    if (p == NULL) {
        return false;
    }
    line->has_time = false;
    line->time_ns = parser->now_ns;
    if (p < end && *p == ' ') {
        p = fast_time(parser, p + 1, line);
        if (p == NULL) {
            return false;
        }
    }
    p = fast_line_end(parser, p, &text_end);
    if (p == NULL || text_end - start > BBI_LP_LINE_MAX) {
        return false;
    }
    line->text = start;
    line->length = (size_t)(text_end - start);
    line->line_number = parser->line_number++;
    parser->at = p;
    return true;
}

int bbi_lp_next(struct bbi_lp_parser *p, struct bbi_lp_line *line, struct bb_error *err)
{
    if (p->at < p->end && !p->skipping) {
        uint8_t c = *p->at;
        bool plain = c > ' ' && c != ',' && c != '#';
        if (plain && fast_line(p, line)) {
            return BB_OK;
        }
    }
    return bbi_lp_next_strict(p, line, err);
}
