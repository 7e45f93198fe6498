#include "server/reject_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/json.h"
#include "server/log.h"
#include "server/number.h"

#define QUEUE_MAX_BYTES ((size_t)4 << 20)
#define PREFIX          "# {\"id\":"

static int fail(struct bb_error *err, int code, const char *what, const char *path)
{
    snprintf(err->text, sizeof(err->text), "%s %.300s: %s", what, path,
             code == BB_EIO ? strerror(errno) : bb_code_text(code));
    return err->code = code;
}

/* ---- entries as text ---- */

int reject_log_lay_out(struct reject_log *log, struct buf *text, const struct reject_entry *entry)
{
    char time[NUMBER_MAX_BYTES];
    struct json j;
    size_t before = text->len;
    int rc = buf_put(text, "# ", 2);
    jsonw_init(&j, text, false);
    jsonw_object_begin(&j);
    jsonw_key(&j, "id");
    jsonw_u64(&j, atomic_fetch_add(&log->last_id, 1) + 1);
    jsonw_key(&j, "time");
    jsonw_plain_string(&j, time, number_time(time, entry->time_ns));
    jsonw_key(&j, "time_ns");
    jsonw_i64(&j, entry->time_ns);
    jsonw_key(&j, "db");
    jsonw_cstring(&j, entry->database);
    jsonw_key(&j, "precision_ns");
    jsonw_i64(&j, entry->precision_ns);
    jsonw_key(&j, "reason");
    jsonw_cstring(&j, entry->reason);
    jsonw_key(&j, "cut");
    jsonw_bool(&j, entry->cut);
    jsonw_key(&j, "bytes");
    jsonw_u64(&j, entry->length);
    jsonw_object_end(&j);
    jsonw_newline(&j);
    rc = rc == BB_OK ? j.err : rc;
    rc = rc == BB_OK ? buf_put(text, entry->line, entry->length) : rc;
    rc = rc == BB_OK ? buf_put(text, "\n", 1) : rc;
    if (rc != BB_OK)
        text->len = before;
    return rc;
}

static int64_t integer_of(const json_t *head, const char *key)
{
    return json_integer_value(json_object_get(head, key));
}

static const char *text_of(const json_t *head, const char *key)
{
    const char *text = json_string_value(json_object_get(head, key));
    return text == NULL ? "" : text;
}

/**
 * The entry at *p, which is moved behind it. entry borrows from the text and from *head, which the
 * caller lets go. False: here is none, and *p is at the next line that might begin one, or at end.
 */
static bool take_entry(const char **p, const char *end, struct reject_entry *entry, json_t **head)
{
    const char *line = *p;
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    *head = NULL;
    *p = newline == NULL ? end : newline + 1;
    if (newline == NULL || (size_t)(newline - line) < sizeof(PREFIX) ||
        memcmp(line, PREFIX, sizeof(PREFIX) - 1) != 0)
        return false;
    *head = json_loadb(line + 2, (size_t)(newline - line - 2), 0, NULL);
    int64_t bytes = integer_of(*head, "bytes");
    if (*head == NULL || bytes < 0 || bytes >= end - *p || (*p)[bytes] != '\n')
        return false;
    *entry = (struct reject_entry){.id = (uint64_t)integer_of(*head, "id"),
                                   .time_ns = integer_of(*head, "time_ns"),
                                   .precision_ns = integer_of(*head, "precision_ns"),
                                   .database = text_of(*head, "db"),
                                   .reason = text_of(*head, "reason"),
                                   .line = *p,
                                   .length = (size_t)bytes,
                                   .cut = json_is_true(json_object_get(*head, "cut"))};
    *p += bytes + 1;
    return true;
}

static int each(const char *text, size_t n, reject_log_fn fn, void *arg)
{
    const char *p = text;
    const char *end = n == 0 ? text : text + n; /* of nothing there is no text */
    int rc = BB_OK;
    while (p < end && rc == BB_OK) {
        struct reject_entry entry;
        json_t *head;
        if (take_entry(&p, end, &entry, &head))
            rc = fn(arg, &entry);
        json_decref(head);
    }
    return rc;
}

/* ---- the file; under file_lock ---- */

static int read_all(struct reject_log *log, struct buf *text, struct bb_error *err)
{
    int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? BB_OK : fail(err, BB_EIO, "open", log->path);
    ssize_t n = 1;
    int rc = BB_OK;
    while (n > 0 && rc == BB_OK) {
        rc = buf_reserve(text, (size_t)64 << 10);
        if (rc != BB_OK)
            break;
        n = read(fd, text->data + text->len, text->cap - text->len);
        text->len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (n < 0)
        return fail(err, BB_EIO, "read", log->path);
    return rc == BB_OK ? BB_OK : fail(err, rc, "read", log->path);
}

static bool write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, data, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        n -= (size_t)written;
    }
    return true;
}

static int replace(struct reject_log *log, const char *data, size_t n, struct bb_error *err)
{
    char path[REJECT_LOG_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s.new", log->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return fail(err, BB_EIO, "create", path);
    bool ok = write_all(fd, data, n) && fdatasync(fd) == 0;
    close(fd);
    if (!ok || rename(path, log->path) != 0) {
        int rc = fail(err, BB_EIO, "write", path);
        unlink(path);
        return rc;
    }
    log->file_bytes = n;
    return BB_OK;
}

struct filter {
    struct reject_log *log;
    const char *text; /* of the entries, in the order in which they come */
    struct buf out;
    reject_log_drop_fn drop;
    void *arg;
    const char *from; /* end of the entry before */
    uint64_t kept, dropped;
};

static int keep_or_drop(void *arg, const struct reject_entry *entry)
{
    struct filter *f = arg;
    const char *end = entry->line + entry->length + 1;
    const char *start = f->from;
    f->from = end;
    if (f->drop(f->arg, entry->id)) {
        f->dropped++;
        return BB_OK;
    }
    f->kept++;
    return buf_put(&f->out, start, (size_t)(end - start));
}

static int rewrite(struct reject_log *log, reject_log_drop_fn drop, void *arg, uint64_t *dropped,
                   struct bb_error *err)
{
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    int rc = read_all(log, &text, err);
    struct filter filter = {.log = log, .drop = drop, .arg = arg, .from = text.data};
    buf_init(&filter.out, SIZE_MAX, NULL);
    if (rc == BB_OK) {
        rc = each(text.data, text.len, keep_or_drop, &filter);
        if (rc != BB_OK)
            fail(err, rc, "rewrite", log->path);
    }
    if (rc == BB_OK)
        rc = replace(log, filter.out.data, filter.out.len, err);
    if (rc == BB_OK) {
        *dropped = filter.dropped;
        atomic_store(&log->kept, filter.kept);
    }
    buf_fini(&filter.out);
    buf_fini(&text);
    return rc;
}

static bool is_older(void *arg, uint64_t id)
{
    return id <= *(const uint64_t *)arg;
}

struct oldest {
    const char *enough; /* what begins before this is to be gone */
    uint64_t last_id;
};

static int find_oldest(void *arg, const struct reject_entry *entry)
{
    struct oldest *o = arg;
    if (entry->line >= o->enough)
        return BB_ELIMIT;
    o->last_id = entry->id;
    return BB_OK;
}

/** Lose the older half. */
static int trim(struct reject_log *log, struct bb_error *err)
{
    struct buf text;
    uint64_t dropped = 0;
    buf_init(&text, SIZE_MAX, NULL);
    int rc = read_all(log, &text, err);
    struct oldest oldest = {0};
    if (rc == BB_OK && text.len > log->limit_bytes / 2) {
        oldest.enough = text.data + (text.len - log->limit_bytes / 2);
        (void)each(text.data, text.len, find_oldest, &oldest);
    }
    buf_fini(&text);
    if (rc == BB_OK)
        rc = rewrite(log, is_older, &oldest.last_id, &dropped, err);
    atomic_fetch_add(&log->lost, dropped);
    return rc;
}

static uint64_t count_entries(const char *text, size_t n);

/** A partial append is cut off again, so that entries stay whole. */
static int append(struct reject_log *log, const struct buf *text, struct bb_error *err)
{
    int fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return fail(err, BB_EIO, "open", log->path);
    int rc = BB_OK;
    if (write_all(fd, text->data, text->len)) {
        log->file_bytes += text->len;
        atomic_fetch_add(&log->kept, count_entries(text->data, text->len));
    } else {
        rc = fail(err, BB_EIO, "write", log->path);
        if (ftruncate(fd, (off_t)log->file_bytes) != 0)
            log_event(LOG_ERROR, "rejects error=\"a torn entry stays in %s\"", log->path);
    }
    close(fd);
    if (rc == BB_OK && log->file_bytes > log->limit_bytes)
        rc = trim(log, err);
    return rc;
}

/* ---- the queue ---- */

static int count_one(void *arg, const struct reject_entry *entry)
{
    (void)entry;
    ++*(uint64_t *)arg;
    return BB_OK;
}

static uint64_t count_entries(const char *text, size_t n)
{
    uint64_t count = 0;
    int rc = each(text, n, count_one, &count);
    return rc == BB_OK ? count : 0;
}

/** Write what waits; file_lock is held. ends: this is the job, which another may follow. */
static void drain(struct reject_log *log, bool ends)
{
    struct bb_error err;
    for (;;) {
        struct buf taken;
        buf_init(&taken, QUEUE_MAX_BYTES, NULL);
        pthread_mutex_lock(&log->queue_lock);
        buf_swap(&taken, &log->queue);
        if (taken.len == 0 && ends)
            log->under_way = false;
        pthread_mutex_unlock(&log->queue_lock);
        size_t n = taken.len;
        if (n > 0 && append(log, &taken, &err) != BB_OK) {
            atomic_fetch_add(&log->lost, count_entries(taken.data, taken.len));
            log_event(LOG_ERROR, "rejects error=\"%s\"", err.text);
        }
        buf_fini(&taken);
        if (n == 0)
            return;
    }
}

static void run(struct job *job)
{
    struct reject_log *log = (struct reject_log *)job;
    pthread_mutex_lock(&log->file_lock);
    drain(log, true);
    pthread_mutex_unlock(&log->file_lock);
}

void reject_log_keep(struct reject_log *log, const struct buf *text, uint64_t count)
{
    if (log->limit_bytes == 0 || count == 0)
        return;
    pthread_mutex_lock(&log->queue_lock);
    bool ok = text->len > 0 && buf_put(&log->queue, text->data, text->len) == BB_OK;
    bool submit = ok && !log->under_way;
    log->under_way = log->under_way || submit;
    pthread_mutex_unlock(&log->queue_lock);
    if (!ok)
        atomic_fetch_add(&log->lost, count);
    if (submit && !pool_submit(log->pool, &log->job)) {
        pthread_mutex_lock(&log->queue_lock);
        log->under_way = false; /* the next one tries again */
        pthread_mutex_unlock(&log->queue_lock);
    }
}

/* ---- open, close, look ---- */

static int last_id(void *arg, const struct reject_entry *entry)
{
    struct reject_log *log = arg;
    if (entry->id > log->last_id)
        log->last_id = entry->id;
    log->kept++;
    return BB_OK;
}

int reject_log_open(struct reject_log *log, const char *dir, uint64_t limit_bytes,
                    struct pool *pool, struct bb_error *err)
{
    struct buf text;
    memset(log, 0, sizeof(*log));
    log->job.run = run;
    log->pool = pool;
    log->limit_bytes = limit_bytes;
    snprintf(log->path, sizeof(log->path), "%s/rejects.lp", dir);
    pthread_mutex_init(&log->queue_lock, NULL);
    pthread_mutex_init(&log->file_lock, NULL);
    buf_init(&log->queue, QUEUE_MAX_BYTES, NULL);
    buf_init(&text, SIZE_MAX, NULL);
    int rc = read_all(log, &text, err);
    log->file_bytes = text.len;
    if (rc == BB_OK)
        rc = each(text.data, text.len, last_id, log);
    buf_fini(&text);
    return rc;
}

void reject_log_close(struct reject_log *log)
{
    if (log->pool == NULL)
        return;
    drain(log, false);
    buf_fini(&log->queue);
    pthread_mutex_destroy(&log->queue_lock);
    pthread_mutex_destroy(&log->file_lock);
}

int reject_log_each(struct reject_log *log, reject_log_fn fn, void *arg, struct bb_error *err)
{
    struct buf text;
    buf_init(&text, SIZE_MAX, NULL);
    pthread_mutex_lock(&log->file_lock);
    drain(log, false);
    int rc = read_all(log, &text, err);
    pthread_mutex_unlock(&log->file_lock);
    if (rc == BB_OK)
        rc = each(text.data, text.len, fn, arg);
    buf_fini(&text);
    return rc;
}

int reject_log_drop(struct reject_log *log, reject_log_drop_fn drop, void *arg, uint64_t *dropped,
                    struct bb_error *err)
{
    *dropped = 0;
    pthread_mutex_lock(&log->file_lock);
    drain(log, false);
    int rc = rewrite(log, drop, arg, dropped, err);
    pthread_mutex_unlock(&log->file_lock);
    return rc;
}
