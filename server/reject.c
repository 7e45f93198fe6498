#include "server/reject.h"

#include <inttypes.h>
#include <string.h>

#define REASONS_MAX_BYTES ((size_t)64 << 10)
#define LINE_SHOWN_BYTES  512

void rejects_init(struct rejects *rejects)
{
    *rejects = (struct rejects){.only_unparsed = true};
    buf_init(&rejects->text, REASONS_MAX_BYTES, NULL);
}

void rejects_fini(struct rejects *rejects)
{
    buf_fini(&rejects->text);
}

/** Whether the text has this reason already: many lines may be refused for one. */
static bool is_told(const struct buf *text, const char *reason)
{
    size_t length = strlen(reason);
    size_t at = 0;
    const char *found;
    while (at < text->len &&
           (found = memmem(text->data + at, text->len - at, reason, length)) != NULL) {
        size_t from = (size_t)(found - text->data);
        bool begins = from == 0 || found[-1] == '\n';
        if (begins && (from + length == text->len || found[length] == '\n'))
            return true;
        at = from + 1;
    }
    return false;
}

/** A line may hold anything, NUL too. */
static int put_unparsed(struct buf *text, const char *line, size_t length)
{
    static const char before[] = "unable to parse '", behind[] = "': ";
    int rc = buf_put(text, before, strlen(before));
    rc = rc == BB_OK ? buf_put(text, line, length) : rc;
    return rc == BB_OK ? buf_put(text, behind, strlen(behind)) : rc;
}

void rejects_add(void *arg, uint64_t line_number, const char *line, size_t line_length, int code,
                 const char *reason)
{
    struct rejects *rejects = arg;
    (void)line_number;
    rejects->count++;
    if (code > BB_OK && code < BB_CODE_COUNT)
        rejects->by_code[code]++;
    if (code != BB_EPARSE)
        rejects->only_unparsed = false;
    if (rejects->keep != NULL)
        rejects->keep(rejects->keep_arg, line, line_length, reason);
    if (rejects->reasons == REJECTS_TOLD_MAX)
        return;
    if (code != BB_EPARSE && is_told(&rejects->text, reason)) {
        rejects->told++;
        return;
    }
    size_t before = rejects->text.len;
    size_t shown = line_length > LINE_SHOWN_BYTES ? LINE_SHOWN_BYTES : line_length;
    int rc = before > 0 ? buf_put(&rejects->text, "\n", 1) : BB_OK;
    if (rc == BB_OK && code == BB_EPARSE)
        rc = put_unparsed(&rejects->text, line, shown);
    if (rc == BB_OK)
        rc = buf_printf(&rejects->text, "%s", reason);
    if (rc == BB_OK) {
        rejects->told++;
        rejects->reasons++;
    } else {
        rejects->text.len = before;
    }
}

void rejects_count(struct rejects *rejects, struct counters *counters)
{
    for (int code = BB_OK + 1; code < BB_CODE_COUNT && rejects->count > 0; code++) {
        if (rejects->by_code[code] > 0)
            count_add(&counters->rejected[code], rejects->by_code[code]);
        rejects->by_code[code] = 0;
    }
}

int rejects_message(const struct rejects *rejects, const struct bb_write_result *result,
                    struct buf *out)
{
    bool partial = result->points_written > 0 || !rejects->only_unparsed;
    int rc = BB_OK;
    if (partial)
        rc = buf_put(out, "partial write: ", strlen("partial write: "));
    if (rc == BB_OK)
        rc = buf_put(out, rejects->text.data, rejects->text.len);
    if (rc == BB_OK && rejects->count > rejects->told)
        rc = buf_printf(out, "\n... and %" PRIu64 " more lines", rejects->count - rejects->told);
    if (rc == BB_OK && partial)
        rc = buf_printf(out, " dropped=%" PRIu64, result->points_rejected);
    return rc;
}
