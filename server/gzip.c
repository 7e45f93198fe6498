#include "server/gzip.h"

#include <string.h>

#define STEP_BYTES     ((size_t)16 << 10)
#define GZIP_ONLY_BITS (15 + 16)
#define LEVEL          1 /* a reply is read once */
#define MEMORY_LEVEL   8

bool gzip_accepted(const char *accept_encoding)
{
    const char *found = strcasestr(accept_encoding, "gzip");
    if (found == NULL)
        return false;
    const char *rest = found + strlen("gzip");
    rest += strspn(rest, " ");
    return strncmp(rest, ";q=0", 4) != 0 || strncmp(rest, ";q=0.", 5) == 0;
}

int gzip_open(struct gzip *gzip)
{
    memset(gzip, 0, sizeof(*gzip));
    gzip->open = deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, GZIP_ONLY_BITS, MEMORY_LEVEL,
                              Z_DEFAULT_STRATEGY) == Z_OK;
    return gzip->open ? BB_OK : BB_ENOMEM;
}

void gzip_close(struct gzip *gzip)
{
    if (gzip->open)
        deflateEnd(&gzip->stream);
    gzip->open = false;
}

int gzip_put(struct gzip *gzip, const char *data, size_t n, bool ends, struct buf *out)
{
    z_stream *stream = &gzip->stream;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)n;
    do {
        int rc = buf_reserve(out, STEP_BYTES);
        if (rc != BB_OK)
            return rc;
        stream->next_out = (Bytef *)out->data + out->len;
        stream->avail_out = (uInt)STEP_BYTES;
        (void)deflate(stream, ends ? Z_FINISH : Z_SYNC_FLUSH);
        out->len += STEP_BYTES - stream->avail_out;
    } while (stream->avail_out == 0);
    return BB_OK;
}
