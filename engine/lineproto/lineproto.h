/**
 * InfluxDB line protocol, parsed in place.
 *
 *     measurement[,tag=value...] field=value[,field=value...] [timestamp]
 *
 * Two steps, because nearly every line is of a series that the write path knows already:
 *
 * 1. bbi_lp_next finds a line, the bytes of its series key exactly as written, its fields and its
 *    time. It does not look inside the key: the write path hashes those bytes and, on a hit, knows
 *    that they were good once and which series they are.
 * 2. On a miss bbi_lp_key_parse takes the key apart: unescaped, tags sorted, or the reason why not.
 *
 * Two spellings of one series (tags in another order) have different raw keys; both lead to the
 * same parsed key and so to the same series.
 *
 * Lines, escapes, numbers and error texts are InfluxDB 1.8's. A reason is what stands behind
 * "unable to parse '<line>': ". What differs, on purpose:
 * - a line may end in CR LF;
 * - a comment ends with its line, quotes in it or not;
 * - there are limits, so that a line costs bounded memory and work; they are named below.
 *
 * Thread  a parser belongs to one thread at a time.
 */
#ifndef BBI_LINEPROTO_LINEPROTO_H
#define BBI_LINEPROTO_LINEPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/batch.h"
#include "engine/base/error.h"

struct bbi_arena;

#define BBI_LP_KEY_MAX    65535u     /* bytes of a series key; key + field name + 4 as well */
#define BBI_LP_STRING_MAX 65535u     /* bytes of a string value, unescaped */
#define BBI_LP_LINE_MAX   (1u << 20) /* bytes of a line without its newline */
#define BBI_LP_FIELDS_MAX 1024u      /* fields of a line */

/** bbi_lp_next: nothing left in what was fed. */
#define BBI_LP_END (-1)

/** bbi_lp_next: a comment, told only if the caller asked for comments. */
#define BBI_LP_COMMENT (-2)

/** One field. name and str are borrowed from the text and still escaped where the flags say so. */
struct bbi_lp_field {
    const uint8_t *name;
    uint32_t name_length;
    uint8_t type; /* enum bbi_type */
    bool name_escaped;
    bool string_escaped;
    uint32_t length; /* bytes of str; 0 for other types */
    union {
        uint64_t bits;      /* the double's bits, int64, uint64, or 0 and 1 */
        const uint8_t *str; /* between the quotes */
    } v;
};

/** One line. All pointers are borrowed from the text that was fed. */
struct bbi_lp_line {
    const uint8_t *text; /* without leading blanks and the newline, as InfluxDB quotes it in errors
                          */
    size_t length;
    uint64_t line_number; /* of its first byte; the first line fed is 1 */
    const uint8_t *key;   /* measurement and tags as written, where the text begins */
    uint32_t key_length;
    uint32_t field_count;
    struct bbi_lp_field *fields; /* [field_count], the caller's array given to bbi_lp_init */
    int64_t time_ns;             /* BBI_TIME_MIN .. BBI_TIME_MAX */
    bool has_time;               /* false: time_ns is now, cut to the precision */
};

struct bbi_lp_parser {
    const uint8_t *at;
    const uint8_t *end;
    bool last;         /* no more text follows what was fed */
    bool skipping;     /* inside a line that was refused for its length */
    bool comments;     /* false after bbi_lp_init; true: tell comments too */
    bool newline_ends; /* false after bbi_lp_init; true: a newline ends a line in quotes too */
    uint64_t line_number;
    int64_t precision_ns;
    int64_t now_ns; /* cut to the precision */
    struct bbi_lp_field *fields;
};

/**
 * Begin a stream of lines.
 *
 * fields        [BBI_LP_FIELDS_MAX] room for the fields of one line; the caller's, overwritten by
 *               each bbi_lp_next
 * precision_ns  what one unit of a timestamp is: 1, 1000, ... 3600 * 10^9
 * now_ns        time of lines without one
 */
void bbi_lp_init(struct bbi_lp_parser *p, struct bbi_lp_field *fields, int64_t precision_ns,
                 int64_t now_ns);

/**
 * Go on with this text (all that there is, or the next piece of a stream).
 *
 * last  true: the text ends with its last line, newline or not. false: a line that the text does
 *       not finish is left over; the caller puts bbi_lp_rest bytes in front of what it feeds next.
 */
void bbi_lp_feed(struct bbi_lp_parser *p, const void *text, size_t length, bool last);

/** What bbi_lp_next left over, at the end of the text that was fed: at most BBI_LP_LINE_MAX + 1
 * bytes. */
size_t bbi_lp_rest(const struct bbi_lp_parser *p);

/**
 * The next line; blank lines and comments are passed over.
 *
 * Returns BB_OK; BB_EPARSE for a line that is not good (err->text the reason; line->text, length
 * and line_number are set; the next call goes on behind it); BBI_LP_COMMENT (line->text from the #
 * on, length and line_number are set); BBI_LP_END.
 */
int bbi_lp_next(struct bbi_lp_parser *p, struct bbi_lp_line *line, struct bb_error *err);

/** One tag, unescaped. Neither key nor value is empty. */
struct bbi_lp_tag {
    const uint8_t *key;
    const uint8_t *value;
    uint32_t key_length;
    uint32_t value_length;
};

/** A series key, unescaped. */
struct bbi_lp_key {
    const uint8_t *measurement;
    uint32_t measurement_length;
    uint32_t tag_count;
    struct bbi_lp_tag *tags; /* [tag_count] in ascending byte order of their keys, no key twice */
};

/**
 * Take a raw key apart.
 *
 * raw    [length] the key of a line; borrowed: *out points into it where nothing was escaped
 * arena  holds the tags and unescaped bytes
 * Returns BB_OK; BB_EPARSE with InfluxDB's reason ("missing tag value", "duplicate tags",
 * "max key length exceeded: ..."); BB_ENOMEM.
 */
int bbi_lp_key_parse(const uint8_t *raw, size_t length, struct bbi_arena *arena,
                     struct bbi_lp_key *out, struct bb_error *err) BB_CHECKED;

/**
 * Remove the escapes of a measurement or field name: \, \" \= and backslash space. `to` has room
 * for length bytes (and may be `from` itself). Returns the bytes written, which are no more.
 */
size_t bbi_lp_unescape_name(const uint8_t *from, size_t length, uint8_t *to);

/** As above for a string value: \" and \\ alone are escapes. */
size_t bbi_lp_unescape_string(const uint8_t *from, size_t length, uint8_t *to);

#endif
