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

/** A writer into out that is never flushed. */
void json_init(struct json *j, struct buf *out, bool pretty);

/** Call flush, which empties the buffer, after a value that leaves flush_bytes or more in it. */
void json_set_flush(struct json *j, size_t flush_bytes, int (*flush)(void *, struct buf *),
                    void *arg);

void json_object_begin(struct json *j);
void json_object_end(struct json *j);
void json_array_begin(struct json *j);
void json_array_end(struct json *j);

/** key is plain ASCII without characters to escape. */
void json_key(struct json *j, const char *key);

void json_string(struct json *j, const char *text, size_t n);
void json_cstring(struct json *j, const char *text);
void json_i64(struct json *j, int64_t v);
void json_u64(struct json *j, uint64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);

/** null where v is not finite: JSON has no such numbers. */
void json_double(struct json *j, double v);

/** A string that needs no escapes. */
void json_plain_string(struct json *j, const char *text, size_t n);

/** Text that another writer laid out for this very depth and place, as one or more members. */
void json_raw_members(struct json *j, const char *text, size_t n);

/** A byte behind the document. */
void json_newline(struct json *j);

#endif
