/** A log on a simulated disk, with what its last opening delivered. */
#ifndef TESTS_WAL_UTIL_H
#define TESTS_WAL_UTIL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/wal/wal.h"
#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"

#define SEEN_MAX 4096

/* Payloads start with their number; the rest follows from it. */
struct seen {
    uint64_t number;
    uint64_t lsn_start;
    uint64_t lsn_end;
    struct bb_source source;
    char topic[32];
    bool has_source;
};

struct log {
    struct simdisk *disk;
    struct bbi_wal *wal;
    struct bbi_wal_options options;
    struct bbi_wal_report report;
    struct seen seen[SEEN_MAX];
    size_t seen_count;
    int deliver_rc; /* what the deliver function returns */
    struct bb_error err;
};

#define PAYLOAD_MAX 5000

/* Fill the payload with this number; returns its length. */
static inline size_t payload_of(uint64_t number, uint8_t *out, size_t length)
{
    length = length < sizeof(number) ? sizeof(number) : length;
    memcpy(out, &number, sizeof(number));
    for (size_t i = sizeof(number); i < length; i++) {
        out[i] = (uint8_t)(number * 31 + i * 7);
    }
    return length;
}

static inline int collect(void *arg, const struct bbi_frame *frame, struct bb_error *err)
{
    struct log *l = arg;
    uint8_t want[PAYLOAD_MAX];
    assert_true(l->seen_count < SEEN_MAX);
    struct seen *s = &l->seen[l->seen_count++];
    assert_in_range(frame->length, sizeof(s->number), PAYLOAD_MAX);
    memcpy(&s->number, frame->payload, sizeof(s->number));
    payload_of(s->number, want, frame->length);
    assert_memory_equal(frame->payload, want, frame->length);
    s->lsn_start = frame->lsn_start;
    s->lsn_end = frame->lsn_end;
    s->has_source = frame->source != NULL;
    if (s->has_source) {
        s->source = *frame->source;
        snprintf(s->topic, sizeof(s->topic), "%s", frame->source->topic);
    }
    assert_true(frame->lsn_end > frame->lsn_start && frame->lsn_end % 8 == 0);
    assert_true(frame->commit_ns > 0);
    if (l->deliver_rc != BB_OK) {
        return bbi_error_set(err, l->deliver_rc, "as the test wants");
    }
    return BB_OK;
}

static inline struct log *log_create(uint64_t file_bytes, uint64_t buffer_bytes)
{
    struct log *l = calloc(1, sizeof(*l));
    l->disk = simdisk_create(1);
    l->options = (struct bbi_wal_options){.file_bytes = file_bytes, .buffer_bytes = buffer_bytes};
    const struct bbi_fs *fs = simdisk_fs(l->disk);
    assert_ok(bbi_fs_mkdir(fs, "/wal", &l->err), &l->err);
    assert_ok(bbi_fs_mkdir(fs, "/q", &l->err), &l->err);
    assert_ok(bbi_fs_sync_dir(fs, "/", &l->err), &l->err);
    return l;
}

static inline int log_try_open(struct log *l, uint64_t from_lsn)
{
    l->seen_count = 0;
    return bbi_wal_open(simdisk_fs(l->disk), "/wal", "/q", &l->options, NULL, from_lsn, collect, l,
                        &l->wal, &l->report, &l->err);
}

static inline void log_open(struct log *l, uint64_t from_lsn)
{
    assert_ok(log_try_open(l, from_lsn), &l->err);
}

static inline int log_close(struct log *l)
{
    return bbi_wal_close(&l->wal, &l->err);
}

static inline void log_reopen(struct log *l, uint64_t from_lsn)
{
    assert_ok(log_close(l), &l->err);
    log_open(l, from_lsn);
}

static inline void log_destroy(struct log *l)
{
    log_close(l);
    simdisk_destroy(&l->disk);
    free(l);
}

/* Append a payload of this length with this number; 0: it was refused, l->err says why. */
static inline uint64_t log_try_append(struct log *l, uint64_t number, size_t length)
{
    uint8_t data[PAYLOAD_MAX];
    uint64_t lsn;
    length = payload_of(number, data, length);
    size_t half = length / 3;
    struct bbi_wal_piece pieces[2] = {{data, half}, {data + half, length - half}};
    int rc = bbi_wal_append(l->wal, pieces, NULL, &lsn, &l->err);
    assert_true((rc == BB_OK) == (lsn != 0));
    return lsn;
}

static inline uint64_t log_append(struct log *l, uint64_t number, size_t length)
{
    uint64_t lsn = log_try_append(l, number, length);
    assert_ok(lsn == 0 ? l->err.code : BB_OK, &l->err);
    return lsn;
}

/* Append and wait until it is on disk. */
static inline uint64_t log_put(struct log *l, uint64_t number, size_t length)
{
    uint64_t lsn = log_append(l, number, length);
    assert_ok(bbi_wal_wait(l->wal, lsn, &l->err), &l->err);
    assert_true(bbi_wal_durable(l->wal) >= lsn);
    return lsn;
}

/* Exactly the frames first .. last were delivered. */
static inline void assert_seen(const struct log *l, uint64_t first, uint64_t last)
{
    assert_int_equal(l->seen_count, last - first + 1);
    for (size_t i = 0; i < l->seen_count; i++) {
        assert_int_equal(l->seen[i].number, first + i);
    }
    assert_int_equal(l->report.frames, l->seen_count);
}

static inline size_t count_files(const struct log *l, const char *dir)
{
    struct bbi_fs_names names;
    struct bb_error err;
    assert_ok(bbi_fs_list(simdisk_fs(l->disk), dir, &names, &err), &err);
    size_t count = names.count;
    bbi_fs_names_fini(&names);
    return count;
}

#endif
