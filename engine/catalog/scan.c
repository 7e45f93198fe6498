#include "engine/catalog/scan.h"

#include <string.h>

#define SLICE_FIRST   16
#define SLICE_ENTRIES 4096
#define SLICE_BYTES   ((size_t)256 << 10)

/* An entry is copied whole, and the longest is a DELETE record. */
#define SLICE_MAX ((size_t)1 << 31)

void bbi_scan_init(struct bbi_scan *s, struct bbi_index *index, struct bbi_account *acct,
                   enum bbi_index_table table, const void *prefix, size_t prefix_len)
{
    BB_ASSERT(prefix_len <= sizeof(s->prefix));
    *s = (struct bbi_scan){.index = index,
                           .table = table,
                           .prefix_len = prefix_len,
                           .slice_entries = SLICE_FIRST,
                           .is_first = true};
    if (prefix_len != 0) {
        memcpy(s->prefix, prefix, prefix_len);
    }
    bbi_buf_init(&s->slice, acct, SLICE_MAX);
    bbi_cursor_init(&s->left, s->prefix, 0);
}

void bbi_scan_fini(struct bbi_scan *s)
{
    bbi_buf_fini(&s->slice);
}

/* The first entry of the next slice. LMDB knows no empty keys: the least one is a zero byte. */
static int seek(struct bbi_scan *s, struct bbi_index_reader *reader, struct bbi_index_entry *e,
                bool *found, struct bb_error *err)
{
    static const uint8_t least[1] = {0};
    if (s->is_first) {
        const uint8_t *from = s->prefix_len == 0 ? least : s->prefix;
        size_t len = s->prefix_len == 0 ? sizeof(least) : s->prefix_len;
        return bbi_index_seek(reader, s->table, from, len, e, found, err);
    }
    int rc = bbi_index_seek(reader, s->table, s->last, s->last_len, e, found, err);
    if (rc == BB_OK && *found && e->key_len == s->last_len &&
        memcmp(e->key, s->last, s->last_len) == 0) {
        rc = bbi_index_next(reader, s->table, e, found, err);
    }
    return rc;
}

static int copy_slice(struct bbi_scan *s, struct bbi_index_reader *reader, struct bb_error *err)
{
    struct bbi_index_entry e;
    bool found;
    size_t count = 0;
    int rc = seek(s, reader, &e, &found, err);
    while (rc == BB_OK) {
        if (!found || !bbi_index_has_prefix(&e, s->prefix, s->prefix_len)) {
            s->is_done = true;
            return BB_OK;
        }
        bbi_buf_block(&s->slice, e.key, e.key_len);
        bbi_buf_block(&s->slice, e.value, e.value_len);
        rc = bbi_buf_check(&s->slice, "reading the catalog", err);
        if (++count >= s->slice_entries || s->slice.len >= SLICE_BYTES) {
            memcpy(s->last, e.key, e.key_len);
            s->last_len = e.key_len;
            return rc;
        }
        if (rc == BB_OK) {
            rc = bbi_index_next(reader, s->table, &e, &found, err);
        }
    }
    return rc;
}

static int refill(struct bbi_scan *s, struct bb_error *err)
{
    struct bbi_index_reader *reader;
    bbi_buf_reset(&s->slice);
    int rc = bbi_index_read_begin(s->index, &reader, err);
    if (rc == BB_OK) {
        rc = copy_slice(s, reader, err);
    }
    bbi_index_read_end(&reader);
    s->is_first = false;
    s->slice_entries = s->slice_entries * 4 > SLICE_ENTRIES ? SLICE_ENTRIES : s->slice_entries * 4;
    bbi_cursor_init(&s->left, s->slice.data, rc == BB_OK ? s->slice.len : 0);
    return rc;
}

int bbi_scan_next(struct bbi_scan *s, struct bbi_index_entry *entry, bool *found,
                  struct bb_error *err)
{
    *found = false;
    if (bbi_cursor_left(&s->left) == 0 && !s->is_done) {
        int rc = refill(s, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    if (bbi_cursor_left(&s->left) == 0) {
        return BB_OK;
    }
    entry->key = bbi_cursor_block(&s->left, &entry->key_len);
    entry->value = bbi_cursor_block(&s->left, &entry->value_len);
    *found = true;
    return bbi_cursor_check(&s->left, "reading the catalog", err);
}
