#include "server/gunzip.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define STEP_BYTES     ((size_t)64 << 10)
#define GZIP_ONLY_BITS (15 + 16)

static int fail(struct bb_error *err, int code, const char *text)
{
    snprintf(err->text, sizeof(err->text), "gzip body: %s", text);
    return err->code = code;
}

static int fail_inflate(struct bb_error *err, int status, const z_stream *stream)
{
    if (status == Z_MEM_ERROR)
        return fail(err, BB_ENOMEM, "out of memory");
    if (status == Z_BUF_ERROR)
        return fail(err, BB_EPARSE, "it ends in the middle");
    return fail(err, BB_EPARSE, stream->msg == NULL ? "damaged" : stream->msg);
}

static int inflate_all(z_stream *stream, struct buf *out, struct bb_error *err)
{
    for (;;) {
        size_t room = out->max - out->len;
        int rc = buf_reserve(out, room < STEP_BYTES ? room : STEP_BYTES);
        if (rc != BB_OK)
            return fail(err, rc, "no memory for more requests");
        stream->next_out = (Bytef *)out->data + out->len;
        stream->avail_out = (uInt)(out->cap - out->len < UINT_MAX ? out->cap - out->len : UINT_MAX);
        uInt before = stream->avail_out;
        int status = inflate(stream, Z_NO_FLUSH);
        out->len += before - stream->avail_out;
        if (status == Z_STREAM_END) {
            if (stream->avail_in == 0)
                return BB_OK;
            status = inflateReset(stream); /* another member follows */
        } else if (status == Z_BUF_ERROR && stream->avail_out == 0) {
            return fail(err, BB_ELIMIT, "too large");
        }
        if (status != Z_OK)
            return fail_inflate(err, status, stream);
    }
}

int gunzip(const char *data, size_t n, struct buf *out, struct bb_error *err)
{
    z_stream stream = {0};
    if (n > UINT_MAX)
        return fail(err, BB_ELIMIT, "too large");
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)n;
    int status = inflateInit2(&stream, GZIP_ONLY_BITS);
    if (status != Z_OK)
        return fail_inflate(err, status, &stream);
    int rc = inflate_all(&stream, out, err);
    inflateEnd(&stream);
    return rc;
}
