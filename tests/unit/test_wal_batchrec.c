#include "engine/wal/batchrec.h"

#include "tests/lib/unit.h"
#include "tests/unit/batch_gen.h"

static struct bb_error err;

static int decode(const uint8_t *data, size_t len, struct bbi_batchbuf *b)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, data, len);
    return bbi_batchrec_decode(&c, b, &err);
}

static void assert_same(const struct bbi_batch *a, const struct bbi_batch *b)
{
    assert_int_equal(a->db_id, b->db_id);
    assert_int_equal(a->rp_id, b->rp_id);
    assert_int_equal(a->point_count, b->point_count);
    assert_int_equal(a->cell_count, b->cell_count);
    for (size_t i = 0; i < a->point_count; i++) {
        const struct bbi_point *p = &a->points[i];
        const struct bbi_point *q = &b->points[i];
        assert_int_equal(p->time_ns, q->time_ns);
        assert_int_equal(p->series_id, q->series_id);
        assert_int_equal(p->measurement_id, q->measurement_id);
        assert_int_equal(p->cell_first, q->cell_first);
        assert_int_equal(p->cell_count, q->cell_count);
    }
    for (size_t i = 0; i < a->cell_count; i++) {
        const struct bbi_cell *c = &a->cells[i];
        const struct bbi_cell *d = &b->cells[i];
        assert_int_equal(c->field_id, d->field_id);
        assert_int_equal(c->type, d->type);
        assert_int_equal(c->length, d->length);
        if (c->type == BBI_STRING) {
            assert_memory_equal(c->v.str, d->v.str, c->length);
        } else {
            assert_int_equal(c->v.bits, d->v.bits);
        }
    }
}

static void round_trip(const struct gen *g, struct bbi_buf *buf, struct bbi_batchbuf *b)
{
    bbi_buf_reset(buf);
    bbi_batchrec_encode(buf, &g->batch);
    assert_int_equal(buf->err, BB_OK);
    assert_ok(decode(buf->data, buf->len, b), &err);
    assert_same(&g->batch, &b->batch);
}

/* Series, times and lists of fields as feeds have them, and as nobody has. */
static void random_batch(struct rng *r, struct gen *g)
{
    static const int64_t steps[] = {0,         1,         900000000000, -900000000000,
                                    INT64_MAX, INT64_MIN, 1000000000,   -1};
    gen_start(g, (uint32_t)rng_u64(r), (uint32_t)rng_below(r, 9));
    size_t points = rng_below(r, 200);
    bool wild = rng_one_in(r, 2);
    uint32_t shapes = 1 + (uint32_t)rng_below(r, rng_one_in(r, 3) ? 200 : 3);
    uint64_t time = 1700000000000000000;
    uint32_t sid = 0;
    for (size_t i = 0; i < points; i++) {
        sid += wild ? (uint32_t)(rng_u64(r) >> rng_below(r, 64)) : (uint32_t)rng_below(r, 3);
        time += (uint64_t)steps[rng_below(r, wild ? 8 : 3)];
        uint32_t shape = (uint32_t)rng_below(r, shapes);
        if (!gen_point(g, shape % 4, sid, (int64_t)time)) {
            break;
        }
        for (uint32_t f = 0; f <= shape % 7; f++) {
            gen_random_cell(g, r, shape * 1000 + f * (shape % 3 == 0 ? 1 : 40000000));
        }
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct gen *g = gen_create();
    struct bbi_buf buf;
    struct bbi_batchbuf b;
    bbi_buf_init(&buf, NULL, 1 << 24);
    bbi_batchbuf_init(&b, NULL);
    for (int i = 0; i < 2000; i++) {
        random_batch(&r, g);
        round_trip(g, &buf, &b);
    }
    bbi_batchbuf_fini(&b);
    bbi_buf_fini(&buf);
    free(g);
}

/* A feed of one float: nine bytes a row. */
static void test_size_of_a_feed(void **state)
{
    (void)state;
    struct gen *g = gen_create();
    struct bbi_buf buf;
    struct bbi_batchbuf b;
    bbi_buf_init(&buf, NULL, 1 << 24);
    bbi_batchbuf_init(&b, NULL);
    gen_start(g, 1, 1);
    for (uint32_t i = 0; i < 4000; i++) {
        gen_point(g, 1, 70000 + i % 1000, (int64_t)(i / 1000) * 900000000000);
        gen_cell(g, 1, BBI_FLOAT, i);
    }
    round_trip(g, &buf, &b);
    assert_in_range(buf.len, 4000 * 9, 4000 * 9 + 50);

    gen_start(g, 1, 1);
    for (uint32_t i = 0; i < 4000; i++) {
        gen_point(g, 1, 70000, (int64_t)i * 900000000000);
        gen_cell(g, 1, BBI_FLOAT, i);
    }
    round_trip(g, &buf, &b);
    assert_in_range(buf.len, 4000 * 9, 4000 * 9 + 50);
    bbi_batchbuf_fini(&b);
    bbi_buf_fini(&buf);
    free(g);
}

/* Every truncation is an error, every flipped byte an error or a batch of the same bounds. */
static void test_damage(void **state)
{
    (void)state;
    struct rng r = rng_from_env();
    struct gen *g = gen_create();
    struct bbi_buf buf;
    struct bbi_batchbuf b;
    bbi_buf_init(&buf, NULL, 1 << 24);
    bbi_batchbuf_init(&b, NULL);
    for (int round = 0; round < 20; round++) {
        random_batch(&r, g);
        bbi_buf_reset(&buf);
        bbi_batchrec_encode(&buf, &g->batch);
        for (size_t cut = 0; cut < buf.len; cut++) {
            uint8_t *exact = malloc(cut == 0 ? 1 : cut);
            memcpy(exact, buf.data, cut);
            assert_int_equal(decode(exact, cut, &b), BB_ECORRUPT);
            assert_int_equal(b.batch.point_count, 0);
            free(exact);
        }
        for (size_t at = 0; at < buf.len; at++) {
            uint8_t old = buf.data[at];
            buf.data[at] ^= (uint8_t)(1 + rng_below(&r, 255));
            int rc = decode(buf.data, buf.len, &b);
            assert_true(rc == BB_OK || rc == BB_ECORRUPT || (rc == BB_EVERSION && at == 0));
            assert_true(b.batch.cell_count <= buf.len);
            buf.data[at] = old;
        }
    }
    bbi_batchbuf_fini(&b);
    bbi_buf_fini(&buf);
    free(g);
}

/* A short body cannot claim much memory. */
static void test_claims_are_bounded(void **state)
{
    (void)state;
    struct bbi_account acct;
    struct bbi_batchbuf b;
    bbi_account_init(&acct, "test", 0, NULL);
    bbi_batchbuf_init(&b, &acct);
    static const uint8_t body[] = {1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0x7f,
                                   0, 0, 0, 0,    0,    0,    0,    0,    0,    0,    0,    0};
    assert_int_equal(decode(body, sizeof(body), &b), BB_ECORRUPT);
    assert_in_range(acct.peak_bytes, 0, 64 * sizeof(body));
    bbi_batchbuf_fini(&b);
    assert_int_equal(acct.used_bytes, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct rng r = rng_of(5);
    struct gen *g = gen_create();
    struct bbi_buf buf;
    bbi_buf_init(&buf, NULL, 1 << 24);
    do {
        random_batch(&r, g);
    } while (g->batch.point_count < 50);
    bbi_batchrec_encode(&buf, &g->batch);
    int rc = BB_ENOMEM;
    for (uint64_t n = 1; rc != BB_OK; n++) {
        struct bbi_batchbuf b;
        bbi_batchbuf_init(&b, NULL);
        bbi_mem_fail_at(n);
        rc = decode(buf.data, buf.len, &b);
        bbi_mem_fail_at(0);
        assert_true(rc == BB_OK || rc == BB_ENOMEM);
        assert_ok(decode(buf.data, buf.len, &b), &err);
        assert_same(&g->batch, &b.batch);
        bbi_batchbuf_fini(&b);
    }
    bbi_buf_fini(&buf);
    bbi_buf_init(&buf, NULL, 100);
    bbi_batchrec_encode(&buf, &g->batch);
    assert_int_equal(buf.err, BB_ELIMIT);
    bbi_buf_fini(&buf);
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_size_of_a_feed),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_claims_are_bounded),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
