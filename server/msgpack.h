/**
 * MessagePack, written front to back into a buffer: each value in its shortest form, as Go's msgp
 * library does, which InfluxDB uses. The first error sticks: later calls write nothing.
 *
 * Written here and not by msgpack-c, because counts that are not known yet are filled in later.
 *
 * Source  https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef SERVER_MSGPACK_H
#define SERVER_MSGPACK_H

#include "server/buf.h"

struct msgpack {
    struct buf *out;
    int err; /* bb_code of the buffer */
};

void msgpack_init(struct msgpack *m, struct buf *out);

void msgpack_nil(struct msgpack *m);
void msgpack_bool(struct msgpack *m, bool v);
void msgpack_i64(struct msgpack *m, int64_t v);
void msgpack_u64(struct msgpack *m, uint64_t v);
void msgpack_double(struct msgpack *m, double v);
void msgpack_string(struct msgpack *m, const char *text, size_t n);
void msgpack_cstring(struct msgpack *m, const char *text);

/** Extension type 5: seconds since 1970 (int64) and nanoseconds (int32), high bytes first. */
void msgpack_time(struct msgpack *m, int64_t time_ns);

/** Heads of what has n elements or members behind it. */
void msgpack_array(struct msgpack *m, size_t n);
void msgpack_map(struct msgpack *m, size_t n);

/** The same with counts that msgpack_set_* fills in; returned: where. A map has 15 members at most.
 */
size_t msgpack_open_array(struct msgpack *m);
size_t msgpack_open_map(struct msgpack *m);
void msgpack_set_array(struct msgpack *m, size_t at, size_t n);
void msgpack_set_map(struct msgpack *m, size_t at, size_t n);

#endif
