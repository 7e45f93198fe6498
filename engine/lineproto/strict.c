/*
 * A line read in InfluxDB's passes, because its rules differ from pass to pass:
 *
 * 1. the end of the line: a backslash takes the next byte with it; between quotes, that count only
 *    behind the first blank and where a value may stand, a newline is text;
 * 2. the key: ends at the first blank that does not follow a backslash;
 * 3. the fields: their span, each value's syntax;
 * 4. the fields again: names and values one by one; here a name ends at the first = that does not
 *    follow a backslash;
 * 5. the timestamp.
 */
#include <math.h>
#include <string.h>

#include "engine/base/decimal.h"
#include "engine/lineproto/strict.h"

/* A line under inspection; a reason that is not a plain text is put into *err at once. */
struct strict {
    const uint8_t *end;
    struct bbi_lp_line *line;
    struct bb_error *err;
};

static int bad(struct strict *s, const char *reason)
{
    return bbi_error_set(s->err, BB_EPARSE, "%s", reason);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\0';
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_blank(*p)) {
        p++;
    }
    return p;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Pass 1. The newline, or `end`; a backslash that may be about to hide a newline in text not yet
 * there makes the line unfinished. */
static const uint8_t *find_line_end(const uint8_t *p, const uint8_t *end, bool last)
{
    bool quoted = false;
    bool in_fields = false;
    size_t equals = 0;
    size_t commas = 0;

    while (p < end) {
        if (*p == '\\' && (!last || end - p > 2)) {
            p += end - p > 2 ? 2 : end - p;
            continue;
        }
        if (*p == '\n' && !quoted) {
            break;
        }
        in_fields = in_fields || *p == ' ';
        if (in_fields) {
            if (*p == '"' && equals > commas) {
                quoted = !quoted;
            }
            equals += *p == '=' && !quoted;
            commas += *p == ',' && !quoted;
        }
        p++;
    }
    return p;
}

/* Pass 2: the end of the key, and whether its parts are complete. */
static int check_key(struct strict *s, const uint8_t *start, const uint8_t **key_end)
{
    const uint8_t *end = s->end;
    const uint8_t *part_end;
    const uint8_t *equals;
    const char *reason = NULL;

    *key_end = end;
    for (const uint8_t *p = start + 1; p < s->end; p++) {
        if (*p == ' ' && p[-1] != '\\') {
            end = p;
            break;
        }
    }
    const uint8_t *at = start;
    enum bbi_lp_key_state state = bbi_lp_key_measurement(&at, end, &part_end, &reason);
    while (state == BBI_LP_KEY_TAG) {
        state = bbi_lp_key_tag(&at, end, &equals, &part_end, &reason);
    }
    if (state == BBI_LP_KEY_BAD) {
        return bad(s, reason);
    }
    if (end == s->end) {
        return bad(s, "missing fields");
    }
    if (memchr(start, '\0', (size_t)(end - start)) != NULL) {
        return bad(s, "NUL byte in a measurement or tag");
    }
    if (end - start > BBI_LP_KEY_MAX) {
        return bbi_error_set(s->err, BB_EPARSE, "max key length exceeded: %zu > %u",
                             (size_t)(end - start), BBI_LP_KEY_MAX);
    }
    *key_end = end;
    return BB_OK;
}

/* Is the tag key [key, key_end) among those from `at` on? The key is known to be complete. */
static bool tag_key_again(const uint8_t *key, const uint8_t *key_end, const uint8_t *at,
                          const uint8_t *end)
{
    size_t length = (size_t)(key_end - key);
    enum bbi_lp_key_state state = BBI_LP_KEY_TAG;

    while (state == BBI_LP_KEY_TAG) {
        const uint8_t *start = at;
        const uint8_t *equals;
        const uint8_t *part_end;
        const char *reason;
        state = bbi_lp_key_tag(&at, end, &equals, &part_end, &reason);
        if ((size_t)(equals - start) == length && memcmp(start, key, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Tags compared each with each, for a line that is refused anyway: InfluxDB names the key's fault
 * first. Keys of very many tags are not worth the square. */
#define COMPARED_TAGS_MAX 64

static bool has_duplicate_tags(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *part_end;
    const uint8_t *equals;
    const char *reason;

    enum bbi_lp_key_state state = bbi_lp_key_measurement(&at, end, &part_end, &reason);
    for (int i = 0; i < COMPARED_TAGS_MAX && state == BBI_LP_KEY_TAG; i++) {
        const uint8_t *start = at;
        state = bbi_lp_key_tag(&at, end, &equals, &part_end, &reason);
        if (state == BBI_LP_KEY_TAG && tag_key_again(start, equals, at, end)) {
            return true;
        }
    }
    return false;
}

/* What a number looks like, before its value is known. */
struct number_shape {
    const uint8_t *end;
    bool is_int;
    bool is_unsigned;
    bool has_point;
    bool has_exponent;
};

/* The bytes of a number up to a comma or blank. Returns false: not a number's. */
static bool shape_number(const uint8_t *start, const uint8_t *end, struct number_shape *shape)
{
    const uint8_t *p = start + (*start == '-');

    memset(shape, 0, sizeof(*shape));
    for (; p < end && *p != ',' && *p != ' '; p++) {
        bool suffixed = shape->is_int || shape->is_unsigned;
        if (p > start && !suffixed && (*p == 'i' || *p == 'u')) {
            shape->is_int = *p == 'i';
            shape->is_unsigned = *p == 'u';
        } else if (p > start && (*p == 'e' || *p == 'E')) {
            shape->has_exponent = true;
        } else if (*p == '.' && !shape->has_point) {
            shape->has_point = true;
        } else if ((*p == '+' || *p == '-') && p > start) {
            if (p[-1] != 'e' && p[-1] != 'E') {
                return false;
            }
        } else if (!is_digit(*p)) {
            return false;
        }
    }
    shape->end = p;
    return true;
}

/* Digits alone, with a sign where it is allowed. Returns false: beyond 64 bits. */
static bool read_integer(const uint8_t *p, const uint8_t *end, bool is_unsigned, uint64_t *bits)
{
    bool negative = p < end && *p == '-';
    uint64_t limit = is_unsigned ? UINT64_MAX : (uint64_t)INT64_MAX + negative;
    uint64_t value = 0;

    for (p += negative; p < end; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (limit - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *bits = negative ? -value : value;
    return true;
}

static int bad_integer(struct strict *s, const uint8_t *start, const uint8_t *end, bool is_unsigned)
{
    int length = end - start > 100 ? 100 : (int)(end - start);
    return bbi_error_set(
        s->err, BB_EPARSE, "unable to parse %s %.*s: strconv.Parse%s: parsing \"%.*s\": %s",
        is_unsigned ? "unsigned" : "integer", length, (const char *)start,
        is_unsigned ? "Uint" : "Int", length, (const char *)start, "value out of range");
}

/* A number's value; field NULL: only look. */
static int read_number(struct strict *s, const uint8_t *start, const uint8_t *end,
                       const uint8_t **number_end, struct bbi_lp_field *field)
{
    struct number_shape shape;
    struct bbi_lp_field ignored;

    *number_end = start;
    field = field == NULL ? &ignored : field;
    if (!shape_number(start, end, &shape)) {
        return bad(s, "invalid number");
    }
    *number_end = shape.end;
    bool negative = *start == '-';
    bool suffixed = shape.is_int || shape.is_unsigned;
    if (shape.end - start == negative + shape.is_int + shape.has_point ||
        (suffixed && (shape.has_point || shape.has_exponent))) {
        return bad(s, "invalid number");
    }
    if (!suffixed) {
        double value;
        if (!bbi_decimal_parse(start, (size_t)(shape.end - start), &value) || isinf(value)) {
            return bad(s, "invalid float");
        }
        field->type = BBI_FLOAT;
        memcpy(&field->v.bits, &value, sizeof(value));
        return BB_OK;
    }
    const uint8_t *suffix = shape.end - 1;
    if (*suffix != (shape.is_int ? 'i' : 'u') || (shape.is_unsigned && negative)) {
        return bad(s, "invalid number");
    }
    if (!read_integer(start, suffix, shape.is_unsigned, &field->v.bits)) {
        return bad_integer(s, start, suffix, shape.is_unsigned);
    }
    field->type = shape.is_int ? BBI_INT : BBI_UINT;
    return BB_OK;
}

/* A boolean that fills [start, end). */
static bool read_boolean(const uint8_t *start, const uint8_t *end, bool *value)
{
    static const struct {
        const char *text;
        bool value;
    } spellings[] = {
        {"t", true},  {"T", true},  {"true", true},   {"True", true},   {"TRUE", true},
        {"f", false}, {"F", false}, {"false", false}, {"False", false}, {"FALSE", false},
    };
    size_t length = (size_t)(end - start);

    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        if (strlen(spellings[i].text) == length && memcmp(spellings[i].text, start, length) == 0) {
            *value = spellings[i].value;
            return true;
        }
    }
    return false;
}

static const uint8_t *find_boolean_end(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != ',' && *p != ' ') {
        p++;
    }
    return p;
}

/* Pass 3, at an = between a name and a value. *at moves behind a number or a boolean; a string is
 * left to the caller. */
static int check_value(struct strict *s, const uint8_t **at)
{
    const uint8_t *p = *at;
    bool ignored;

    /* A comma or blank before it, and that not escaped: there is no name. The key and its blank
     * stand before all this, so two bytes back is inside the line. */
    if ((p[-1] == ' ' || p[-1] == ',') && p[-2] != '\\') {
        return bad(s, "missing field key");
    }
    p++;
    if (p == s->end || *p == ',' || *p == ' ') {
        return bad(s, "missing field value");
    }
    if (is_digit(*p) || *p == '.' || *p == '-' || *p == 'N' || *p == 'n') {
        return read_number(s, p, s->end, at, NULL);
    }
    if (*p == '"') {
        *at = p;
        return BB_OK;
    }
    *at = find_boolean_end(p, s->end);
    return read_boolean(p, *at, &ignored) ? BB_OK : bad(s, "invalid boolean");
}

/* Pass 3: the span of the fields. */
static int check_fields(struct strict *s, const uint8_t *start, const uint8_t **fields_end)
{
    const uint8_t *p = start;
    bool quoted = false;
    size_t equals = 0;
    size_t commas = 0;

    *fields_end = p;
    while (p < s->end && (*p != ' ' || quoted)) {
        if (*p == '\\' && s->end - p > 1) {
            p += 2;
        } else if (*p == '"' && equals > commas) {
            quoted = !quoted;
            p++;
        } else if (*p == '=' && !quoted) {
            equals++;
            int rc = check_value(s, &p);
            if (rc != BB_OK) {
                return rc;
            }
        } else {
            commas += *p == ',' && !quoted;
            p++;
        }
    }
    if (quoted) {
        return bad(s, "unbalanced quotes");
    }
    if (equals == 0 || commas != equals - 1) {
        return bad(s, "invalid field format");
    }
    *fields_end = p;
    return BB_OK;
}

/* Pass 4: the end of a value. */
static const uint8_t *find_value_end(const uint8_t *p, const uint8_t *end)
{
    bool quoted = false;

    while (p < end && (*p != ',' || quoted)) {
        if (*p == '\\' && end - p > 1 && (p[1] == '"' || p[1] == '\\')) {
            p++;
        } else if (*p == '"') {
            quoted = !quoted;
        }
        p++;
    }
    return p;
}

static int read_string(struct strict *s, const uint8_t *start, const uint8_t *end,
                       struct bbi_lp_field *field)
{
    if (end - start < 2) {
        return bad(s, "unbalanced quotes");
    }
    /* InfluxDB takes the last byte off, whatever it is. */
    field->type = BBI_STRING;
    field->v.str = start + 1;
    field->length = (uint32_t)(end - start - 2);
    size_t length = 0;
    for (const uint8_t *p = start + 1; p < end - 1; p++) {
        if (*p == '\\' && end - 1 - p > 1 && (p[1] == '"' || p[1] == '\\')) {
            field->string_escaped = true;
            p++;
        }
        length++;
    }
    if (length > BBI_LP_STRING_MAX) {
        return bbi_error_set(s->err, BB_EPARSE, "max string length exceeded: %zu > %u", length,
                             BBI_LP_STRING_MAX);
    }
    return BB_OK;
}

static int read_value(struct strict *s, const uint8_t *start, const uint8_t *end,
                      struct bbi_lp_field *field)
{
    bool value;

    if (*start == '"') {
        return read_string(s, start, end, field);
    }
    if (is_digit(*start) || *start == '.' || *start == '-') {
        const uint8_t *number_end;
        int rc = read_number(s, start, end, &number_end, field);
        return rc == BB_OK && number_end != end ? bad(s, "invalid field format") : rc;
    }
    if (!read_boolean(start, end, &value)) {
        return bad(s, "invalid field format");
    }
    field->type = BBI_BOOL;
    field->v.bits = value;
    return BB_OK;
}

static int read_name(struct strict *s, const uint8_t *start, const uint8_t *end,
                     struct bbi_lp_field *field)
{
    size_t length = (size_t)(end - start);
    size_t key_length = (size_t)s->line->key_length + 4 + length;

    if (length == 0) {
        return bad(s, "missing field key");
    }
    if (key_length > BBI_LP_KEY_MAX) {
        return bbi_error_set(s->err, BB_EPARSE, "max key length exceeded: %zu > %u", key_length,
                             BBI_LP_KEY_MAX);
    }
    if (memchr(start, '\0', length) != NULL) {
        return bad(s, "NUL byte in a field name");
    }
    field->name = start;
    field->name_length = (uint32_t)length;
    field->name_escaped = memchr(start, '\\', length) != NULL;
    return BB_OK;
}

/* Pass 4 over [p, end). */
static int read_fields(struct strict *s, const uint8_t *p, const uint8_t *end)
{
    struct bbi_lp_line *line = s->line;

    while (p < end) {
        const uint8_t *equals = p;
        while (equals < end && (*equals != '=' || (equals > p && equals[-1] == '\\'))) {
            equals++;
        }
        if (end - equals < 2) {
            int length = equals - p > 200 ? 200 : (int)(equals - p);
            return bbi_error_set(s->err, BB_EPARSE, "invalid value: field-key=%.*s", length,
                                 (const char *)p);
        }
        if (line->field_count == BBI_LP_FIELDS_MAX) {
            return bbi_error_set(s->err, BB_EPARSE, "max field count exceeded: more than %u",
                                 BBI_LP_FIELDS_MAX);
        }
        const uint8_t *value_end = find_value_end(equals + 1, end);
        struct bbi_lp_field *field = &line->fields[line->field_count];
        memset(field, 0, sizeof(*field));
        int rc = read_name(s, p, equals, field);
        if (rc == BB_OK) {
            rc = read_value(s, equals + 1, value_end, field);
        }
        if (rc != BB_OK) {
            return rc;
        }
        line->field_count++;
        p = value_end + (value_end < end);
    }
    return BB_OK;
}

static int bad_stamp(struct strict *s, const uint8_t *start, const uint8_t *end, const char *why)
{
    int length = end - start > 100 ? 100 : (int)(end - start);
    return bbi_error_set(s->err, BB_EPARSE, "strconv.ParseInt: parsing \"%.*s\": %s", length,
                         (const char *)start, why);
}

/* Pass 5. */
static int read_time(struct strict *s, const struct bbi_lp_parser *parser, const uint8_t *p)
{
    uint64_t stamp;

    s->line->time_ns = parser->now_ns;
    p = skip_blanks(p, s->end);
    if (p == s->end) {
        return BB_OK;
    }
    const uint8_t *start = p;
    /* A newline in a line stands behind a quotation mark that is not closed. */
    for (p += *p == '-'; p < s->end && *p != ' ' && (*p != '\n' || p == start); p++) {
        if (!is_digit(*p)) {
            return bad(s, "bad timestamp");
        }
    }
    if (p - start == (*start == '-')) {
        return bad_stamp(s, start, p, "invalid syntax");
    }
    if (!read_integer(start, p, false, &stamp)) {
        return bad_stamp(s, start, p, "value out of range");
    }
    if (!bbi_lp_scale_time((int64_t)stamp, parser->precision_ns, &s->line->time_ns)) {
        return bbi_error_set(s->err, BB_EPARSE, "time outside range %lld - %lld",
                             (long long)BBI_TIME_MIN, (long long)BBI_TIME_MAX);
    }
    s->line->has_time = true;
    for (; p < s->end; p++) {
        if (*p != ' ') {
            return bad(s, "point is invalid");
        }
    }
    return BB_OK;
}

static int read_line(const struct bbi_lp_parser *parser, struct bbi_lp_line *line,
                     struct bb_error *err)
{
    struct strict s = {.end = line->text + line->length, .line = line, .err = err};
    const uint8_t *at = line->text;
    const uint8_t *fields_end;

    int rc = check_key(&s, line->text, &at);
    if (rc != BB_OK) {
        return rc;
    }
    line->key = line->text;
    line->key_length = (uint32_t)(at - line->text);
    const uint8_t *fields = skip_blanks(at, s.end);
    rc = check_fields(&s, fields, &fields_end);
    if (rc == BB_OK) {
        rc = read_fields(&s, fields, fields_end);
    }
    if (rc == BB_OK) {
        rc = read_time(&s, parser, fields_end);
    }
    if (rc != BB_OK && has_duplicate_tags(line->key, at)) {
        return bad(&s, "duplicate tags");
    }
    return rc;
}

static uint64_t count_newlines(const uint8_t *p, const uint8_t *end)
{
    uint64_t count = 0;
    for (; p < end; p++) {
        count += *p == '\n';
    }
    return count;
}

/* Move on to `next`, the byte behind what was read. */
static void advance(struct bbi_lp_parser *p, const uint8_t *next)
{
    p->line_number += count_newlines(p->at, next);
    p->at = next;
}

/* The rest of a line that was too long, if its end is there. */
static bool skip_long_line(struct bbi_lp_parser *p)
{
    const uint8_t *newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
    p->skipping = newline == NULL && !p->last;
    advance(p, newline == NULL ? p->end : newline + 1);
    return newline != NULL;
}

/* Refuse no more than up to the first newline: behind it may stand a good line that a quote left
 * open has swallowed. */
static int refuse_long_line(struct bbi_lp_parser *p, struct bbi_lp_line *line, struct bb_error *err)
{
    const uint8_t *newline = memchr(line->text, '\n', (size_t)(p->end - line->text));
    line->length = (size_t)((newline == NULL ? p->end : newline) - line->text);
    (void)skip_long_line(p);
    return bbi_error_set(err, BB_EPARSE, "max line length exceeded: more than %u bytes",
                         BBI_LP_LINE_MAX);
}

/* Find the next line and give its text; it may be empty. *next is the byte behind it. */
static int find_line(struct bbi_lp_parser *p, struct bbi_lp_line *line, const uint8_t **next,
                     struct bb_error *err)
{
    const uint8_t *text = skip_blanks(p->at, p->end);
    bool comment = text < p->end && *text == '#';
    /* Never look further than a line may reach. */
    bool far = p->end - p->at > BBI_LP_LINE_MAX;
    const uint8_t *scan_end = far ? p->at + BBI_LP_LINE_MAX + 1 : p->end;
    const uint8_t *end = scan_end;

    *next = p->end;
    line->text = text;
    line->line_number = p->line_number;
    if (text < scan_end && (comment || p->newline_ends)) {
        end = memchr(text, '\n', (size_t)(scan_end - text));
        end = end == NULL ? scan_end : end;
    } else if (text < scan_end) {
        /* From the start: a blank in front already lets quotes count. */
        end = find_line_end(p->at, scan_end, p->last && !far);
    }
    if (far && end == scan_end) {
        return refuse_long_line(p, line, err);
    }
    if (end == p->end && !p->last) {
        return BBI_LP_END;
    }
    *next = end + (end < p->end);
    /* An open quote runs to the end of the text: its last newline is no part of the line. */
    if (end > text && end[-1] == '\n') {
        end--;
    }
    if (end > text && end[-1] == '\r') {
        end--;
    }
    line->length = (size_t)(end - text);
    return comment ? BBI_LP_COMMENT : BB_OK;
}

int bbi_lp_next_strict(struct bbi_lp_parser *p, struct bbi_lp_line *line, struct bb_error *err)
{
    struct bbi_lp_field *fields = p->fields;

    if (p->skipping && !skip_long_line(p)) {
        return BBI_LP_END;
    }
    while (p->at < p->end) {
        const uint8_t *next;
        memset(line, 0, sizeof(*line));
        line->fields = fields;
        int rc = find_line(p, line, &next, err);
        if (rc == BBI_LP_END || rc == BB_EPARSE) {
            return rc;
        }
        advance(p, next);
        if (rc == BBI_LP_COMMENT && p->comments) {
            return rc;
        }
        if (rc == BB_OK && line->length > 0) {
            return read_line(p, line, err);
        }
    }
    return BBI_LP_END;
}
