#include "server/write_text.h"

#include <stdio.h>
#include <string.h>

#include "server/server.h"

#define NAME_MAX_BYTES   ((size_t)64 << 10)
#define PACKED_MAX_BYTES ((size_t)512 << 10)
#define STEP_BYTES       ((size_t)64 << 10)

void write_text_init(struct write_text *text, struct server *server, bool compressed)
{
    *text = (struct write_text){.server = server, .compressed = compressed};
    buf_init(&text->database, NAME_MAX_BYTES, NULL);
    buf_init(&text->policy, NAME_MAX_BYTES, NULL);
    buf_init(&text->plain, write_text_max_bytes(&server->settings), &server->request_budget);
    rejects_init(&text->rejects);
}

void write_text_fini(struct write_text *text)
{
    gunzip_close(&text->gunzip);
    buf_fini(&text->database);
    buf_fini(&text->policy);
    buf_fini(&text->plain);
    rejects_fini(&text->rejects);
}

size_t write_text_piece_bytes(const struct settings *settings, size_t rest)
{
    /* A long unfinished line is looked at again with each piece: twice as much each time. */
    return rest + (rest > settings->write_piece ? rest : settings->write_piece);
}

size_t write_text_packed_bytes(const struct settings *settings)
{
    return settings->write_piece < PACKED_MAX_BYTES ? settings->write_piece : PACKED_MAX_BYTES;
}

size_t write_text_max_bytes(const struct settings *settings)
{
    return write_text_piece_bytes(settings, BB_LINE_MAX + 1) + STEP_BYTES;
}

/** Of a text that will be refused: BB_OK as long as none of its lines parses. */
static int look_for_lines(struct write_text *text, const struct bb_write *write, bool last,
                          struct bb_write_result *result, struct bb_error *err)
{
    int rc = bb_write_scan(text->server->db, write, &text->at, last, result, err);
    if (rc != BB_OK)
        return rc;
    bool none_refused = text->total.points_rejected + result->points_rejected == 0;
    if (result->points_written == 0 && !(last && none_refused))
        return BB_OK;
    *err = text->wrong;
    return err->code;
}

/** Write the lines that `lines` finishes and drop them from it. */
static int store(struct write_text *text, struct buf *lines, bool last, struct bb_error *err)
{
    struct bb_write_result result;
    struct bb_write write = {.database = text->database.data,
                             .retention_policy = text->policy.data,
                             .precision_ns = text->precision_ns,
                             .lines = lines->data,
                             .lines_length = lines->len,
                             .reject = rejects_add,
                             .reject_arg = &text->rejects};
    int rc = BB_OK;
    if (text->wrong.code == BB_OK)
        rc = bb_write_piece(text->server->db, &write, &text->at, last, &result, err);
    if (rc == BB_ENOPOLICY)
        text->wrong = *err;
    if (text->wrong.code != BB_OK)
        rc = look_for_lines(text, &write, last, &result, err);
    if (rc != BB_OK)
        return rc;
    buf_consume(lines, text->at.bytes_taken);
    text->bytes_taken += text->at.bytes_taken;
    text->rest = lines->len;
    text->total.points_written += result.points_written;
    text->total.points_rejected += result.points_rejected;
    rejects_count(&text->rejects, &text->server->counters);
    return BB_OK;
}

/** Before anything is said of what is compressed. */
static int check_database(struct write_text *text, struct bb_error *err)
{
    struct bb_write_text at = {0};
    struct bb_write_result result;
    struct bb_write nothing = {.database = text->database.data, .precision_ns = 1, .lines = ""};
    return bb_write_scan(text->server->db, &nothing, &at, true, &result, err);
}

/** Decompress all of body and store whole pieces of it. */
static int inflate_body(struct write_text *text, const struct buf *body, struct bb_error *err)
{
    const struct settings *settings = &text->server->settings;
    struct buf *plain = &text->plain;
    size_t at = 0;
    if (text->gunzip.stream == NULL) {
        int rc = check_database(text, err);
        rc = rc == BB_OK ? gunzip_open(&text->gunzip, &text->server->request_budget, err) : rc;
        if (rc != BB_OK)
            return rc;
    }
    for (;;) {
        size_t used;
        size_t stop = write_text_piece_bytes(settings, text->rest) + 1;
        const char *next = body->len == 0 ? "" : body->data + at;
        int rc = gunzip_some(&text->gunzip, next, body->len - at, &used, plain, stop, err);
        at += used;
        if (rc == BB_OK && plain->len > settings->max_body - text->bytes_taken) {
            snprintf(err->text, sizeof(err->text), "Request Entity Too Large");
            rc = err->code = BB_ELIMIT;
        }
        if (rc != BB_OK || plain->len < stop)
            return rc;
        rc = store(text, plain, false, err);
        if (rc != BB_OK)
            return rc;
    }
}

int write_text_put(struct write_text *text, struct buf *body, bool last, struct bb_error *err)
{
    if (!text->compressed)
        return store(text, body, last, err);
    int rc = inflate_body(text, body, err);
    body->len = 0;
    if (rc == BB_OK && last)
        rc = gunzip_end(&text->gunzip, err);
    return rc == BB_OK && last ? store(text, &text->plain, true, err) : rc;
}
