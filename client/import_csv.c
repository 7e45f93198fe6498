#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client/import_exit.h"
#include "client/import_job.h"

#define SAMPLE_ROWS   1000
/* An import none of whose first rows can be understood has a wrong --map. */
#define HOPELESS_ROWS 1000

struct csv_job {
    struct job *job;
    struct csv_reader *reader;
    struct map map;
    struct row_maker *maker;
    struct import_buf cells; /* texts of the sampled rows */
    struct csv_field *sample;
    unsigned sample_rows;
    char delimiter, comment;
};

/* ---- the header and the first rows ---- */

/** The delimiter that the first line has most of. */
static char guess_delimiter(const char *head, size_t len, char comment)
{
    static const char candidates[] = ",;\t|";
    size_t counts[sizeof(candidates)] = {0};
    bool quoted = false;
    const char *end = head + len;
    while (head < end && (*head == comment || *head == '\n' || *head == '\r')) {
        const char *newline = memchr(head, '\n', (size_t)(end - head));
        head = newline == NULL ? end : newline + 1;
    }
    for (; head < end && (*head != '\n' || quoted); head++) {
        quoted ^= *head == '"';
        const char *found = quoted || *head == '\0' ? NULL : strchr(candidates, *head);
        if (found != NULL)
            counts[found - candidates]++;
    }
    size_t best = 0;
    for (size_t i = 1; i < sizeof(candidates) - 1; i++)
        best = counts[i] > counts[best] ? i : best;
    return candidates[best];
}

/** A reader of the head alone, which leaves the source where it is. */
struct head {
    const char *text;
    size_t len, at;
    bool whole; /* the file ends with it */
};

static ssize_t read_head(void *context, void *bytes, size_t n)
{
    struct head *h = context;
    size_t take = h->len - h->at < n ? h->len - h->at : n;
    memcpy(bytes, h->text + h->at, take);
    h->at += take;
    return (ssize_t)take;
}

/** Names of --columns, cut at commas. */
static unsigned cut_columns(const char *text, struct csv_field *names)
{
    unsigned n = 0;
    for (const char *at = text; n < CSV_COLUMNS_MAX; at++) {
        size_t len = strcspn(at, ",");
        names[n++] = (struct csv_field){at, len, false};
        at += len;
        if (*at == '\0')
            break;
    }
    return n;
}

/** Keep the cells of rows that have as many as the header. */
static void sample_rows(struct csv_job *j, struct csv_reader *reader, const struct head *head)
{
    struct csv_row row;
    unsigned columns = j->map.count;
    while (j->sample_rows < SAMPLE_ROWS && j->cells.len < CSV_ROW_MAX) {
        enum csv_result result = csv_next(reader, &row);
        bool cut = result == CSV_ROW && !head->whole && row.end >= head->len;
        if (result == CSV_END || result == CSV_ERROR || cut)
            return;
        if (result == CSV_BAD || row.count != columns)
            continue;
        for (unsigned i = 0; i < columns; i++) {
            /* An offset until all texts are there and stay where they are. */
            struct csv_field *cell = &j->sample[(size_t)j->sample_rows * columns + i];
            *cell = row.fields[i];
            cell->text = (const char *)(uintptr_t)j->cells.len;
            import_buf_add(&j->cells, row.fields[i].text, row.fields[i].len);
        }
        j->sample_rows++;
    }
}

static bool no_header(struct csv_job *j, const struct csv_row *row)
{
    for (unsigned i = 0; i < row->count; i++) {
        if (row->fields[i].len > 0 && !map_is_null(&row->fields[i]) &&
            map_is_number(row->fields[i].text, row->fields[i].len, j->job->options->row.decimal))
            return true;
    }
    return false;
}

static bool read_header(struct csv_job *j, struct csv_reader *reader)
{
    const struct import_options *o = j->job->options;
    struct csv_row row;
    struct csv_field names[CSV_COLUMNS_MAX];
    const struct csv_field *header = names;
    unsigned count;
    if (o->columns != NULL) {
        count = cut_columns(o->columns, names);
    } else {
        enum csv_result result = csv_next(reader, &row);
        if (source_error(j->job->source)[0] != '\0' && result != CSV_ROW)
            return job_fail_source(j->job);
        if (result == CSV_END)
            return job_fail(j->job, EXIT_FILE, "is empty");
        if (result != CSV_ROW)
            return job_fail(j->job, EXIT_FILE, "line %" PRIu64 ": %s", row.line,
                            result == CSV_BAD ? row.reason : "cannot be read");
        if (no_header(j, &row))
            return job_fail(j->job, EXIT_FILE,
                            "the first row (%.60s) is no header: name the columns with --columns",
                            row.raw);
        header = row.fields;
        count = row.count;
        if (!rejects_set_header(j->job->rejects, row.raw, row.raw_len))
            return job_fail(j->job, EXIT_FILE, "out of memory");
    }
    return map_init(&j->map, header, count) || job_fail(j->job, EXIT_FILE, "out of memory");
}

/** Read the head twice: here for the columns' names and what they hold, later for the rows. */
static bool learn(struct csv_job *j)
{
    const struct import_options *o = j->job->options;
    struct head head = {0};
    j->comment = o->comment;
    head.text = csv_peek(j->reader, &head.len);
    if (head.text == NULL)
        return job_fail_source(j->job);
    head.whole = head.len < CSV_ROW_MAX;
    if (j->comment == '\0' && head.len > 0 && *head.text == '#')
        j->comment = '#';
    j->delimiter = o->delimiter != '\0' ? o->delimiter
                                        : guess_delimiter(head.text, head.len, j->comment);
    csv_set_format(j->reader, j->delimiter, j->comment);
    struct csv_options options = {j->delimiter, j->comment, 1, 1}; /* no byte order mark is left */
    struct csv_reader *reader = csv_create(&options, read_head, &head);
    if (reader == NULL)
        return job_fail(j->job, EXIT_FILE, "out of memory");
    bool ok = read_header(j, reader);
    if (ok) {
        j->sample = calloc((size_t)SAMPLE_ROWS * j->map.count, sizeof(*j->sample));
        ok = j->sample != NULL || job_fail(j->job, EXIT_FILE, "out of memory");
    }
    if (ok)
        sample_rows(j, reader, &head);
    csv_destroy(&reader);
    for (size_t i = 0; ok && i < (size_t)j->sample_rows * j->map.count; i++)
        j->sample[i].text = import_buf_text(&j->cells) + (uintptr_t)j->sample[i].text;
    return ok;
}

/** What keeps the first rows from having as many columns as the header, if that is so. */
static bool check_sample(struct csv_job *j)
{
    struct csv_row row;
    if (j->sample_rows > 0)
        return true;
    enum csv_result result = CSV_ROW;
    if (j->job->options->columns == NULL)
        result = csv_next(j->reader, &row); /* the header */
    if (result == CSV_ROW)
        result = csv_next(j->reader, &row);
    if (result == CSV_ERROR)
        return job_fail_source(j->job);
    if (result == CSV_END)
        return job_fail(j->job, EXIT_FILE, "has a header and no rows");
    return job_fail(j->job, EXIT_FILE,
                    "the rows have other columns than the header: line %" PRIu64
                    " has %u, the header %u (delimiter '%s%c')",
                    row.line, row.count, j->map.count, j->delimiter == '\t' ? "tab" : "",
                    j->delimiter == '\t' ? ' ' : j->delimiter);
}

static bool make_map(struct csv_job *j)
{
    const struct import_options *o = j->job->options;
    char error[MAP_ERROR_MAX];
    struct map_samples samples = {j->sample, j->sample_rows, o->row.decimal};
    bool ok = check_sample(j);
    error[0] = '\0';
    for (unsigned i = 0; ok && error[0] == '\0' && i < o->map_count; i++)
        ok = map_apply(&j->map, o->maps[i], error);
    ok = ok && map_complete(&j->map, &samples, error);
    if (ok)
        j->maker = row_maker_create(&j->map, &j->job->zone, &o->row, error);
    if (j->maker != NULL)
        return true;
    return error[0] == '\0' ? false : job_fail(j->job, EXIT_USAGE, "%s", error);
}

/* ---- rows ---- */

/** Skip what an earlier run has stored; by making the rows again where their order matters. */
static bool skip_rows(struct csv_job *j)
{
    struct job *job = j->job;
    struct import_buf unused = {0};
    struct csv_row row;
    bool ok = true;
    while (ok && job->position.rows < job->start.rows && import_stopped == 0) {
        enum csv_result result = csv_next(j->reader, &row);
        ok = result == CSV_ROW || result == CSV_BAD;
        if (result == CSV_ROW && !job->zone.fixed) {
            unused.len = 0;
            row_make(j->maker, &row, &unused);
        }
        job->position.rows += ok;
    }
    import_buf_fini(&unused);
    job->position = job->start;
    return ok || job_fail_source(job);
}

/** Begin behind the header, or where an earlier run ended. */
static bool start_rows(struct csv_job *j)
{
    struct job *job = j->job;
    struct csv_row row;
    bool has_header = job->options->columns == NULL;
    if (job->start.rows > 0 && job->zone.fixed && source_seek(job->source, job->start.offset)) {
        struct csv_options options = {j->delimiter, j->comment, job->start.line, job->start.offset};
        csv_destroy(&j->reader);
        j->reader = csv_create(&options, job_read, job);
        if (j->reader == NULL)
            return job_fail(job, EXIT_FILE, "out of memory");
        job->position = job->start;
        return true;
    }
    if (has_header && csv_next(j->reader, &row) != CSV_ROW)
        return job_fail_source(job);
    return job->start.rows == 0 || skip_rows(j);
}

/** One row into the batch. */
static bool take_row(struct csv_job *j, enum csv_result result, const struct csv_row *row)
{
    struct job *job = j->job;
    struct batch *b = job_batch(job);
    if (b == NULL)
        return false;
    size_t lines_at = b->lines.len;
    uint64_t before = row_counts_get(j->maker)->lines;
    const char *reason = result == CSV_BAD ? row->reason : row_make(j->maker, row, &b->lines);
    job->position.rows++;
    job->position.offset = row->end;
    job->position.line = row->end_line;
    if (reason == NULL)
        return job_add_row(job, lines_at, (unsigned)(row_counts_get(j->maker)->lines - before),
                           row->line, row->raw, row->raw_len);
    if (!job_reject(job, row->line, row->raw, row->raw_len, reason))
        return false;
    uint64_t rows = job->position.rows - job->start.rows;
    if (rows == HOPELESS_ROWS && row_counts_get(j->maker)->lines == 0 &&
        row_counts_get(j->maker)->empty == 0)
        return job_fail(job, EXIT_FILE,
                        "none of the first %d rows could be understood: see %s, and mend --map",
                        HOPELESS_ROWS, rejects_path(job->rejects));
    return true;
}

static bool import_rows(struct csv_job *j)
{
    struct csv_row row;
    for (uint64_t n = 0; import_stopped == 0; n++) {
        enum csv_result result = csv_next(j->reader, &row);
        if (result == CSV_END)
            return true;
        if (result == CSV_ERROR)
            return job_fail_source(j->job);
        if (!take_row(j, result, &row))
            return false;
        if (n % 4096 == 0)
            job_show_progress(j->job);
    }
    return job_fail(j->job, EXIT_INTERRUPTED, "interrupted");
}

static bool show_rows(struct csv_job *j)
{
    struct import_buf lines = {0};
    struct csv_row row;
    map_print(&j->map, stderr);
    if (j->job->options->columns == NULL && csv_next(j->reader, &row) != CSV_ROW)
        return job_fail_source(j->job);
    for (unsigned n = 0; n < j->job->options->dry_lines;) {
        enum csv_result result = csv_next(j->reader, &row);
        if (result == CSV_END || result == CSV_ERROR)
            break;
        lines.len = 0;
        const char *reason = result == CSV_BAD ? row.reason : row_make(j->maker, &row, &lines);
        if (reason != NULL)
            fprintf(stderr, "%s:%" PRIu64 ": %s\n", j->job->name, row.line, reason);
        for (const char *at = lines.data, *end = at + lines.len;
             at < end && n < j->job->options->dry_lines; n++) {
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            fwrite(at, 1, (size_t)(newline + 1 - at), stdout);
            at = newline + 1;
        }
        n += reason != NULL;
    }
    import_buf_fini(&lines);
    return true;
}

bool job_run_csv(struct job *job, struct csv_reader *reader)
{
    struct csv_job j = {.job = job, .reader = reader};
    bool ok = learn(&j) && make_map(&j);
    if (ok && job->options->dry_run) {
        ok = show_rows(&j);
    } else if (ok) {
        ok = start_rows(&j) && import_rows(&j);
        ok = job_finish(job) && ok;
    }
    if (j.maker != NULL) {
        const struct row_counts *counts = row_counts_get(j.maker);
        job->missing = counts->missing;
        job->empty = counts->empty;
        job->ambiguous = counts->ambiguous;
    }
    row_maker_destroy(&j.maker);
    map_fini(&j.map);
    import_buf_fini(&j.cells);
    free(j.sample);
    csv_destroy(&j.reader);
    return ok;
}
