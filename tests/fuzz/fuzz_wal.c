/**
 * Any log files: the input is a little program that writes them, frames and rubbish. Whatever the
 * log makes of them, it must open, take a frame, and deliver the same and that frame when it is
 * opened again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/cursor.h"
#include "engine/base/hash.h"
#include "engine/wal/format.h"
#include "engine/wal/wal.h"
#include "tests/lib/simdisk.h"

#define FILE_MAX  16384
#define FILES_MAX 6
#define SALT      5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
    uint64_t start_lsn;
    size_t size;
    uint8_t data[FILE_MAX + 512];
};

/* What an opening delivered: a hash over positions and payloads, the last frame apart. */
struct seen {
    uint64_t count;
    uint64_t before_last;
    uint64_t all;
};

static void expect(bool ok)
{
    if (!ok) {
        abort();
    }
}

static int collect(void *arg, const struct bbi_frame *frame, struct bb_error *err)
{
    struct seen *s = arg;
    (void)err;
    uint64_t parts[4] = {s->all, frame->lsn_start, frame->lsn_end,
                         bbi_hash64(frame->payload, frame->length)};
    s->before_last = s->all;
    s->all = bbi_hash64(parts, sizeof(parts));
    s->count++;
    return BB_OK;
}

static void start_file(struct image *f, uint64_t start_lsn, bool header)
{
    *f = (struct image){.start_lsn = start_lsn, .size = WAL_FILE_HEADER};
    if (header) {
        wal_put_file_header(f->data,
                            &(struct wal_file_header){.start_lsn = start_lsn, .salt = SALT});
    }
}

static void put_frame(struct image *f, uint8_t length, uint8_t synced, uint8_t flags)
{
    uint8_t *at = f->data + f->size;
    uint64_t lsn = f->start_lsn + f->size - WAL_FILE_HEADER;
    memset(at, flags, wal_frame_bytes(length));
    memset(at + WAL_FRAME_HEADER + length, 0, wal_padded(length) - length);
    wal_put_frame_header(at,
                         &(struct wal_frame_header){
                             .flags = (flags & 7) == 7 ? WAL_FLAG_SOURCE : 0,
                             .length = length,
                             .lsn = lsn,
                             .synced_lsn = lsn > synced * 8U ? lsn - synced * 8U : 0,
                             .payload_check = bbi_hash64(at + WAL_FRAME_HEADER, wal_padded(length)),
                             .salt = (flags & 24) == 24 ? SALT + 1 : SALT,
                         });
    f->size += wal_frame_bytes(length);
}

/* Commands of three bytes: what, and two arguments. */
static size_t build(struct image *files, const uint8_t *data, size_t size)
{
    size_t n = 1;
    start_file(&files[0], 0, size % 2 == 0);
    for (; size >= 3; size -= 3, data += 3) {
        struct image *f = &files[n - 1];
        if (f->size > FILE_MAX - 1024) {
            break;
        }
        switch (data[0] % 8) {
        case 0:
            memset(f->data + f->size, data[1], data[2]);
            f->size += data[2];
            break;
        case 1:
            f->data[bbi_get_u16(data + 1) % (f->size + 1)] ^= data[0] | 1;
            break;
        case 2:
            f->size = data[1] % 4 == 0 ? bbi_get_u16(data + 1) % (f->size + 1)
                                       : f->size & ~(size_t)7;
            break;
        case 3:
            if (n < FILES_MAX && f->size >= WAL_FILE_HEADER) {
                uint64_t end = f->start_lsn + ((f->size - WAL_FILE_HEADER) & ~(size_t)7);
                start_file(&files[n++], end + 8 + data[2] % 16 / 15 * 64 - 8, data[1] % 4 != 0);
            }
            break;
        default:
            put_frame(f, data[1], data[2] % 32, data[0]);
        }
    }
    return n;
}

static int open_log(struct simdisk *disk, struct bbi_wal **wal, struct seen *seen,
                    struct bb_error *err)
{
    struct bbi_wal_options options = {.file_bytes = 8192, .buffer_bytes = 4096};
    *seen = (struct seen){.count = 0};
    return bbi_wal_open(simdisk_fs(disk), "/", "/q", &options, NULL, 0, collect, seen, wal, NULL,
                        err);
}

static void write_files(const struct bbi_fs *fs, const struct image *files, size_t count)
{
    struct bb_error err;
    expect(bbi_fs_mkdir(fs, "/q", &err) == BB_OK);
    for (size_t i = 0; i < count; i++) {
        char name[WAL_NAME_BYTES];
        wal_name(name, files[i].start_lsn);
        expect(bbi_fs_write_file_atomic(fs, "/", name, files[i].data, files[i].size, &err) ==
               BB_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image files[FILES_MAX];
    struct bb_error err;
    struct bbi_wal *wal;
    struct seen first;
    struct seen second;
    struct simdisk *disk = simdisk_create(1);
    write_files(simdisk_fs(disk), files, build(files, data, size));
    int rc = open_log(disk, &wal, &first, &err);
    expect(rc == BB_OK || rc == BB_EVERSION);
    if (rc == BB_OK) {
        uint64_t lsn;
        struct bbi_wal_piece pieces[2] = {{"frame", 5}, {NULL, 0}};
        expect(bbi_wal_append(wal, pieces, NULL, &lsn, &err) == BB_OK);
        expect(bbi_wal_close(&wal, &err) == BB_OK);
        expect(open_log(disk, &wal, &second, &err) == BB_OK);
        expect(second.count == first.count + 1 && second.before_last == first.all);
        expect(bbi_wal_end(wal) == lsn);
        expect(bbi_wal_close(&wal, &err) == BB_OK);
    }
    simdisk_destroy(&disk);
    return 0;
}
