#include "client/import_rejects.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/import_buf.h"

#define SHOWN 5

struct rejects {
    char *path, *source;
    struct import_buf header;
    FILE *file;
    bool append;
    uint64_t count, shown;
    pthread_mutex_t lock;
    char error[256];
};

struct rejects *rejects_create(const char *path, const char *source, bool append)
{
    struct rejects *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    r->append = append;
    r->path = strdup(path);
    r->source = strdup(source);
    if (r->path == NULL || r->source == NULL)
        rejects_destroy(&r);
    return r;
}

void rejects_destroy(struct rejects **rejects)
{
    struct rejects *r = *rejects;
    if (r == NULL)
        return;
    if (r->file != NULL)
        fclose(r->file);
    pthread_mutex_destroy(&r->lock);
    import_buf_fini(&r->header);
    free(r->path);
    free(r->source);
    free(r);
    *rejects = NULL;
}

bool rejects_set_header(struct rejects *r, const char *text, size_t len)
{
    r->header.len = 0;
    import_buf_add(&r->header, text, len);
    return !r->header.failed;
}

static bool fail(struct rejects *r)
{
    snprintf(r->error, sizeof(r->error), "%s", strerror(errno));
    return false;
}

static bool open_file(struct rejects *r)
{
    if (r->file != NULL)
        return true;
    r->file = fopen(r->path, r->append ? "ae" : "we");
    if (r->file == NULL)
        return fail(r);
    fprintf(r->file, "# rejected rows of %s\n", r->source);
    if (r->header.len > 0)
        fprintf(r->file, "%.*s\n", (int)r->header.len, r->header.data);
    return true;
}

/** The line number of a "# line N: ..." comment; 0 if it is none. */
static uint64_t comment_line(const char *text)
{
    return strncmp(text, "# line ", 7) == 0 ? strtoull(text + 7, NULL, 10) : 0;
}

/** Copy what belongs to rows up to last_line, and count them. */
static void copy_kept(struct rejects *r, FILE *from, FILE *to, uint64_t last_line)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    bool keep = true;
    while ((len = getline(&text, &cap, from)) >= 0) {
        uint64_t line = comment_line(text);
        if (line > 0) {
            keep = line <= last_line;
            r->count += keep;
        }
        if (keep)
            fwrite(text, 1, (size_t)len, to);
    }
    free(text);
}

bool rejects_resume(struct rejects *r, uint64_t last_line)
{
    FILE *old = fopen(r->path, "re");
    if (old == NULL)
        return errno == ENOENT || fail(r);
    struct import_buf aside = {0};
    import_buf_printf(&aside, "%s.new", r->path);
    r->file = fopen(import_buf_text(&aside), "we");
    bool ok = r->file != NULL;
    if (ok)
        copy_kept(r, old, r->file, last_line);
    ok = ok && ferror(old) == 0 && fflush(r->file) == 0 && ferror(r->file) == 0 &&
         rename(aside.data, r->path) == 0;
    if (!ok)
        fail(r);
    fclose(old);
    import_buf_fini(&aside);
    return ok;
}

/** A reason stays within its line. */
static void put_reason(FILE *out, const char *reason)
{
    for (; *reason != '\0'; reason++)
        putc((unsigned char)*reason < ' ' ? ' ' : *reason, out);
}

static bool add(struct rejects *r, uint64_t line, const char *raw, size_t len, const char *reason)
{
    r->count++;
    if (r->shown++ < SHOWN)
        fprintf(stderr, "%s%s:%" PRIu64 ": %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "",
                r->source, line, reason);
    if (!open_file(r))
        return false;
    fprintf(r->file, "# line %" PRIu64 ": ", line);
    put_reason(r->file, reason);
    putc('\n', r->file);
    fwrite(raw, 1, len, r->file);
    putc('\n', r->file);
    return ferror(r->file) == 0 || fail(r);
}

bool rejects_add(struct rejects *r, uint64_t line, const char *raw, size_t len, const char *reason)
{
    pthread_mutex_lock(&r->lock);
    bool ok = add(r, line, raw, len, reason);
    pthread_mutex_unlock(&r->lock);
    return ok;
}

uint64_t rejects_count(struct rejects *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t count = r->count;
    pthread_mutex_unlock(&r->lock);
    return count;
}

const char *rejects_path(const struct rejects *r)
{
    return r->path;
}

const char *rejects_error(const struct rejects *r)
{
    return r->error;
}

bool rejects_flush(struct rejects *r)
{
    pthread_mutex_lock(&r->lock);
    bool ok = r->file == NULL || fflush(r->file) == 0 || fail(r);
    pthread_mutex_unlock(&r->lock);
    return ok;
}
