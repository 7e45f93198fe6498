/** JSON and the layout of results; the end-to-end tests hold them against a real parser too. */
#include <math.h>
#include <string.h>

#include "server/result.h"
#include "tests/lib/unit.h"

static void text_is(struct buf *b, const char *expect)
{
    assert_int_equal(buf_put(b, "", 1), BB_OK);
    assert_string_equal(b->data, expect);
    buf_fini(b);
}

static void string_is(const char *text, size_t n, const char *expect)
{
    struct buf out;
    struct json j;
    buf_init(&out, 4096, NULL);
    jsonw_init(&j, &out, false);
    jsonw_string(&j, text, n);
    assert_int_equal(j.err, BB_OK);
    text_is(&out, expect);
}

/** As Go escapes. */
static void test_strings(void **state)
{
    (void)state;
    string_is("plain", 5, "\"plain\"");
    string_is("", 0, "\"\"");
    string_is("a\"b\\c\n\r\t\b\f", 10, "\"a\\\"b\\\\c\\n\\r\\t\\u0008\\u000c\"");
    string_is("\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\"");
    string_is("<a&b>", 5, "\"\\u003ca\\u0026b\\u003e\"");
    string_is("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x8c", 9,
              "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x8c\"");
    string_is("\xe2\x80\xa8\xe2\x80\xa9", 6, "\"\\u2028\\u2029\"");
    /* cut, overlong, surrogate, beyond U+10FFFF, lone continuation: a mark per byte */
    string_is("\xc3", 1, "\"\\ufffd\"");
    string_is("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");
    string_is("\xc0\x80", 2, "\"\\ufffd\\ufffd\"");
    string_is("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
    string_is("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    string_is("a\x80z", 3, "\"a\\ufffdz\"");
}

static void test_values(void **state)
{
    struct buf out;
    struct json j;
    (void)state;
    buf_init(&out, 4096, NULL);
    jsonw_init(&j, &out, false);
    jsonw_array_begin(&j);
    jsonw_double(&j, 0.5);
    jsonw_double(&j, NAN);
    jsonw_double(&j, -INFINITY);
    jsonw_i64(&j, INT64_MIN);
    jsonw_u64(&j, UINT64_MAX);
    jsonw_bool(&j, true);
    jsonw_bool(&j, false);
    jsonw_null(&j);
    jsonw_array_end(&j);
    text_is(&out, "[0.5,null,null,-9223372036854775808,18446744073709551615,true,false,null]");
}

static void test_full_buffer_sticks(void **state)
{
    struct buf out;
    struct json j;
    (void)state;
    buf_init(&out, 256, NULL);
    jsonw_init(&j, &out, false);
    jsonw_array_begin(&j);
    for (int i = 0; i < 1000; i++)
        jsonw_cstring(&j, "0123456789");
    jsonw_array_end(&j);
    assert_int_equal(j.err, BB_ELIMIT);
    assert_true(out.len <= 256);
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
    struct result result;
    struct bb_sink sink;
};

static void writer_init(struct writer *w, const struct result_format *format, size_t flush_bytes)
{
    buf_init(&w->piece, 1 << 20, NULL);
    buf_init(&w->all, 1 << 20, NULL);
    result_init(&w->result, format, &w->piece, flush_bytes, append, &w->all);
    w->sink = result_sink(&w->result);
}

static void writer_expect(struct writer *w, const char *expect)
{
    assert_int_equal(result_finish(&w->result, NULL), BB_OK);
    assert_int_equal(append(&w->all, &w->piece), BB_OK);
    text_is(&w->all, expect);
    buf_fini(&w->piece);
    result_fini(&w->result);
}

static void put_series(struct writer *w, const char *tag, size_t batches, size_t rows)
{
    const char *columns[] = {"time", "v"};
    const char *keys[] = {"id"};
    struct bb_series series = {.name = "m",
                               .tag_count = tag == NULL ? 0 : 1,
                               .tag_keys = keys,
                               .tag_values = &tag,
                               .column_count = 2,
                               .columns = columns};
    struct bb_value values[2 * 8];
    int64_t time = 0;
    assert_int_equal(w->sink.series(w->sink.arg, &series), 0);
    for (size_t b = 0; b < batches; b++) {
        for (size_t i = 0; i < rows; i++, time += 1000000000) {
            values[2 * i] = (struct bb_value){.kind = BB_VALUE_TIME, .v.time_ns = time};
            values[2 * i + 1] = (struct bb_value){.kind = BB_VALUE_INT, .v.i = time / 1000000000};
        }
        assert_int_equal(w->sink.rows(w->sink.arg, values, rows), 0);
    }
}

static void begin(struct writer *w, size_t index)
{
    assert_int_equal(w->sink.statement_begin(w->sink.arg, index), 0);
}

static void end(struct writer *w, const struct bb_error *err)
{
    assert_int_equal(w->sink.statement_end(w->sink.arg, err), 0);
}

static void test_one_document(void **state)
{
    struct writer w;
    struct bb_error err = {BB_ENOTFOUND, "database not found: x"};
    (void)state;
    /* Flushing after any value must not change the text. */
    for (size_t flush_bytes = 1; flush_bytes < 4096; flush_bytes *= 4) {
        writer_init(&w, &(struct result_format){.epoch_ns = 1000000000}, flush_bytes);
        begin(&w, 0);
        put_series(&w, "a", 2, 2);
        put_series(&w, NULL, 1, 1);
        end(&w, NULL);
        begin(&w, 1);
        end(&w, NULL);
        begin(&w, 2);
        assert_int_equal(w.sink.message(w.sink.arg, "warning", "a <b>"), 0);
        end(&w, &err);
        writer_expect(
            &w, "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"tags\":{\"id\":"
                "\"a\"},\"columns\":[\"time\",\"v\"],\"values\":[[0,0],[1,1],[2,2],[3,3]]},"
                "{\"name\":\"m\",\"columns\":[\"time\",\"v\"],\"values\":[[0,0]]}]},"
                "{\"statement_id\":1},{\"statement_id\":2,\"messages\":[{\"level\":\"warning\","
                "\"text\":\"a \\u003cb\\u003e\"}],\"error\":\"database not found: x\"}]}\n");
    }
}

static void test_chunked(void **state)
{
    struct writer w;
    (void)state;
    writer_init(&w, &(struct result_format){.epoch_ns = 1000000000, .chunk_rows = 2}, 64);
    begin(&w, 0);
    put_series(&w, "a", 1, 3);
    put_series(&w, "b", 1, 2);
    end(&w, NULL);
    begin(&w, 1);
    end(&w, NULL);
#define HEAD(id)                                                                           \
    "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"tags\":{\"id\":\"" id \
    "\"},\"columns\":[\"time\",\"v\"],\"values\":"
    writer_expect(&w, HEAD("a") "[[0,0],[1,1]],\"partial\":true}],\"partial\":true}]}\n" HEAD(
                          "a") "[[2,2]]}],\"partial\":true}]}\n" HEAD("b") "[[0,0],[1,1]]}]}]}\n"
                                                                           "{\"results\":[{"
                                                                           "\"statement_id\":1}]}"
                                                                           "\n");
#undef HEAD
}

static void test_chunks_of_other_kinds(void **state)
{
    struct writer w;
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        const char *const columns[] = {"k"};
        struct bb_series series = {.chunks = whole ? BB_CHUNKS_NONE : BB_CHUNKS_SERIES,
                                   .column_count = 1,
                                   .columns = columns};
        struct bb_value values[3] = {{.kind = BB_VALUE_INT}, {.kind = BB_VALUE_INT}};
        writer_init(&w, &(struct result_format){.chunk_rows = 1}, 64);
        begin(&w, 0);
        assert_int_equal(w.sink.message(w.sink.arg, "warning", "x"), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(w.sink.series(w.sink.arg, &series), 0);
            assert_int_equal(w.sink.rows(w.sink.arg, values, 3), 0);
        }
        end(&w, NULL);
#define HEAD   "{\"results\":[{\"statement_id\":0,\"series\":["
#define SERIES "{\"columns\":[\"k\"],\"values\":[[0],[0],[null]]}"
#define TAIL   "],\"messages\":[{\"level\":\"warning\",\"text\":\"x\"}]}]}\n"
        writer_expect(&w,
                      whole ? HEAD SERIES "," SERIES TAIL : HEAD SERIES "]}]}\n" HEAD SERIES TAIL);
#undef HEAD
#undef SERIES
#undef TAIL
    }
}

static void test_pretty(void **state)
{
    struct writer w;
    (void)state;
    writer_init(&w, &(struct result_format){.pretty = true}, 1);
    begin(&w, 0);
    put_series(&w, "a", 1, 1);
    assert_int_equal(w.sink.message(w.sink.arg, "warning", "x"), 0);
    end(&w, NULL);
    writer_expect(&w, "{\n"
                      "    \"results\": [\n"
                      "        {\n"
                      "            \"statement_id\": 0,\n"
                      "            \"series\": [\n"
                      "                {\n"
                      "                    \"name\": \"m\",\n"
                      "                    \"tags\": {\n"
                      "                        \"id\": \"a\"\n"
                      "                    },\n"
                      "                    \"columns\": [\n"
                      "                        \"time\",\n"
                      "                        \"v\"\n"
                      "                    ],\n"
                      "                    \"values\": [\n"
                      "                        [\n"
                      "                            \"1970-01-01T00:00:00Z\",\n"
                      "                            0\n"
                      "                        ]\n"
                      "                    ]\n"
                      "                }\n"
                      "            ],\n"
                      "            \"messages\": [\n"
                      "                {\n"
                      "                    \"level\": \"warning\",\n"
                      "                    \"text\": \"x\"\n"
                      "                }\n"
                      "            ]\n"
                      "        }\n"
                      "    ]\n"
                      "}\n");
}

static void test_nothing_run(void **state)
{
    struct writer w;
    (void)state;
    writer_init(&w, &(struct result_format){0}, 64);
    writer_expect(&w, "{}\n");
}

/** A query that stops in the middle still leaves a whole document that says why. */
static void test_stopped_in_the_middle(void **state)
{
    struct bb_error err = {BB_ETIMEOUT, "timed out"};
    struct writer w;
    (void)state;
    writer_init(&w, &(struct result_format){.epoch_ns = 1}, 64);
    begin(&w, 0);
    put_series(&w, NULL, 1, 1);
    assert_int_equal(result_finish(&w.result, &err), BB_OK);
    assert_int_equal(append(&w.all, &w.piece), BB_OK);
    text_is(&w.all, "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"m\",\"columns\":["
                    "\"time\",\"v\"],\"values\":[[0,0]]}],\"error\":\"timed out\"}]}\n");
    buf_fini(&w.piece);
    result_fini(&w.result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_full_buffer_sticks),
        cmocka_unit_test(test_one_document),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_chunks_of_other_kinds),
        cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_nothing_run),
        cmocka_unit_test(test_stopped_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
