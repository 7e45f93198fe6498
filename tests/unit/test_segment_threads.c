/* Threads that pin, read, trim and let go of the same segments. */
#include <pthread.h>

#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"
#include "tests/unit/segment_model.h"

#define THREADS  4
#define ROUNDS   150
#define SEGMENTS 6

struct shared {
    struct bbi_segment *segs[SEGMENTS];
    uint64_t expected; /* number of values that a reader counts in each */
};

static int count_values(struct bbi_segment *seg, uint64_t *values, struct bb_error *err)
{
    struct bbi_timepage tp;
    struct bbi_fieldpage fp;
    size_t count = 0;
    bbi_timepage_init(&tp, NULL);
    bbi_fieldpage_init(&fp, NULL);
    int code = BB_OK;
    const struct bbi_segment_group *groups = bbi_segment_groups(seg, &count);
    for (size_t g = 0; code == BB_OK && g < count; g++) {
        code = bbi_segment_read_time(seg, g, &tp, err);
        for (size_t f = 0; code == BB_OK && f < groups[g].field_count; f++) {
            code = bbi_segment_read_field(seg, g, f, &tp, &fp, err);
            for (size_t c = 0; code == BB_OK && c < fp.chunk_count; c++) {
                *values += bbi_fieldpage_chunk_values(&fp, c);
            }
        }
    }
    bbi_fieldpage_fini(&fp);
    bbi_timepage_fini(&tp);
    return code;
}

/* Returns NULL, or what went wrong. */
static void *run(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct bb_error err;
        struct bbi_segment *seg = bbi_segment_ref(s->segs[i % SEGMENTS]);
        uint64_t values = 0;
        if (bbi_segment_pin(seg, &err) != BB_OK) {
            return "pin";
        }
        if (count_values(seg, &values, &err) != BB_OK || values != s->expected) {
            return "read";
        }
        bbi_segment_unpin(seg);
        if (i % 7 == 0) {
            (void)bbi_segment_trim(seg);
        }
        bbi_segment_unref(&seg);
    }
    for (size_t i = 0; i < SEGMENTS; i++) {
        bbi_segment_unref(&s->segs[i]);
    }
    return NULL;
}

static void write_segments(const struct bbi_fs *fs, struct bbi_segment *segs[SEGMENTS],
                           uint64_t *value_count)
{
    struct rng rng = rng_from_env();
    struct bbi_segment_meta meta;
    struct bb_error err;
    struct model m;
    model_init(&m, &rng);
    for (uint32_t i = 0; i < 10; i++) {
        model_add(&m, 1 + i / 5, i, 700, MODEL_WILD);
    }
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        char path[BBI_FS_PATH_MAX];
        assert_ok(model_write(&m, fs, "/", i, false, NULL, &meta, &err), &err);
        assert_ok(bbi_segment_path(path, "/", i, &err), &err);
        assert_ok(bbi_segment_open(fs, path, NULL, &segs[i], &err), &err);
    }
    *value_count = meta.value_count;
    model_fini(&m);
}

static void test_threads_share_segments(void **state)
{
    (void)state;
    struct simdisk *disk = simdisk_create(1);
    struct bbi_segment *segs[SEGMENTS];
    struct shared shared[THREADS];
    pthread_t threads[THREADS];
    uint64_t value_count = 0;
    struct bb_error err;
    write_segments(simdisk_fs(disk), segs, &value_count);
    bbi_segment_set_idle_max(2);
    for (size_t i = 0; i < THREADS; i++) {
        shared[i].expected = value_count;
        for (size_t k = 0; k < SEGMENTS; k++) {
            shared[i].segs[k] = bbi_segment_ref(segs[k]);
        }
        assert_int_equal(pthread_create(&threads[i], NULL, run, &shared[i]), 0);
    }
    for (size_t k = 0; k < SEGMENTS; k++) {
        bbi_segment_drop(segs[k]);
        bbi_segment_unref(&segs[k]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *fault = NULL;
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    struct bbi_fs_names names;
    assert_ok(bbi_fs_list(simdisk_fs(disk), "/", &names, &err), &err);
    assert_int_equal(names.count, 0);
    bbi_fs_names_fini(&names);
    simdisk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads_share_segments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
