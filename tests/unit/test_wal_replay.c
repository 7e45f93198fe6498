/* Opening logs that were cut off, damaged or never finished. */
#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/wal/format.h"
#include "engine/wal/wal.h"
#include "tests/lib/rng.h"
#include "tests/unit/wal_util.h"

#define IMAGE_MAX  65536
#define FILES_MAX  16
#define FRAMES_MAX 256

/* ---- logs as bytes ---- */

struct image_file {
    char name[WAL_NAME_BYTES];
    uint64_t start_lsn;
    size_t size;
    uint8_t data[IMAGE_MAX];
};

/* Where a frame lies, and what it says of what was on disk before. */
struct image_frame {
    uint64_t number;
    uint64_t lsn_start;
    uint64_t lsn_end;
    uint64_t synced_lsn;
    size_t file;
};

struct image {
    struct image_file files[FILES_MAX];
    size_t file_count;
    struct image_frame frames[FRAMES_MAX];
    size_t frame_count;
};

static void path_of(char out[BBI_FS_PATH_MAX], const char *name)
{
    snprintf(out, BBI_FS_PATH_MAX, "/wal/%s", name);
}

static void find_frames(struct image *im, size_t file)
{
    struct image_file *f = &im->files[file];
    for (size_t at = WAL_FILE_HEADER; at + WAL_FRAME_HEADER <= f->size;) {
        struct wal_frame_header h;
        if (!wal_get_frame_header(f->data + at, &h)) {
            return;
        }
        assert_true(im->frame_count < FRAMES_MAX);
        im->frames[im->frame_count++] = (struct image_frame){
            .number = bbi_get_u64(f->data + at + WAL_FRAME_HEADER),
            .lsn_start = h.lsn,
            .lsn_end = h.lsn + wal_frame_bytes(h.length),
            .synced_lsn = h.synced_lsn,
            .file = file};
        at += wal_frame_bytes(h.length);
    }
}

/* Take the bytes of a closed log. */
static struct image *take_image(struct log *l)
{
    struct image *im = calloc(1, sizeof(*im));
    const struct bbi_fs *fs = simdisk_fs(l->disk);
    struct bbi_fs_names names;
    assert_ok(bbi_fs_list(fs, "/wal", &names, &l->err), &l->err);
    for (size_t i = 0; i < names.count; i++) {
        struct image_file *f = &im->files[im->file_count];
        char path[BBI_FS_PATH_MAX];
        struct bbi_file *file;
        assert_true(im->file_count < FILES_MAX);
        snprintf(f->name, sizeof(f->name), "%s", names.names[i]);
        assert_true(wal_parse_name(f->name, &f->start_lsn));
        path_of(path, f->name);
        assert_ok(bbi_fs_open(fs, path, BBI_FS_READ, &file, &l->err), &l->err);
        assert_ok(bbi_file_read_some(file, f->data, IMAGE_MAX, 0, &f->size, &l->err), &l->err);
        assert_true(f->size < IMAGE_MAX);
        bbi_file_close(&file);
        find_frames(im, im->file_count++);
    }
    bbi_fs_names_fini(&names);
    return im;
}

/* A log, not yet open, that consists of these bytes; empty files are left out. */
static struct log *log_of(const struct image *im)
{
    struct log *l = log_create(0, 65536);
    const struct bbi_fs *fs = simdisk_fs(l->disk);
    for (size_t i = 0; i < im->file_count; i++) {
        const struct image_file *f = &im->files[i];
        if (f->name[0] != '\0') {
            assert_ok(bbi_fs_write_file_atomic(fs, "/wal", f->name, f->data, f->size, &l->err),
                      &l->err);
        }
    }
    return l;
}

/* n frames, each on disk before the next is appended, but for groups of up to `group`. */
static struct image *make_image(uint64_t file_bytes, uint64_t n, size_t group, struct rng *r)
{
    struct log *l = log_create(file_bytes, 65536);
    l->options.on_durable = NULL;
    log_open(l, 0);
    for (uint64_t i = 1; i <= n; i++) {
        size_t length = 8 + rng_below(r, 60);
        uint64_t lsn = log_append(l, i, length);
        if (group <= 1 || rng_one_in(r, group)) {
            assert_ok(bbi_wal_wait(l->wal, lsn, &l->err), &l->err);
        }
    }
    assert_ok(log_close(l), &l->err);
    struct image *im = take_image(l);
    assert_int_equal(im->frame_count, n);
    log_destroy(l);
    return im;
}

/* What was delivered is genuine: some of the image's frames, in order, at their places. */
static void assert_genuine(const struct log *l, const struct image *im)
{
    uint64_t last = 0;
    for (size_t i = 0; i < l->seen_count; i++) {
        const struct seen *s = &l->seen[i];
        assert_true(s->number > last && s->number <= im->frame_count);
        assert_int_equal(s->lsn_start, im->frames[s->number - 1].lsn_start);
        assert_int_equal(s->lsn_end, im->frames[s->number - 1].lsn_end);
        last = s->number;
    }
}

/* All frames but this one. */
static void assert_all_but(const struct log *l, const struct image *im, uint64_t missing)
{
    assert_genuine(l, im);
    assert_int_equal(l->seen_count, im->frame_count - (missing != 0));
    for (size_t i = 0; i < l->seen_count; i++) {
        assert_int_not_equal(l->seen[i].number, missing);
    }
}

/* After whatever happened: the log takes a frame and delivers the same as before, and it. */
static void assert_goes_on(struct log *l)
{
    size_t count = l->seen_count;
    uint64_t *before = calloc(count + 1, sizeof(*before));
    for (size_t i = 0; i < count; i++) {
        before[i] = l->seen[i].number;
    }
    uint64_t lsn = log_put(l, 9999, 40);
    log_reopen(l, 0);
    assert_int_equal(l->seen_count, count + 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(l->seen[i].number, before[i]);
    }
    assert_int_equal(l->seen[count].number, 9999);
    assert_int_equal(l->seen[count].lsn_end, lsn);
    assert_int_equal(l->report.torn_bytes, 0);
    free(before);
}

/* ---- truncation ---- */

static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(0, 12, 1, &r);
    assert_int_equal(im->file_count, 1);
    size_t size = im->files[0].size;
    for (size_t cut = 0; cut <= size; cut++) {
        im->files[0].size = cut;
        struct log *l = log_of(im);
        log_open(l, 0);
        size_t whole = 0;
        while (whole < 12 && WAL_FILE_HEADER + im->frames[whole].lsn_end <= cut) {
            whole++;
        }
        assert_seen(l, 1, whole);
        assert_int_equal(l->report.corrupt_ranges, 0);
        uint64_t end = whole == 0 ? 0 : im->frames[whole - 1].lsn_end;
        assert_int_equal(bbi_wal_end(l->wal), end);
        if (cut >= WAL_FILE_HEADER + end) {
            assert_in_range(l->report.torn_bytes, 0, cut - WAL_FILE_HEADER - end);
        }
        assert_goes_on(l);
        log_destroy(l);
    }
    free(im);
}

/* The same in a file that others follow: what is cut off had been synced. */
static void test_truncation_before_other_files(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(4096, 100, 1, &r);
    assert_true(im->file_count >= 3);
    struct image_file *f = &im->files[1];
    size_t size = f->size;
    for (size_t cut = 0; cut < size; cut += 1 + cut / 50) {
        f->size = cut;
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_genuine(l, im);
        for (size_t i = 0; i < im->frame_count; i++) {
            const struct image_frame *frame = &im->frames[i];
            bool whole = frame->file != 1 ||
                         (cut >= WAL_FILE_HEADER &&
                          WAL_FILE_HEADER + frame->lsn_end - f->start_lsn <= cut);
            bool there = false;
            for (size_t k = 0; k < l->seen_count; k++) {
                there = there || l->seen[k].number == frame->number;
            }
            assert_int_equal(there, whole);
        }
        assert_true(l->report.corrupt_ranges >= 1);
        assert_int_equal(l->report.torn_bytes, 0);
        assert_goes_on(l);
        log_destroy(l);
    }
    free(im);
}

/* ---- damage ---- */

static void assert_quarantined(struct log *l, const struct image_file *f)
{
    char path[BBI_FS_PATH_MAX];
    struct bbi_buf copy;
    snprintf(path, sizeof(path), "/q/%s", f->name);
    bbi_buf_init(&copy, NULL, IMAGE_MAX);
    assert_ok(bbi_fs_read_file(simdisk_fs(l->disk), path, IMAGE_MAX, &copy, &l->err), &l->err);
    assert_int_equal(copy.len, f->size);
    assert_memory_equal(copy.data, f->data, f->size);
    bbi_buf_fini(&copy);
    assert_contains(l->report.message, f->name);
}

static void test_flip_at_every_byte(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(0, 12, 1, &r);
    struct image_file *f = &im->files[0];
    for (size_t at = 0; at < f->size; at++) {
        uint8_t mask = (uint8_t)(1U << rng_below(&r, 8));
        uint64_t hit = 0;
        while (at >= WAL_FILE_HEADER + (hit == 0 ? 0 : im->frames[hit - 1].lsn_end)) {
            hit++;
        }
        f->data[at] ^= mask;
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_all_but(l, im, hit);
        bool damaged = hit > 0 && hit < 12;
        assert_int_equal(l->report.corrupt_ranges, damaged);
        assert_int_equal(l->report.torn_bytes != 0, hit == 12);
        assert_int_equal(count_files(l, "/q"), damaged);
        if (damaged) {
            const struct image_frame *frame = &im->frames[hit - 1];
            assert_int_equal(l->report.corrupt_bytes, frame->lsn_end - frame->lsn_start);
            assert_quarantined(l, f);
        }
        assert_goes_on(l);
        assert_int_equal(l->report.corrupt_ranges, damaged);
        if (damaged) {
            log_reopen(l, im->frames[hit - 1].lsn_end);
            assert_int_equal(l->report.corrupt_ranges, 0);
            assert_int_equal(l->seen_count, 12 - hit + 1);
        }
        log_destroy(l);
        f->data[at] ^= mask;
    }
    free(im);
}

/* The last frame of a file that others follow is no torn tail. */
static void test_flips_before_other_files(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(4096, 100, 1, &r);
    for (size_t i = 0; i + 1 < im->frame_count; i++) {
        const struct image_frame *frame = &im->frames[i];
        struct image_file *f = &im->files[frame->file];
        size_t at = WAL_FILE_HEADER + frame->lsn_start - f->start_lsn + rng_below(&r, 56);
        f->data[at] ^= 0x10;
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_all_but(l, im, frame->number);
        assert_int_equal(l->report.corrupt_ranges, 1);
        assert_quarantined(l, f);
        assert_goes_on(l);
        log_destroy(l);
        f->data[at] ^= 0x10;
    }
    free(im);
}

static void test_missing_files(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(4096, 100, 1, &r);
    for (size_t gone = 0; gone < im->file_count; gone++) {
        char name[WAL_NAME_BYTES];
        struct image_file *f = &im->files[gone];
        memcpy(name, f->name, sizeof(name));
        f->name[0] = '\0';
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_genuine(l, im);
        size_t lost = 0;
        for (size_t i = 0; i < im->frame_count; i++) {
            lost += im->frames[i].file == gone;
        }
        assert_int_equal(l->seen_count, im->frame_count - lost);
        bool last = gone + 1 == im->file_count;
        assert_int_equal(l->report.corrupt_ranges, last ? 0 : 1);
        if (!last) {
            assert_contains(l->report.message, "missing");
        }
        assert_goes_on(l);
        log_destroy(l);
        memcpy(f->name, name, sizeof(name));
    }
    free(im);
}

/* A file whose header is gone altogether still has its frames. */
static void test_destroyed_header(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(4096, 100, 1, &r);
    for (size_t i = 0; i < im->file_count; i++) {
        struct image_file *f = &im->files[i];
        uint8_t saved[WAL_FILE_HEADER];
        memcpy(saved, f->data, sizeof(saved));
        memset(f->data, 0, sizeof(saved));
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_all_but(l, im, 0);
        assert_int_equal(l->report.corrupt_ranges, 1);
        assert_contains(l->report.message, "header");
        assert_quarantined(l, f);
        assert_goes_on(l);
        log_destroy(l);
        memcpy(f->data, saved, sizeof(saved));
    }
    free(im);
}

/* ---- tails ---- */

static void write_frame(struct image *im, uint64_t number, uint64_t synced_lsn)
{
    struct image_file *f = &im->files[0];
    uint8_t *at = f->data + f->size;
    uint8_t *payload = at + WAL_FRAME_HEADER;
    size_t length = payload_of(number, payload, 40);
    uint64_t lsn = f->size - WAL_FILE_HEADER;
    wal_put_frame_header(at, &(struct wal_frame_header){
                                 .length = (uint32_t)length,
                                 .lsn = lsn,
                                 .commit_ns = 1,
                                 .synced_lsn = synced_lsn,
                                 .payload_check = bbi_hash64(payload, wal_padded(length)),
                                 .salt = 77,
                             });
    f->size += wal_frame_bytes(length);
    im->frames[im->frame_count++] = (struct image_frame){
        .number = number, .lsn_start = lsn, .lsn_end = lsn + wal_frame_bytes(length)};
}

/* Frames of one group, of which nothing had been synced when the last was appended. */
static struct image *make_group(uint64_t n, uint64_t synced_lsn)
{
    struct image *im = calloc(1, sizeof(*im));
    struct image_file *f = &im->files[0];
    wal_name(f->name, 0);
    wal_put_file_header(f->data, &(struct wal_file_header){.salt = 77});
    f->size = WAL_FILE_HEADER;
    im->file_count = 1;
    for (uint64_t i = 1; i <= n; i++) {
        write_frame(im, i, synced_lsn);
    }
    return im;
}

/* What follows a hole in a group that was not acknowledged goes, for good: a frame appended later,
 * of the same length, must not bring it back. */
static void test_unsynced_tail_stays_cut(void **state)
{
    (void)state;
    for (uint64_t hole = 1; hole <= 8; hole++) {
        struct image *im = make_group(8, 0);
        im->files[0].data[WAL_FILE_HEADER + im->frames[hole - 1].lsn_start + 20] ^= 1;
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_seen(l, 1, hole - 1);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_true(l->report.torn_bytes > 0);
        assert_goes_on(l);
        log_destroy(l);
        free(im);
    }
}

/* Proof reaches exactly to the synced LSN. */
static void test_synced_lsn_is_proof(void **state)
{
    (void)state;
    for (uint64_t hole = 1; hole <= 7; hole++) {
        struct image *im = make_group(8, 0);
        uint64_t start = im->frames[hole - 1].lsn_start;
        im->files[0].data[WAL_FILE_HEADER + start + 20] ^= 1;
        write_frame(im, 9, start);
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_seen(l, 1, hole - 1);
        assert_int_equal(l->report.corrupt_ranges, 0);
        log_destroy(l);

        im->frame_count--;
        im->files[0].size -= wal_frame_bytes(40);
        write_frame(im, 9, start + 8);
        l = log_of(im);
        log_open(l, 0);
        assert_all_but(l, im, hole);
        assert_int_equal(l->report.corrupt_ranges, 1);
        assert_int_equal(l->report.torn_bytes, 0);
        assert_goes_on(l);
        log_destroy(l);
        free(im);
    }
}

/* A file that was made and never synced, whatever of it reached the disk. */
static void test_unfinished_next_file(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int kind = 0; kind < 4; kind++) {
        struct image *im = make_image(0, 5, 1, &r);
        struct image_file *f = &im->files[im->file_count++];
        f->start_lsn = im->frames[4].lsn_end;
        wal_name(f->name, f->start_lsn);
        f->size = kind == 0 ? 0 : 5000;
        if (kind >= 2) {
            memset(f->data + 300, 0x5a, 1000);
        }
        if (kind == 3) {
            wal_put_file_header(f->data, &(struct wal_file_header){.start_lsn = 8});
        }
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_seen(l, 1, 5);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_int_equal(l->report.torn_bytes != 0, kind >= 2);
        assert_goes_on(l);
        log_destroy(l);
        free(im);
    }
}

/* An empty file that a failed append left does not hide what the file before it took later,
 * wherever its name puts it; alone, it tells how far the log had come. */
static void test_blank_files(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (uint64_t lsn = 0; lsn < 1000; lsn += 96) {
        struct image *im = make_image(0, 12, 1, &r);
        struct image_file *f = &im->files[im->file_count++];
        f->start_lsn = lsn + 8;
        wal_name(f->name, f->start_lsn);
        f->size = 700;
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_seen(l, 1, 12);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_int_equal(count_files(l, "/wal"), 1);
        assert_goes_on(l);
        log_destroy(l);

        im->files[0].name[0] = '\0';
        l = log_of(im);
        log_open(l, 0);
        assert_int_equal(l->seen_count, 0);
        assert_int_equal(bbi_wal_end(l->wal), lsn + 8);
        assert_string_equal(l->report.message, "");
        log_destroy(l);
        free(im);
    }
}

/* A file of which frames reached the disk, but not the header: it never was acknowledged, and what
 * is appended next, to the file before it, is good. */
static void test_next_file_without_header(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(4096, 60, 1, &r);
    struct image_file *last = &im->files[im->file_count - 1];
    memset(last->data, 0, WAL_FILE_HEADER);
    size_t cut = im->frame_count;
    while (im->frames[cut - 1].file + 1 == im->file_count) {
        cut--;
    }
    last->size = WAL_FILE_HEADER + im->frames[cut].lsn_end - last->start_lsn;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct log *l = log_of(im);
        log_open(l, 0);
        assert_seen(l, 1, cut);
        assert_int_equal(l->report.corrupt_ranges, 0);
        assert_true(l->report.torn_bytes > 0);
        for (uint64_t i = 1; i <= 3; i++) {
            log_put(l, cut + i, 40);
        }
        simdisk_cut(l->disk);
        log_close(l);
        simdisk_reboot(l->disk, seed);
        log_open(l, 0);
        assert_seen(l, 1, cut + 3);
        assert_int_equal(l->report.corrupt_ranges, 0);
        log_destroy(l);
    }
    free(im);
}

/* Space claimed and not used when the process died is no torn data. */
static void test_claimed_tail(void **state)
{
    (void)state;
    struct image *im = make_group(8, 0);
    im->files[0].size += 20000;
    struct log *l = log_of(im);
    log_open(l, 0);
    assert_seen(l, 1, 8);
    assert_int_equal(l->report.torn_bytes, 0);
    assert_int_equal(simdisk_used(l->disk), im->files[0].size - 20000);
    assert_goes_on(l);
    log_destroy(l);
    free(im);
}

/* Text that looks like a frame of this very place is none: its writer did not know the salt. */
static void test_forged_frame(void **state)
{
    (void)state;
    struct image *im = make_group(1, 0);
    struct image_file *f = &im->files[0];
    size_t outer = f->size;
    uint8_t *payload = f->data + outer + WAL_FRAME_HEADER;
    uint8_t *inner = payload + 8;
    uint64_t inner_lsn = outer + WAL_FRAME_HEADER + 8 - WAL_FILE_HEADER;
    size_t length = payload_of(666, inner + WAL_FRAME_HEADER, 40);
    struct wal_frame_header h = {.length = 40,
                                 .lsn = inner_lsn,
                                 .commit_ns = 1,
                                 .payload_check = bbi_hash64(inner + WAL_FRAME_HEADER, 40),
                                 .salt = 78};
    wal_put_frame_header(inner, &h);
    h = (struct wal_frame_header){.length = (uint32_t)(8 + wal_frame_bytes(length)),
                                  .lsn = outer - WAL_FILE_HEADER,
                                  .commit_ns = 1,
                                  .salt = 77};
    h.payload_check = bbi_hash64(payload, wal_padded(h.length));
    wal_put_frame_header(f->data + outer, &h);
    f->data[outer + 4] ^= 1;
    f->size += wal_frame_bytes(h.length);
    write_frame(im, 3, f->size - WAL_FILE_HEADER);
    struct log *l = log_of(im);
    log_open(l, 0);
    assert_int_equal(l->report.corrupt_ranges, 1);
    assert_int_equal(l->seen_count, 2);
    assert_int_equal(l->seen[0].number, 1);
    assert_int_equal(l->seen[1].number, 3);
    log_destroy(l);
    free(im);
}

/* ---- versions, failures ---- */

static void test_newer_version(void **state)
{
    (void)state;
    struct image *im = make_group(3, 0);
    struct image_file *f = &im->files[0];
    for (size_t copy = 0; copy < WAL_FILE_HEADER; copy += 64) {
        bbi_put_u32(f->data + copy + 8, 2);
        bbi_put_u64(f->data + copy + 56, bbi_hash64(f->data + copy, 56));
    }
    struct log *l = log_of(im);
    assert_int_equal(log_try_open(l, 0), BB_EVERSION);
    assert_contains(l->err.text, f->name);
    struct image *after = take_image(l);
    assert_int_equal(after->files[0].size, f->size);
    free(after);
    log_destroy(l);
    free(im);

    im = make_group(3, 0);
    uint8_t *frame = im->files[0].data + WAL_FILE_HEADER;
    bbi_put_u16(frame + 2, 0x80);
    bbi_put_u32(frame + 44, (uint32_t)bbi_hash64(frame, 44));
    l = log_of(im);
    assert_int_equal(log_try_open(l, 0), BB_EVERSION);
    log_destroy(l);
    free(im);
}

/* A file that cannot be read ends the open, and nothing is cut away. */
static void test_read_failure(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct image *im = make_image(4096, 100, 1, &r);
    struct log *l = log_of(im);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        simdisk_fail_op(l->disk, SIMDISK_READ, "/wal", n, BB_EIO, false);
        int rc = log_try_open(l, 0);
        failed = simdisk_fault_count(l->disk) > 0;
        simdisk_fail_op(l->disk, 0, NULL, 0, 0, false);
        assert_int_equal(rc, failed ? BB_EIO : BB_OK);
        assert_ok(log_close(l), &l->err);
    }
    log_open(l, 0);
    assert_seen(l, 1, 100);
    log_destroy(l);
    free(im);
}

/* A copy that cannot be made does not keep the log from opening. */
static void test_failing_quarantine(void **state)
{
    (void)state;
    struct image *im = make_group(3, 0);
    write_frame(im, 4, im->frames[2].lsn_end);
    im->files[0].data[WAL_FILE_HEADER + 60] ^= 1;
    struct log *l = log_of(im);
    simdisk_fail_op(l->disk, SIMDISK_CHANGES, "/q", 1, BB_ENOSPC, true);
    log_open(l, 0);
    assert_all_but(l, im, 1);
    assert_contains(l->report.message, "not copied");
    log_destroy(l);
    free(im);
}

struct sizes {
    size_t count;
    size_t lengths[8];
};

static int collect_sizes(void *arg, const struct bbi_frame *frame, struct bb_error *err)
{
    struct sizes *s = arg;
    (void)err;
    assert_true(s->count < 8);
    s->lengths[s->count++] = frame->length;
    for (size_t i = 0; i < frame->length; i += 4096) {
        assert_int_equal(frame->payload[i], (uint8_t)(i >> 12));
    }
    return BB_OK;
}

/* Frames larger than the window that replay reads through. */
static void test_large_frames(void **state)
{
    (void)state;
    enum {
        LARGE = 5 << 20
    };
    struct log *l = log_create(0, 0);
    struct sizes sizes = {0};
    uint8_t *data = malloc(LARGE);
    uint64_t lsn;
    for (size_t i = 0; i < LARGE; i++) {
        data[i] = (uint8_t)(i >> 12);
    }
    log_open(l, 0);
    for (size_t i = 0; i < 5; i++) {
        struct bbi_wal_piece pieces[2] = {{data, i % 2 == 0 ? LARGE - 7 : 100}, {NULL, 0}};
        assert_ok(bbi_wal_append(l->wal, pieces, NULL, &lsn, &l->err), &l->err);
    }
    assert_ok(log_close(l), &l->err);
    assert_ok(bbi_wal_open(simdisk_fs(l->disk), "/wal", "/q", NULL, NULL, 0, collect_sizes, &sizes,
                           &l->wal, &l->report, &l->err),
              &l->err);
    assert_int_equal(sizes.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(sizes.lengths[i], i % 2 == 0 ? LARGE - 7 : 100);
    }
    free(data);
    log_destroy(l);
}

/* ---- anything at all ---- */

struct wound {
    size_t file;
    size_t from;
    size_t to;
};

static void harm(struct image *im, struct rng *r, struct wound *w)
{
    struct image_file *f = &im->files[w->file = rng_below(r, im->file_count)];
    w->from = rng_below(r, f->size + 1);
    w->to = w->from + 1 + rng_below(r, rng_one_in(r, 3) ? 3000 : 3);
    w->to = w->to > f->size ? f->size : w->to;
    switch (rng_below(r, 3)) {
    case 0:
        f->size = w->from;
        w->to = IMAGE_MAX;
        break;
    case 1:
        memset(f->data + w->from, 0, w->to - w->from);
        break;
    default:
        for (size_t i = w->from; i < w->to; i++) {
            f->data[i] ^= (uint8_t)(1 + rng_below(r, 255));
        }
    }
}

static bool is_hurt(const struct image *im, const struct image_frame *frame, const struct wound *w,
                    size_t count)
{
    uint64_t start = im->files[frame->file].start_lsn;
    for (size_t i = 0; i < count; i++) {
        if (w[i].file == frame->file && w[i].to > WAL_FILE_HEADER + frame->lsn_start - start &&
            w[i].from < WAL_FILE_HEADER + frame->lsn_end - start) {
            return true;
        }
    }
    return false;
}

/* Up to three wounds anywhere: frames that are whole, and that a whole frame behind them says were
 * on disk, are delivered; and opening once more changes nothing. */
static void random_wounds(struct rng *r)
{
    struct image *im = make_image(rng_one_in(r, 2) ? 4096 : 0, 100, rng_below(r, 8), r);
    struct wound wounds[3];
    size_t count = 1 + rng_below(r, 3);
    for (size_t i = 0; i < count; i++) {
        harm(im, r, &wounds[i]);
    }
    struct log *l = log_of(im);
    log_open(l, 0);
    assert_genuine(l, im);
    uint64_t proven = 0;
    for (size_t i = im->frame_count; i > 0; i--) {
        const struct image_frame *frame = &im->frames[i - 1];
        if (is_hurt(im, frame, wounds, count)) {
            continue;
        }
        bool there = false;
        for (size_t k = 0; k < l->seen_count; k++) {
            there = there || l->seen[k].number == frame->number;
        }
        assert_true(there || frame->lsn_end > proven);
        proven = frame->synced_lsn > proven ? frame->synced_lsn : proven;
    }
    uint64_t ranges = l->report.corrupt_ranges;
    assert_goes_on(l);
    assert_true(l->report.corrupt_ranges >= ranges);
    log_destroy(l);
    free(im);
}

static void test_random_wounds(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    for (int i = 0; i < 400; i++) {
        random_wounds(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_truncation_before_other_files),
        cmocka_unit_test(test_flip_at_every_byte),
        cmocka_unit_test(test_flips_before_other_files),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_destroyed_header),
        cmocka_unit_test(test_unsynced_tail_stays_cut),
        cmocka_unit_test(test_synced_lsn_is_proof),
        cmocka_unit_test(test_unfinished_next_file),
        cmocka_unit_test(test_next_file_without_header),
        cmocka_unit_test(test_blank_files),
        cmocka_unit_test(test_claimed_tail),
        cmocka_unit_test(test_forged_frame),
        cmocka_unit_test(test_newer_version),
        cmocka_unit_test(test_read_failure),
        cmocka_unit_test(test_failing_quarantine),
        cmocka_unit_test(test_large_frames),
        cmocka_unit_test(test_random_wounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
