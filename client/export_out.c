#include "client/export_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER_BYTES (256u << 10)

struct export_out {
    FILE *file;
    char *path, *aside; /* NULL: standard output; aside: what is written */
    bool gzip, failed;
    bool in_place; /* a pipe or a device, which no file may replace */
    int error;
    uint64_t bytes;
    z_stream z;
    unsigned char packed[64 << 10];
};

static void free_out(struct export_out *o)
{
    if (o->gzip)
        deflateEnd(&o->z);
    free(o->path);
    free(o->aside);
    free(o);
}

static bool open_file(struct export_out *o, const char *path)
{
    size_t n = strlen(path);
    if (strcmp(path, "-") == 0) {
        o->file = stdout;
        return true;
    }
    o->path = strdup(path);
    if (o->path == NULL)
        return false;
    struct stat st;
    o->in_place = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    o->aside = malloc(n + sizeof(".part"));
    if (o->aside == NULL)
        return false;
    memcpy(o->aside, path, n + 1);
    if (!o->in_place)
        memcpy(o->aside + n, ".part", sizeof(".part"));
    o->gzip = n > 3 && strcmp(path + n - 3, ".gz") == 0;
    if (o->gzip && deflateInit2(&o->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        o->gzip = false;
        return false;
    }
    o->file = fopen(o->aside, "we");
    return o->file != NULL;
}

struct export_out *export_out_open(const char *path, char *error, size_t error_bytes)
{
    struct export_out *o = calloc(1, sizeof(*o));
    errno = ENOMEM;
    if (o == NULL || !open_file(o, path)) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        if (o != NULL)
            free_out(o);
        return NULL;
    }
    setvbuf(o->file, NULL, _IOFBF, BUFFER_BYTES);
    return o;
}

static bool write_file(struct export_out *o, const void *bytes, size_t n)
{
    if (n > 0 && fwrite(bytes, 1, n, o->file) != n) {
        o->error = errno;
        o->failed = true;
    }
    return !o->failed;
}

/** Compress, and finish the stream if there is nothing left to come. */
static bool pack(struct export_out *o, const void *bytes, size_t n, int flush)
{
    o->z.next_in = (z_const Bytef *)(uintptr_t)bytes;
    o->z.avail_in = (uInt)n;
    do {
        o->z.next_out = o->packed;
        o->z.avail_out = sizeof(o->packed);
        deflate(&o->z, flush);
        if (!write_file(o, o->packed, sizeof(o->packed) - o->z.avail_out))
            return false;
    } while (o->z.avail_out == 0);
    return true;
}

bool export_out_put(struct export_out *o, const void *bytes, size_t n)
{
    if (o->failed)
        return false;
    o->bytes += n;
    return o->gzip ? pack(o, bytes, n, Z_NO_FLUSH) : write_file(o, bytes, n);
}

uint64_t export_out_bytes(const struct export_out *o)
{
    return o->bytes;
}

/** Give the file its name, or remove it. */
static bool settle(struct export_out *o, bool whole)
{
    bool keep = whole && !o->failed;
    if (keep && !o->in_place && fsync(fileno(o->file)) != 0) {
        o->error = errno;
        keep = false;
    }
    bool closed = fclose(o->file) == 0;
    if (o->in_place)
        return !whole || keep;
    if (keep && closed && rename(o->aside, o->path) == 0)
        return true;
    if (keep)
        o->error = errno;
    unlink(o->aside);
    return !whole && !o->failed;
}

bool export_out_close(struct export_out **out, bool whole, char *error, size_t error_bytes)
{
    struct export_out *o = *out;
    *out = NULL;
    if (!o->failed && o->gzip)
        pack(o, NULL, 0, Z_FINISH);
    if (!o->failed && fflush(o->file) != 0) {
        o->error = errno;
        o->failed = true;
    }
    bool ok = o->path != NULL ? settle(o, whole) : !o->failed;
    if (!ok)
        snprintf(error, error_bytes, "%s: %s", o->path == NULL ? "standard output" : o->path,
                 strerror(o->error));
    free_out(o);
    return ok;
}
