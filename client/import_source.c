#include "client/import_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define RAW_BYTES  (256u << 10)
#define HEAD_BYTES (64u << 10)
#define GZIP_BITS  (15 + 16)

struct source {
    int fd;
    bool is_file, is_gzip, raw_end;
    bool member_open; /* within a gzip member: the end of the file would cut it off */
    uint64_t raw_position;
    struct source_identity identity;
    size_t at, filled; /* of raw */
    z_stream z;
    char error[SOURCE_ERROR_MAX];
    unsigned char raw[RAW_BYTES];
};

/** Files that people take for text; the first bytes of each. */
static const struct {
    const char *bytes;
    size_t len;
    const char *what;
} archives[] = {
    {"PK\3\4", 4, "a zip archive or a spreadsheet: unpack it, or save it as CSV"},
    {"\x28\xb5\x2f\xfd", 4, "compressed by zstd: unpack it first (zstd -dc FILE | ... -)"},
    {"\xfd"
     "7zXZ",
     5, "compressed by xz: unpack it first (xz -dc FILE | ... -)"},
    {"BZh", 3, "compressed by bzip2: unpack it first (bzip2 -dc FILE | ... -)"},
    {"PAR1", 4, "a Parquet file, which cannot be read"},
    {"\xd0\xcf\x11\xe0", 4, "an old spreadsheet: save it as CSV"},
    {"%PDF", 4, "a PDF file"},
    {"SQLite format 3", 15, "an SQLite database"},
    {"\x7f"
     "ELF",
     4, "a program"},
};

/** Read until there are `wanted` raw bytes or the end. False on an error. */
static bool fill(struct source *s, size_t wanted)
{
    if (s->at > 0) {
        memmove(s->raw, s->raw + s->at, s->filled - s->at);
        s->filled -= s->at;
        s->at = 0;
    }
    while (s->filled < wanted && !s->raw_end) {
        ssize_t n = read(s->fd, s->raw + s->filled, RAW_BYTES - s->filled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            snprintf(s->error, sizeof(s->error), "%s", strerror(errno));
            return false;
        }
        s->raw_end = n == 0;
        s->filled += (size_t)n;
    }
    return true;
}

static bool looks_like_gzip(const struct source *s)
{
    return s->filled - s->at >= 2 && s->raw[s->at] == 0x1f && s->raw[s->at + 1] == 0x8b;
}

static bool start(struct source *s, const char *path)
{
    struct stat st;
    if (fstat(s->fd, &st) != 0) {
        snprintf(s->error, sizeof(s->error), "%s", strerror(errno));
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        snprintf(s->error, sizeof(s->error), "is a directory");
        return false;
    }
    s->is_file = S_ISREG(st.st_mode) && strcmp(path, "-") != 0;
    if (!fill(s, HEAD_BYTES))
        return false;
    for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++) {
        if (s->filled >= archives[i].len &&
            memcmp(s->raw, archives[i].bytes, archives[i].len) == 0) {
            snprintf(s->error, sizeof(s->error), "is %s", archives[i].what);
            return false;
        }
    }
    if (s->is_file) {
        s->identity.size_bytes = (uint64_t)st.st_size;
        s->identity.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        uInt n = s->filled < HEAD_BYTES ? (uInt)s->filled : HEAD_BYTES;
        s->identity.head_crc = (uint32_t)crc32(0, s->raw, n);
    }
    s->is_gzip = looks_like_gzip(s);
    if (s->is_gzip && inflateInit2(&s->z, GZIP_BITS) != Z_OK) {
        snprintf(s->error, sizeof(s->error), "out of memory");
        s->is_gzip = false;
        return false;
    }
    return true;
}

struct source *source_open(const char *path, char *error)
{
    struct source *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        snprintf(error, SOURCE_ERROR_MAX, "out of memory");
        return NULL;
    }
    s->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        snprintf(s->error, sizeof(s->error), "%s", strerror(errno));
    if (s->fd < 0 || !start(s, path)) {
        memcpy(error, s->error, SOURCE_ERROR_MAX);
        source_close(&s);
    }
    return s;
}

void source_close(struct source **source)
{
    struct source *s = *source;
    if (s == NULL)
        return;
    if (s->is_gzip)
        inflateEnd(&s->z);
    if (s->fd > STDIN_FILENO)
        close(s->fd);
    free(s);
    *source = NULL;
}

static ssize_t read_plain(struct source *s, void *bytes, size_t n)
{
    if (s->at == s->filled && !fill(s, 1))
        return -1;
    size_t have = s->filled - s->at;
    size_t take = have < n ? have : n;
    memcpy(bytes, s->raw + s->at, take);
    s->at += take;
    s->raw_position += take;
    return (ssize_t)take;
}

/** Another member may follow the one that ended; what else follows is passed over if it is zero
 * bytes, as tapes and some archivers leave them. */
static bool next_member(struct source *s, bool *end)
{
    if (!fill(s, 2))
        return false;
    *end = s->filled == 0;
    if (*end)
        return true;
    if (looks_like_gzip(s))
        return inflateReset(&s->z) == Z_OK;
    for (size_t i = 0; i < s->filled; i++) {
        if (s->raw[i] != 0) {
            snprintf(s->error, sizeof(s->error),
                     "gzip: something else follows the compressed data");
            return false;
        }
    }
    s->filled = 0;
    return next_member(s, end);
}

/** One step of inflating; false at the end (rc 0) and on an error (rc -1). */
static bool inflate_step(struct source *s, int *rc)
{
    *rc = 0;
    if (s->at == s->filled && !fill(s, 1)) {
        *rc = -1;
        return false;
    }
    if (!s->member_open) {
        bool end;
        if (!next_member(s, &end))
            *rc = -1;
        if (*rc != 0 || end)
            return false;
        s->member_open = true;
    } else if (s->at == s->filled) {
        snprintf(s->error, sizeof(s->error), "gzip: the file is cut off");
        *rc = -1;
        return false;
    }
    s->z.next_in = s->raw + s->at;
    s->z.avail_in = (uInt)(s->filled - s->at);
    int zrc = inflate(&s->z, Z_NO_FLUSH);
    s->raw_position += s->filled - s->at - s->z.avail_in;
    s->at = s->filled - s->z.avail_in;
    if (zrc == Z_STREAM_END) {
        s->member_open = false;
    } else if (zrc != Z_OK && zrc != Z_BUF_ERROR) {
        snprintf(s->error, sizeof(s->error), "gzip: the compressed data is damaged");
        *rc = -1;
        return false;
    }
    return true;
}

ssize_t source_read(struct source *s, void *bytes, size_t n)
{
    if (s->error[0] != '\0')
        return -1;
    if (!s->is_gzip)
        return read_plain(s, bytes, n);
    s->z.next_out = bytes;
    s->z.avail_out = n > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)n;
    uInt before = s->z.avail_out;
    int rc = 0;
    while (s->z.avail_out == before && inflate_step(s, &rc)) {
    }
    return rc != 0 ? -1 : (ssize_t)(before - s->z.avail_out);
}

const char *source_error(const struct source *s)
{
    return s->error;
}

bool source_seek(struct source *s, uint64_t offset)
{
    if (s->is_gzip || !s->is_file || offset > INT64_MAX ||
        lseek(s->fd, (off_t)offset, SEEK_SET) < 0)
        return false;
    s->at = s->filled = 0;
    s->raw_end = false;
    s->raw_position = offset;
    return true;
}

bool source_is_gzip(const struct source *s)
{
    return s->is_gzip;
}

bool source_is_file(const struct source *s)
{
    return s->is_file;
}

uint64_t source_raw_position(const struct source *s)
{
    return s->raw_position;
}

uint64_t source_raw_size(const struct source *s)
{
    return s->identity.size_bytes;
}

struct source_identity source_identity(const struct source *s)
{
    return s->identity;
}
