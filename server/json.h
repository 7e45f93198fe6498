/**
 * JSON text, written front to back into a buffer that is handed on whenever it is full.
 *
 * Strings are escaped as Go's encoding/json does (also <, > and &; bytes that are not UTF-8 become
 * U+FFFD), and indented text is laid out as its MarshalIndent with four spaces, because clients of
 * InfluxDB compare texts. The first error sticks: later calls write nothing.
 */
#ifndef SERVER_JSON_H
#define SERVER_JSON_H

#include "server/buf.h"

struct json {
    struct buf *out;
    size_t flush_bytes; /* 0: never flushed */
    int (*flush)(void *arg, struct buf *out);
    void *flush_arg;
    unsigned depth;
    bool pretty;
    bool first;     /* nothing stands in the open object or array yet */
    bool after_key; /* the next value belongs to a key */
    int err;        /* bb_code, or what flush returned */
};

/** Length of the well-formed UTF-8 sequence at s [n > 0], 0 if there is none (RFC 3629, table
 * 3-7). */
size_t json_utf8_length(const unsigned char *s, size_t n);

/** A writer into out that is never flushed. */
void jsonw_init(struct json *j, struct buf *out, bool pretty);

/** Call flush, which empties the buffer, after a value that leaves flush_bytes or more in it. */
void jsonw_set_flush(struct json *j, size_t flush_bytes, int (*flush)(void *, struct buf *),
                     void *arg);

void jsonw_object_begin(struct json *j);
void jsonw_object_end(struct json *j);
void jsonw_array_begin(struct json *j);
void jsonw_array_end(struct json *j);

/** key is plain ASCII without characters to escape. */
void jsonw_key(struct json *j, const char *key);

void jsonw_string(struct json *j, const char *text, size_t n);
void jsonw_cstring(struct json *j, const char *text);
void jsonw_i64(struct json *j, int64_t v);
void jsonw_u64(struct json *j, uint64_t v);
void jsonw_bool(struct json *j, bool v);
void jsonw_null(struct json *j);

/** null where v is not finite: JSON has no such numbers. */
void jsonw_double(struct json *j, double v);

/** A string that needs no escapes. */
void jsonw_plain_string(struct json *j, const char *text, size_t n);

/** Text that another writer laid out for this very depth and place, as one or more members. */
void jsonw_raw_members(struct json *j, const char *text, size_t n);

/** A byte behind the document. */
void jsonw_newline(struct json *j);

#endif
