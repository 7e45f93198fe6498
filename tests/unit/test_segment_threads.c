/* Threads that pin, read, trim and let go of the same segments. */
#include <pthread.h>

#include "tests/lib/simdisk.h"
#include "tests/lib/unit.h"
#include "tests/unit/segment_model.h"

#define THREADS 4
#define ROUNDS  150

struct shared {
    struct bbi_segment *seg;
    uint64_t expected; /* number of values that a reader counts */
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
        struct bbi_segment *seg = bbi_segment_ref(s->seg);
        uint64_t values = 0;
        if (bbi_segment_pin(seg, &err) != BB_OK) {
            return "pin";
        }
        if (count_values(seg, &values, &err) != BB_OK || values != s->expected) {
            return "read";
        }
        bbi_segment_unpin(seg);
        (void)bbi_segment_trim(seg);
        bbi_segment_unref(&seg);
    }
    bbi_segment_unref(&s->seg);
    return NULL;
}

static void test_threads_share_a_segment(void **state)
{
    (void)state;
    struct rng rng = rng_from_env();
    struct simdisk *disk = simdisk_create(1);
    struct bbi_segment_meta meta;
    struct bb_error err;
    struct model m;
    model_init(&m, &rng);
    for (uint32_t i = 0; i < 10; i++) {
        model_add(&m, 1 + i / 5, i, 700, MODEL_WILD);
    }
    assert_ok(model_write(&m, simdisk_fs(disk), "/", 7, false, NULL, &meta, &err), &err);
    model_fini(&m);
    struct bbi_segment *seg = NULL;
    const char *path = "/seg-0000000000000007.bbs";
    assert_ok(bbi_segment_open(simdisk_fs(disk), path, NULL, &seg, &err), &err);
    bbi_segment_drop(seg);
    pthread_t threads[THREADS];
    struct shared shared[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        shared[i] = (struct shared){bbi_segment_ref(seg), meta.value_count};
        assert_int_equal(pthread_create(&threads[i], NULL, run, &shared[i]), 0);
    }
    bbi_segment_unref(&seg);
    for (size_t i = 0; i < THREADS; i++) {
        void *fault = NULL;
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    struct bbi_fs_stat st;
    assert_ok(bbi_fs_stat(simdisk_fs(disk), path, &st, &err), &err);
    assert_false(st.exists);
    simdisk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads_share_a_segment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
