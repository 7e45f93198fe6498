/*
 * An open segment. Its lock guards what pin brings in and trim drops; while the segment is pinned,
 * file and index stay as they are and are read without the lock.
 *
 * Segments that have a file and an index but no pin stand in one list of the process, the longest
 * idle first; when it grows over its maximum the first is trimmed. The list's lock is taken inside
 * a segment's lock, never around one. Who takes a segment off the list to trim it takes a reference
 * first, and gets none if the last one has gone: the owner of that then frees it.
 */
#include "engine/segment/segment.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/segment/format.h"
#include "engine/segment/index.h"
#include "engine/segment/page_load.h"

#define NAME_BYTES (sizeof("seg-0123456789abcdef.bbs") - 1)

struct bbi_segment {
    const struct bbi_fs *fs;
    struct bbi_account *acct;
    struct bbi_footer footer;
    atomic_uint refs;
    atomic_bool dropped;
    pthread_mutex_t lock;
    unsigned pins;
    struct bbi_file *file; /* NULL until pinned */
    bool indexed;
    struct bbi_segment_index index;
    bool idle; /* in the list; under the list's lock, as the links */
    struct bbi_segment *idle_before;
    struct bbi_segment *idle_after;
    char path[]; /* NUL-terminated */
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bbi_segment *idle_first;
static struct bbi_segment *idle_last;
static size_t idle_count;
static size_t idle_max = BBI_SEGMENT_IDLE_MAX;

/* ---- names ---- */

int bbi_segment_path(char out[BBI_FS_PATH_MAX], const char *dir, uint64_t id, struct bb_error *err)
{
    char name[NAME_BYTES + 1];
    (void)snprintf(name, sizeof(name), "seg-%016" PRIx64 ".bbs", id);
    return bbi_fs_join(out, dir, name, err);
}

static bool parse_name(const char *name, const char *prefix, uint64_t *id)
{
    if (strlen(name) != NAME_BYTES || memcmp(name, prefix, 4) != 0 ||
        memcmp(name + 20, ".bbs", 4) != 0) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 4; i < 20; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *id = v;
    return true;
}

bool bbi_segment_parse_name(const char *name, uint64_t *id)
{
    return parse_name(name, "seg-", id);
}

bool bbi_segment_is_tmp_name(const char *name)
{
    uint64_t id = 0;
    return parse_name(name, "tmp-", &id);
}

/* ---- idle segments ---- */

/* The list's lock is held. */
static void unlink_idle(struct bbi_segment *seg)
{
    if (!seg->idle) {
        return;
    }
    *(seg->idle_before == NULL ? &idle_first : &seg->idle_before->idle_after) = seg->idle_after;
    *(seg->idle_after == NULL ? &idle_last : &seg->idle_after->idle_before) = seg->idle_before;
    seg->idle = false;
    idle_count--;
}

static void leave_idle(struct bbi_segment *seg)
{
    (void)pthread_mutex_lock(&idle_lock);
    unlink_idle(seg);
    (void)pthread_mutex_unlock(&idle_lock);
}

static void enter_idle(struct bbi_segment *seg)
{
    (void)pthread_mutex_lock(&idle_lock);
    BB_ASSERT(!seg->idle);
    seg->idle = true;
    seg->idle_before = idle_last;
    seg->idle_after = NULL;
    *(idle_last == NULL ? &idle_first : &idle_last->idle_after) = seg;
    idle_last = seg;
    idle_count++;
    (void)pthread_mutex_unlock(&idle_lock);
}

/* A reference, unless none is left. */
static bool try_ref(struct bbi_segment *seg)
{
    unsigned refs = atomic_load(&seg->refs);
    while (refs > 0 && !atomic_compare_exchange_weak(&seg->refs, &refs, refs + 1)) {
    }
    return refs > 0;
}

/* Trim those that have been idle longest until the list is short enough. No lock is held. */
static void shorten_idle(void)
{
    for (;;) {
        struct bbi_segment *seg = NULL;
        (void)pthread_mutex_lock(&idle_lock);
        if (idle_count > idle_max) {
            seg = idle_first;
            unlink_idle(seg);
            /* Without a reference it is about to be freed, which closes it too. */
            seg = try_ref(seg) ? seg : NULL;
        }
        bool enough = idle_count <= idle_max;
        (void)pthread_mutex_unlock(&idle_lock);
        if (seg != NULL) {
            (void)bbi_segment_trim(seg);
            bbi_segment_unref(&seg);
        }
        if (enough) {
            return;
        }
    }
}

void bbi_segment_set_idle_max(size_t most)
{
    (void)pthread_mutex_lock(&idle_lock);
    idle_max = most;
    (void)pthread_mutex_unlock(&idle_lock);
    shorten_idle();
}

/* ---- open ---- */

static int read_footer(struct bbi_file *file, struct bbi_footer *footer, struct bb_error *err)
{
    uint64_t size = 0;
    uint64_t id = 0;
    uint8_t head[BBI_FILE_BYTES];
    uint8_t tail[BBI_FOOTER_BYTES];
    int code = bbi_file_size(file, &size, err);
    if (code != BB_OK) {
        return code;
    }
    if (size < BBI_FILE_BYTES + BBI_PAGE_BYTES + BBI_FOOTER_BYTES) {
        return bbi_error_set(err, BB_ECORRUPT, "%" PRIu64 " bytes are too short for a segment",
                             size);
    }
    code = bbi_file_read(file, head, sizeof(head), 0, err);
    if (code == BB_OK) {
        code = bbi_format_get_file_header(head, &id, err);
    }
    if (code == BB_OK) {
        code = bbi_file_read(file, tail, sizeof(tail), size - sizeof(tail), err);
    }
    if (code == BB_OK) {
        code = bbi_format_get_footer(tail, footer, err);
    }
    if (code == BB_OK && (footer->meta.file_bytes != size || footer->meta.id != id)) {
        return bbi_error_set(err, BB_ECORRUPT, "footer: of another file");
    }
    return code;
}

static int load_footer(const struct bbi_fs *fs, const char *path, struct bbi_footer *footer,
                       struct bb_error *err)
{
    struct bbi_file *file = NULL;
    int code = bbi_fs_open(fs, path, BBI_FS_READ, &file, err);
    if (code == BB_OK) {
        code = read_footer(file, footer, err);
        bbi_file_close(&file);
    }
    return code == BB_OK ? BB_OK : bbi_error_wrap(err, "segment %s", path);
}

int bbi_segment_read_meta(const struct bbi_fs *fs, const char *path, struct bbi_segment_meta *meta,
                          struct bb_error *err)
{
    struct bbi_footer footer;
    int code = load_footer(fs, path, &footer, err);
    *meta = code == BB_OK ? footer.meta : (struct bbi_segment_meta){.id = 0};
    return code;
}

int bbi_segment_open(const struct bbi_fs *fs, const char *path, struct bbi_account *acct,
                     struct bbi_segment **out, struct bb_error *err)
{
    *out = NULL;
    struct bbi_footer footer;
    int code = load_footer(fs, path, &footer, err);
    if (code != BB_OK) {
        return code;
    }
    size_t path_bytes = strlen(path) + 1;
    struct bbi_segment *seg = bbi_mem_zalloc(acct, 1, sizeof(*seg) + path_bytes);
    if (seg == NULL) {
        return bbi_error_nomem(err, path);
    }
    seg->fs = fs;
    seg->acct = acct;
    seg->footer = footer;
    memcpy(seg->path, path, path_bytes);
    atomic_init(&seg->refs, 1);
    atomic_init(&seg->dropped, false);
    (void)pthread_mutex_init(&seg->lock, NULL);
    bbi_segment_index_init(&seg->index, acct);
    *out = seg;
    return BB_OK;
}

struct bbi_segment *bbi_segment_ref(struct bbi_segment *seg)
{
    unsigned before = atomic_fetch_add_explicit(&seg->refs, 1, memory_order_relaxed);
    BB_ASSERT(before > 0);
    return seg;
}

void bbi_segment_drop(struct bbi_segment *seg)
{
    atomic_store(&seg->dropped, true);
}

static void forget(struct bbi_segment *seg)
{
    bbi_file_close(&seg->file);
    bbi_segment_index_fini(&seg->index);
    seg->indexed = false;
}

void bbi_segment_unref(struct bbi_segment **segment)
{
    struct bbi_segment *seg = *segment;
    *segment = NULL;
    if (seg == NULL || atomic_fetch_sub_explicit(&seg->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    BB_ASSERT(seg->pins == 0);
    leave_idle(seg);
    forget(seg);
    struct bb_error err;
    if (atomic_load(&seg->dropped) && bbi_fs_unlink(seg->fs, seg->path, &err) != BB_OK) {
        /* It only takes space: the next start removes files that no catalog names. */
        bbi_log(BBI_LOG_WARN, "segment_not_removed", "path=%s reason=\"%s\"", seg->path, err.text);
    }
    (void)pthread_mutex_destroy(&seg->lock);
    bbi_mem_free(seg);
}

const struct bbi_segment_meta *bbi_segment_get_meta(const struct bbi_segment *seg)
{
    return &seg->footer.meta;
}

const char *bbi_segment_get_path(const struct bbi_segment *seg)
{
    return seg->path;
}

/* ---- pages and index ---- */

/* Read a page with its pad into body; *header describes it. */
static int read_page(const struct bbi_segment *seg, uint64_t offset, uint32_t bytes,
                     struct bbi_buf *body, struct bbi_page_header *header, struct bb_error *err)
{
    bbi_buf_reset(body);
    uint8_t *at = bbi_buf_reserve(body, (size_t)bytes + BBI_PAGE_PAD);
    if (at == NULL) {
        return bbi_buf_check(body, "page", err);
    }
    int code = bbi_file_read(seg->file, at, bytes, offset, err);
    if (code != BB_OK) {
        return code;
    }
    memset(at + bytes, 0, BBI_PAGE_PAD);
    body->len = (size_t)bytes + BBI_PAGE_PAD;
    return bbi_format_open_page(at, bytes, seg->footer.meta.id, offset, header, err);
}

static int wrap_page(const struct bbi_segment *seg, const char *what, uint64_t offset,
                     struct bb_error *err)
{
    return bbi_error_wrap(err, "segment %s: %s at %" PRIu64, seg->path, what, offset);
}

static int read_index_page(struct bbi_segment *seg, struct bbi_buf *body, struct bb_error *err)
{
    const struct bbi_footer *f = &seg->footer;
    struct bbi_page_header header;
    int code = read_page(seg, f->index_offset, (uint32_t)f->index_bytes, body, &header, err);
    if (code != BB_OK) {
        return code;
    }
    struct bbi_cursor c;
    bbi_cursor_init(&c, body->data + BBI_PAGE_BYTES, header.body_bytes);
    if (header.kind != BBI_PAGE_INDEX || header.row_count != f->group_count) {
        return bbi_error_set(err, BB_ECORRUPT, "not the index that the footer names");
    }
    code = bbi_segment_index_decode(&seg->index, &c, f->index_offset, err);
    if (code == BB_OK && seg->index.group_count != f->group_count) {
        bbi_segment_index_fini(&seg->index);
        return bbi_error_set(err, BB_ECORRUPT, "groups differ from the footer");
    }
    return code;
}

static int load_index(struct bbi_segment *seg, struct bb_error *err)
{
    struct bbi_buf body;
    bbi_buf_init(&body, seg->acct, (size_t)BBI_PAGE_BYTES_MAX + BBI_PAGE_PAD);
    int code = read_index_page(seg, &body, err);
    bbi_buf_fini(&body);
    seg->indexed = code == BB_OK;
    return code == BB_OK ? BB_OK : wrap_page(seg, "index", seg->footer.index_offset, err);
}

int bbi_segment_pin(struct bbi_segment *seg, struct bb_error *err)
{
    int code = BB_OK;
    (void)pthread_mutex_lock(&seg->lock);
    if (seg->file == NULL) {
        code = bbi_fs_open(seg->fs, seg->path, BBI_FS_READ, &seg->file, err);
    }
    if (code == BB_OK && !seg->indexed) {
        code = load_index(seg, err);
    }
    if (code != BB_OK) {
        forget(seg);
    } else if (seg->pins++ == 0) {
        leave_idle(seg);
    }
    (void)pthread_mutex_unlock(&seg->lock);
    return code;
}

void bbi_segment_unpin(struct bbi_segment *seg)
{
    (void)pthread_mutex_lock(&seg->lock);
    BB_ASSERT(seg->pins > 0);
    if (--seg->pins == 0) {
        enter_idle(seg);
    }
    (void)pthread_mutex_unlock(&seg->lock);
    shorten_idle();
}

bool bbi_segment_trim(struct bbi_segment *seg)
{
    (void)pthread_mutex_lock(&seg->lock);
    bool idle = seg->pins == 0;
    if (idle) {
        leave_idle(seg);
        forget(seg);
    }
    (void)pthread_mutex_unlock(&seg->lock);
    return idle;
}

const struct bbi_segment_group *bbi_segment_groups(const struct bbi_segment *seg, size_t *count)
{
    BB_ASSERT(seg->indexed);
    *count = seg->index.group_count;
    return seg->index.groups;
}

/* The first group that ends at or behind (measurement, series), or, `behind`, that begins behind
 * it. */
static size_t search(const struct bbi_segment *seg, uint32_t measurement_id, uint32_t series_id,
                     bool behind)
{
    size_t low = 0;
    size_t high = seg->index.group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct bbi_segment_group *g = &seg->index.groups[middle];
        bool before = g->measurement_id < measurement_id;
        if (g->measurement_id == measurement_id) {
            before = behind ? g->series_min <= series_id : g->series_max < series_id;
        }
        if (before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void bbi_segment_find(const struct bbi_segment *seg, uint32_t measurement_id, uint32_t series_min,
                      uint32_t series_max, size_t *first, size_t *end)
{
    BB_ASSERT(seg->indexed);
    *first = search(seg, measurement_id, series_min, false);
    *end = search(seg, measurement_id, series_max, true);
    *end = *end < *first ? *first : *end;
}

size_t bbi_segment_find_field(const struct bbi_segment_group *group, uint32_t field_id)
{
    size_t low = 0;
    size_t high = group->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->fields[middle].field_id < field_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < group->field_count && group->fields[low].field_id == field_id ? low : SIZE_MAX;
}

int bbi_segment_read_time(const struct bbi_segment *seg, size_t group, struct bbi_timepage *tp,
                          struct bb_error *err)
{
    BB_ASSERT(seg->indexed && group < seg->index.group_count);
    const struct bbi_segment_group *g = &seg->index.groups[group];
    struct bbi_page_header header;
    tp->chunk_count = 0;
    tp->row_count = 0;
    int code = read_page(seg, g->offset, g->page_bytes, &tp->body, &header, err);
    if (code == BB_OK) {
        code = bbi_timepage_load(tp, &header, g, err);
    }
    return code == BB_OK ? BB_OK : wrap_page(seg, "time page", g->offset, err);
}

int bbi_segment_read_field(const struct bbi_segment *seg, size_t group, size_t field,
                           const struct bbi_timepage *tp, struct bbi_fieldpage *fp,
                           struct bb_error *err)
{
    BB_ASSERT(seg->indexed && group < seg->index.group_count);
    const struct bbi_segment_group *g = &seg->index.groups[group];
    BB_ASSERT(field < g->field_count);
    const struct bbi_segment_field *f = &g->fields[field];
    struct bbi_page_header header;
    fp->chunk_count = 0;
    int code = read_page(seg, f->offset, f->page_bytes, &fp->body, &header, err);
    if (code == BB_OK) {
        code = bbi_fieldpage_load(fp, &header, g, f, tp, err);
    }
    return code == BB_OK ? BB_OK : wrap_page(seg, "field page", f->offset, err);
}
