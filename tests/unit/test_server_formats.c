/** Formats of replies beside JSON: which one a client gets, and MessagePack byte by byte. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/accept.h"
#include "server/result_msgpack.h"
#include "tests/lib/unit.h"

static void test_accept(void **state)
{
    (void)state;
    assert_int_equal(accept_choose(""), ACCEPT_JSON);
    assert_int_equal(accept_choose("*/*"), ACCEPT_JSON);
    assert_int_equal(accept_choose("*"), ACCEPT_JSON);
    assert_int_equal(accept_choose("image/png, text/html"), ACCEPT_JSON);
    assert_int_equal(accept_choose("text/csv"), ACCEPT_TEXT_CSV);
    assert_int_equal(accept_choose("Text/CSV; charset=utf-8"), ACCEPT_TEXT_CSV);
    assert_int_equal(accept_choose("text/*"), ACCEPT_TEXT_CSV);
    assert_int_equal(accept_choose("application/csv"), ACCEPT_APPLICATION_CSV);
    assert_int_equal(accept_choose("application/*"), ACCEPT_JSON);
    assert_int_equal(accept_choose("application/x-msgpack"), ACCEPT_MSGPACK);
    assert_int_equal(accept_choose("text/html,application/x-msgpack ,text/csv"), ACCEPT_MSGPACK);
    assert_int_equal(accept_choose("text/csv;q=0.5, application/x-msgpack;q=0.9"), ACCEPT_MSGPACK);
    assert_int_equal(accept_choose("text/csv ; a=b ; q=0.5,application/json;q=0.4"),
                     ACCEPT_TEXT_CSV);
    assert_int_equal(accept_choose("application/x-msgpacks"), ACCEPT_JSON);
    assert_int_equal(accept_choose(",;,q=1;,/"), ACCEPT_JSON);
    assert_string_equal(accept_name(ACCEPT_APPLICATION_CSV), "application/csv");
}

/* ---- values ---- */

static void bytes_are(struct buf *b, const char *hex)
{
    assert_int_equal(b->len, strlen(hex) / 2);
    for (size_t i = 0; i < b->len; i++) {
        char text[3];
        snprintf(text, sizeof(text), "%02x", (unsigned)(unsigned char)b->data[i]);
        assert_memory_equal(text, hex + 2 * i, 2);
    }
    b->len = 0;
}

static void signed_is(struct msgpack *m, int64_t v, const char *hex)
{
    msgpack_i64(m, v);
    bytes_are(m->out, hex);
}

static void unsigned_is(struct msgpack *m, uint64_t v, const char *hex)
{
    msgpack_u64(m, v);
    bytes_are(m->out, hex);
}

/** The least and the greatest value of each form. */
static void test_numbers(void **state)
{
    struct buf out;
    struct msgpack m;
    (void)state;
    buf_init(&out, 4096, NULL);
    msgpack_init(&m, &out);
    signed_is(&m, 0, "00");
    signed_is(&m, 127, "7f");
    signed_is(&m, 128, "d10080");
    signed_is(&m, -1, "ff");
    signed_is(&m, -32, "e0");
    signed_is(&m, -33, "d0df");
    signed_is(&m, -128, "d080");
    signed_is(&m, -129, "d1ff7f");
    signed_is(&m, 32767, "d17fff");
    signed_is(&m, 32768, "d200008000");
    signed_is(&m, INT32_MIN, "d280000000");
    signed_is(&m, (int64_t)INT32_MAX + 1, "d30000000080000000");
    signed_is(&m, INT64_MIN, "d38000000000000000");
    unsigned_is(&m, 127, "7f");
    unsigned_is(&m, 128, "cc80");
    unsigned_is(&m, 256, "cd0100");
    unsigned_is(&m, 65536, "ce00010000");
    unsigned_is(&m, UINT64_MAX, "cfffffffffffffffff");
    msgpack_double(&m, 0.5);
    msgpack_double(&m, -INFINITY);
    bytes_are(&out, "cb3fe0000000000000cbfff0000000000000");
    msgpack_bool(&m, true);
    msgpack_bool(&m, false);
    msgpack_nil(&m);
    bytes_are(&out, "c3c2c0");
    buf_fini(&out);
}

static void test_times(void **state)
{
    struct buf out;
    struct msgpack m;
    (void)state;
    buf_init(&out, 4096, NULL);
    msgpack_init(&m, &out);
    msgpack_time(&m, 1710511200000000005);
    bytes_are(&out, "c70c050000000065f4546000000005");
    msgpack_time(&m, -1);
    bytes_are(&out, "c70c05ffffffffffffffff3b9ac9ff");
    buf_fini(&out);
}

static void head_is(size_t n, void (*put)(struct msgpack *m, size_t n), const char *hex)
{
    struct buf out;
    struct msgpack m;
    buf_init(&out, 4096, NULL);
    msgpack_init(&m, &out);
    put(&m, n);
    bytes_are(&out, hex);
    buf_fini(&out);
}

static void test_heads(void **state)
{
    struct buf out;
    struct msgpack m;
    char text[300];
    (void)state;
    head_is(0, msgpack_array, "90");
    head_is(15, msgpack_array, "9f");
    head_is(16, msgpack_array, "dc0010");
    head_is(65536, msgpack_array, "dd00010000");
    head_is(15, msgpack_map, "8f");
    head_is(16, msgpack_map, "de0010");
    head_is(65536, msgpack_map, "df00010000");
    memset(text, 'x', sizeof(text));
    buf_init(&out, 4096, NULL);
    msgpack_init(&m, &out);
    msgpack_string(&m, text, 31);
    assert_int_equal((unsigned char)out.data[0], 0xbf);
    msgpack_string(&m, text, 32);
    assert_memory_equal(out.data + 32, "\xd9\x20x", 3);
    msgpack_string(&m, text, 256);
    assert_memory_equal(out.data + 66, "\xda\x01\x00x", 4);
    assert_int_equal(out.len, 66 + 3 + 256);
    out.len = 0;
    msgpack_set_array(&m, msgpack_open_array(&m), 258);
    msgpack_set_map(&m, msgpack_open_map(&m), 3);
    bytes_are(&out, "dd0000010283");
    buf_fini(&out);
}

/* ---- results ---- */

static int append(void *arg, struct buf *text)
{
    int rc = buf_put(arg, text->data, text->len);
    text->len = 0;
    return rc;
}

struct writer {
    struct buf piece, all;
    struct result_msgpack result;
    struct bb_sink sink;
};

static void writer_init(struct writer *w, size_t chunk_rows, size_t max)
{
    buf_init(&w->piece, max, NULL);
    buf_init(&w->all, 1 << 20, NULL);
    result_msgpack_init(&w->result, 0, chunk_rows, &w->piece, 1, append, &w->all);
    w->sink = result_msgpack_sink(&w->result);
}

static void writer_fini(struct writer *w)
{
    buf_fini(&w->piece);
    buf_fini(&w->all);
    result_msgpack_fini(&w->result);
}

static int put_rows(struct writer *w, int64_t rows)
{
    const char *columns[] = {"v"};
    struct bb_series series = {.name = "m", .column_count = 1, .columns = columns};
    int rc = w->sink.series(w->sink.arg, &series);
    for (int64_t i = 0; i < rows && rc == BB_OK; i++) {
        struct bb_value value = {.kind = BB_VALUE_INT, .v.i = i};
        rc = w->sink.rows(w->sink.arg, &value, 1);
    }
    return rc;
}

#define RESULTS   "a7726573756c7473" /* "results" */
#define STATEMENT "ac73746174656d656e745f6964"
#define SERIES    "a6736572696573"
#define SERIES_M  "a46e616d65a16da7636f6c756d6e7391a176a676616c756573"
#define PARTIAL   "a77061727469616cc3"
#define MESSAGE   "a86d657373616765739182a56c6576656ca177a474657874a174"
#define ERROR     "a56572726f72"

static void test_one_document(void **state)
{
    struct writer w;
    struct bb_error err = {BB_ENOTFOUND, "no"};
    (void)state;
    writer_init(&w, 0, 1 << 20);
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 0), 0);
    assert_int_equal(put_rows(&w, 2), 0);
    assert_int_equal(w.sink.message(w.sink.arg, "w", "t"), 0);
    assert_int_equal(w.sink.statement_end(w.sink.arg, NULL), 0);
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 1), 0);
    assert_int_equal(put_rows(&w, 2), 0);
    assert_int_equal(w.sink.statement_end(w.sink.arg, &err), 0);
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 2), 0);
    assert_int_equal(w.sink.statement_end(w.sink.arg, NULL), 0);
    assert_int_equal(w.all.len, 0); /* handed on whole */
    assert_int_equal(result_msgpack_finish(&w.result, NULL), BB_OK);
    bytes_are(&w.piece, "81" RESULTS "dd00000003"
                        "83" STATEMENT "00" SERIES "dd00000001"
                        "83" SERIES_M "dd0000000291009101" MESSAGE "81" ERROR "a26e6f"
                        "82" STATEMENT "02" SERIES "dd00000000");
    writer_fini(&w);
}

static void test_chunks(void **state)
{
    struct writer w;
    (void)state;
    writer_init(&w, 1, 1 << 20);
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 0), 0);
    assert_int_equal(put_rows(&w, 2), 0);
    assert_int_equal(w.sink.statement_end(w.sink.arg, NULL), 0);
    assert_int_equal(result_msgpack_finish(&w.result, NULL), BB_OK);
    bytes_are(&w.all, "81" RESULTS "dd00000001"
                      "83" STATEMENT "00" SERIES "dd00000001"
                      "84" SERIES_M "dd000000019100" PARTIAL PARTIAL "81" RESULTS "dd00000001"
                      "82" STATEMENT "00" SERIES "dd00000001"
                      "83" SERIES_M "dd000000019101");
    writer_fini(&w);
}

static void test_ends(void **state)
{
    struct writer w;
    struct bb_error err = {BB_ECANCELED, "no"};
    (void)state;
    writer_init(&w, 0, 1 << 20); /* no statement */
    assert_int_equal(result_msgpack_finish(&w.result, NULL), BB_OK);
    bytes_are(&w.piece, "81" RESULTS "dd00000000");
    writer_fini(&w);
    writer_init(&w, 0, 1 << 20); /* stopped between statements */
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 0), 0);
    assert_int_equal(w.sink.statement_end(w.sink.arg, NULL), 0);
    assert_int_equal(result_msgpack_finish(&w.result, &err), BB_OK);
    bytes_are(&w.piece, "82" RESULTS "dd00000001"
                        "82" STATEMENT "00" SERIES "dd00000000" ERROR "a26e6f");
    writer_fini(&w);
    writer_init(&w, 0, 1 << 20); /* stopped within one */
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 0), 0);
    assert_int_equal(put_rows(&w, 2), 0);
    assert_int_equal(result_msgpack_finish(&w.result, &err), BB_OK);
    bytes_are(&w.piece, "81" RESULTS "dd00000001"
                        "81" ERROR "a26e6f");
    writer_fini(&w);
    writer_init(&w, 0, 300); /* too long */
    assert_int_equal(w.sink.statement_begin(w.sink.arg, 0), 0);
    assert_int_equal(put_rows(&w, 1000), BB_ELIMIT);
    assert_int_equal(result_msgpack_finish(&w.result, &err), BB_ELIMIT);
    writer_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),       cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_one_document), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
