/*
 * What busbar import reads, on any bytes. The first byte chooses: rows of CSV, which must not
 * depend on how the input is cut into reads; lines of line protocol, likewise; a table with its
 * --map, whose lines must be lines again; a time in a format.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/csv.h"
#include "client/import_buf.h"
#include "client/import_lines.h"
#include "client/import_map.h"
#include "client/import_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, at, step;
};

static ssize_t read_input(void *context, void *bytes, size_t n)
{
    struct input *in = context;
    size_t take = in->size - in->at;
    take = take > n ? n : take;
    take = take > in->step ? in->step : take;
    memcpy(bytes, in->data + in->at, take);
    in->at += take;
    return (ssize_t)take;
}

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void show_rows(struct input *in, struct import_buf *out)
{
    struct csv_options options = {.delimiter = ',', .comment = '#', .first_line = 1};
    struct csv_reader *reader = csv_create(&options, read_input, in);
    struct csv_row row;
    uint64_t end = 0;
    must(reader != NULL, "memory");
    for (;;) {
        enum csv_result result = csv_next(reader, &row);
        if (result == CSV_END)
            break;
        must(result != CSV_ERROR, "no read failed");
        must(row.end > end && row.end <= in->size, "rows go on");
        end = row.end;
        import_buf_printf(out, "%d %d %llu:", result, (int)row.line, (unsigned long long)row.end);
        import_buf_add(out, row.raw, row.raw_len);
        for (unsigned i = 0; result == CSV_ROW && i < row.count; i++) {
            import_buf_add_char(out, row.fields[i].quoted ? '<' : '[');
            import_buf_add(out, row.fields[i].text, row.fields[i].len);
        }
    }
    csv_destroy(&reader);
}

static void show_lines(struct input *in, struct import_buf *out)
{
    struct lines_reader *reader = lines_create(read_input, in);
    struct lines_record record;
    must(reader != NULL, "memory");
    for (;;) {
        enum lines_kind kind = lines_next(reader, &record);
        must(kind != LINES_ERROR, "no read failed");
        import_buf_printf(out, "%d %d:", kind, (int)record.line);
        import_buf_add(out, record.text, record.len);
        if (kind == LINES_END)
            break;
    }
    lines_destroy(&reader);
}

static void compare(const uint8_t *data, size_t size,
                    void (*show)(struct input *in, struct import_buf *out))
{
    struct import_buf whole = {0}, pieces = {0};
    struct input in = {data, size, 0, SIZE_MAX};
    show(&in, &whole);
    in = (struct input){data, size, 0, 1 + size % 7};
    show(&in, &pieces);
    must(whole.len == pieces.len &&
             (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0),
         "the same however it is read");
    import_buf_fini(&whole);
    import_buf_fini(&pieces);
}

/** The first line is a --map, the second the header, the others rows. */
static void convert(const uint8_t *data, size_t size)
{
    struct input in = {data, size, 0, SIZE_MAX};
    struct csv_options options = {.delimiter = ';', .first_line = 1};
    struct csv_reader *reader = csv_create(&options, read_input, &in);
    struct csv_row row;
    struct map map = {0};
    struct zone zone = {.fixed = true, .offset_s = -3600};
    struct row_options row_options = {.measurement = "m", .decimal = '.'};
    struct row_maker *maker = NULL;
    struct import_buf out = {0};
    char error[MAP_ERROR_MAX], *spec = NULL;
    must(reader != NULL, "memory");
    if (csv_next(reader, &row) == CSV_ROW)
        spec = strndup(row.raw, row.raw_len);
    if (spec != NULL && csv_next(reader, &row) == CSV_ROW &&
        map_init(&map, row.fields, row.count) && map_apply(&map, spec, error) &&
        csv_next(reader, &row) == CSV_ROW && row.count == map.count) {
        struct map_samples samples = {row.fields, 1, '.'};
        if (map_complete(&map, &samples, error))
            maker = row_maker_create(&map, &zone, &row_options, error);
    }
    for (bool more = maker != NULL; more; more = csv_next(reader, &row) == CSV_ROW) {
        size_t before = out.len;
        const char *reason = row_make(maker, &row, &out);
        must(reason == NULL || out.len == before, "a refused row leaves nothing");
    }
    if (out.len > 0) {
        in = (struct input){(const uint8_t *)out.data, out.len, 0, SIZE_MAX};
        struct lines_reader *lines = lines_create(read_input, &in);
        struct lines_record record;
        uint64_t count = 0;
        enum lines_kind kind;
        while ((kind = lines_next(lines, &record)) == LINES_POINT)
            count++;
        must(kind == LINES_END && count == row_counts_get(maker)->lines, "lines are lines");
        lines_destroy(&lines);
    }
    row_maker_destroy(&maker);
    map_fini(&map);
    import_buf_fini(&out);
    free(spec);
    csv_destroy(&reader);
}

/** FORMAT, a newline, a time. */
static void read_time(const uint8_t *data, size_t size)
{
    char spec[TIME_PATTERN_MAX], error[256];
    struct time_format format;
    struct time_reader reader;
    struct moment moment;
    const uint8_t *newline = memchr(data, '\n', size);
    size_t n = newline == NULL ? size : (size_t)(newline - data);
    if (newline == NULL || n >= sizeof(spec))
        return;
    memcpy(spec, data, n);
    spec[n] = '\0';
    if (!time_format_parse(spec, &format, error, sizeof(error)))
        return;
    time_reader_init(&reader, &format);
    for (int i = 0; i < 2; i++) {
        if (time_read(&reader, (const char *)newline + 1, size - n - 1, &moment) == NULL)
            must(moment.nanos >= 0 && moment.nanos < 1000000000, "nanoseconds");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (*data) {
    case 'c':
        compare(data + 1, size - 1, show_rows);
        break;
    case 'l':
        compare(data + 1, size - 1, show_lines);
        break;
    case 'm':
        convert(data + 1, size - 1);
        break;
    default:
        read_time(data + 1, size - 1);
        break;
    }
    return 0;
}
