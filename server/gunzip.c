#include "server/gunzip.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define STEP_BYTES     ((size_t)64 << 10)
#define GZIP_ONLY_BITS (15 + 16)
#define HEADER_BYTES   10 /* without a name and the like */

/* What zlib says that inflating takes, the window apart: zlib.net/zlib_tech.html. */
#define INFLATE_BYTES (((size_t)32 << 10) + ((size_t)12 << 10))

static int fail(struct bb_error *err, int code, const char *text)
{
    snprintf(err->text, sizeof(err->text), "gzip body: %s", text);
    return err->code = code;
}

/** In the words of InfluxDB, which are those of Go. */
static int fail_inflate(struct bb_error *err, int status, const z_stream *stream)
{
    const char *why = stream->msg == NULL ? "" : stream->msg;
    if (status == Z_MEM_ERROR)
        return fail(err, BB_ENOMEM, "out of memory");
    if (strstr(why, "header") != NULL || strstr(why, "compression method") != NULL)
        snprintf(err->text, sizeof(err->text), "%s",
                 stream->total_in + stream->avail_in < HEADER_BYTES ? "unexpected EOF"
                                                                    : "gzip: invalid header");
    else if (strncmp(why, "incorrect", strlen("incorrect")) == 0)
        snprintf(err->text, sizeof(err->text), "gzip: invalid checksum");
    else
        snprintf(err->text, sizeof(err->text), "flate: corrupt input before offset %lu",
                 stream->total_in < HEADER_BYTES ? 0 : stream->total_in - HEADER_BYTES);
    return err->code = BB_EPARSE;
}

int gunzip_open(struct gunzip *g, struct budget *budget, struct bb_error *err)
{
    *g = (struct gunzip){.budget = budget};
    if (!budget_take(budget, INFLATE_BYTES))
        return fail(err, BB_EBUSY, "no memory for more requests");
    g->stream = calloc(1, sizeof(*g->stream));
    int status = g->stream == NULL ? Z_MEM_ERROR : inflateInit2(g->stream, GZIP_ONLY_BITS);
    if (status == Z_OK)
        return BB_OK;
    free(g->stream);
    g->stream = NULL;
    budget_give(budget, INFLATE_BYTES);
    return fail(err, BB_ENOMEM, "out of memory");
}

void gunzip_close(struct gunzip *g)
{
    if (g->stream == NULL)
        return;
    inflateEnd(g->stream);
    free(g->stream);
    g->stream = NULL;
    budget_give(g->budget, INFLATE_BYTES);
}

/** One call of zlib. *more: there may be more to be had from the bytes that it was given. */
static int step(struct gunzip *g, struct buf *out, bool *more, struct bb_error *err)
{
    z_stream *stream = g->stream;
    *more = false;
    if (g->ended) {
        if (stream->avail_in == 0)
            return BB_OK;
        if (inflateReset(stream) != Z_OK) /* another member follows */
            return fail_inflate(err, Z_DATA_ERROR, stream);
        g->ended = false;
    }
    size_t room = out->max - out->len;
    int rc = buf_reserve(out, room < STEP_BYTES ? room : STEP_BYTES);
    if (rc != BB_OK)
        return fail(err, rc, "no memory for more requests");
    room = out->cap - out->len;
    stream->next_out = (Bytef *)out->data + out->len;
    stream->avail_out = (uInt)(room < UINT_MAX ? room : UINT_MAX);
    uInt before = stream->avail_out;
    int status = inflate(stream, Z_NO_FLUSH);
    out->len += before - stream->avail_out;
    *more = stream->avail_in > 0 || stream->avail_out == 0;
    g->ended = status == Z_STREAM_END;
    /* Nothing to do is no error: the rest is still to come. */
    if (status == Z_OK || status == Z_STREAM_END || (status == Z_BUF_ERROR && !*more))
        return BB_OK;
    return fail_inflate(err, status, stream);
}

int gunzip_some(struct gunzip *g, const char *data, size_t n, size_t *used, struct buf *out,
                size_t stop, struct bb_error *err)
{
    z_stream *stream = g->stream;
    size_t now = n < UINT_MAX ? n : UINT_MAX;
    bool more = true;
    int rc = BB_OK;
    *used = 0;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)now;
    while (rc == BB_OK && more && out->len < stop)
        rc = step(g, out, &more, err);
    *used = now - stream->avail_in;
    return rc;
}

int gunzip_end(const struct gunzip *g, struct bb_error *err)
{
    if (g->ended)
        return BB_OK;
    snprintf(err->text, sizeof(err->text), "%s",
             g->stream->total_in == 0 ? "EOF" : "unexpected EOF");
    return err->code = BB_EPARSE;
}
