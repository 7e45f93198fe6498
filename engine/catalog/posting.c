#include "engine/catalog/posting.h"

#include <string.h>

#include "engine/base/bitmap.h"
#include "engine/base/bytes.h"

#define KIND_ONE    1
#define KIND_ARRAY  2
#define KIND_BITMAP 3

/* Behind a prefix: probe and sid >> 16. */
#define HIGH_BYTES  2
#define PROBE_BYTES 1

/* An array longer than this is never smaller than a bitmap would be with its own array in it. */
#define ARRAY_MAX 8

static void put_be16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint32_t get_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* ---- keys ---- */

void bbi_posting_form_prefix(struct bbi_posting_prefix *p, uint32_t db_id, uint32_t mid,
                             enum bbi_posting_form form)
{
    uint8_t *at = bbi_index_put_uint(p->bytes, db_id);
    at = bbi_index_put_uint(at, mid);
    *at++ = (uint8_t)form;
    p->len = (size_t)(at - p->bytes);
}

bool bbi_posting_blob_prefix(struct bbi_posting_prefix *p, uint32_t db_id, uint32_t mid,
                             enum bbi_posting_form form, const uint8_t *blob, size_t blob_len)
{
    bbi_posting_form_prefix(p, db_id, mid, form);
    if (blob_len > sizeof(p->bytes) - HIGH_BYTES - p->len) {
        return false;
    }
    if (blob_len != 0) {
        memcpy(p->bytes + p->len, blob, blob_len);
    }
    p->len += blob_len;
    return true;
}

void bbi_posting_long_prefix(struct bbi_posting_prefix *p, uint32_t db_id, uint32_t mid,
                             const uint8_t *blob, size_t blob_len)
{
    bbi_posting_form_prefix(p, db_id, mid, BBI_POSTING_LONG);
    bbi_put_be64(p->bytes + p->len, bbi_hash64(blob, blob_len));
    p->len += 8;
}

static enum bbi_posting_form form_of(const uint8_t *blob, size_t blob_len)
{
    struct bbi_cursor c;
    size_t key_len;
    bbi_cursor_init(&c, blob, blob_len);
    if (blob_len == 0) {
        return BBI_POSTING_ALL;
    }
    (void)bbi_cursor_block(&c, &key_len);
    return bbi_cursor_left(&c) == 0 ? BBI_POSTING_KEY : BBI_POSTING_VALUE;
}

int bbi_posting_tag_of(const uint8_t *blob, size_t blob_len, struct bbi_posting_tag *tag,
                       struct bb_error *err)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, blob, blob_len);
    *tag = (struct bbi_posting_tag){.has_value = false};
    tag->key = bbi_cursor_block(&c, &tag->key_len);
    if (bbi_cursor_left(&c) != 0) {
        tag->has_value = true;
        tag->value = bbi_cursor_block(&c, &tag->value_len);
    }
    if (c.err != BB_OK || bbi_cursor_left(&c) != 0) {
        return bbi_error_set(err, BB_ECORRUPT, "posting list: malformed tag");
    }
    return BB_OK;
}

/* ---- values ---- */

int bbi_posting_parse(const struct bbi_index_entry *entry, enum bbi_posting_form form,
                      struct bbi_posting *posting, struct bb_error *err)
{
    struct bbi_cursor key;
    struct bbi_cursor value;
    bbi_cursor_init(&key, entry->key, entry->key_len);
    bbi_cursor_init(&value, entry->value, entry->value_len);
    (void)bbi_index_get_uint(&key);
    (void)bbi_index_get_uint(&key);
    unsigned found_form = bbi_cursor_u8(&key);
    *posting = (struct bbi_posting){.blob = NULL};
    if (form == BBI_POSTING_LONG) {
        (void)bbi_cursor_bytes(&key, 8 + PROBE_BYTES);
        posting->blob = bbi_cursor_block(&value, &posting->blob_len);
    } else if (bbi_cursor_left(&key) >= HIGH_BYTES) {
        posting->blob_len = bbi_cursor_left(&key) - HIGH_BYTES;
        posting->blob = bbi_cursor_bytes(&key, posting->blob_len);
    }
    const uint8_t *high = bbi_cursor_bytes(&key, HIGH_BYTES);
    posting->ids_len = bbi_cursor_left(&value);
    posting->ids = bbi_cursor_bytes(&value, posting->ids_len);
    if (key.err != BB_OK || value.err != BB_OK || bbi_cursor_left(&key) != 0 ||
        found_form != form) {
        return bbi_error_set(err, BB_ECORRUPT, "posting list: malformed");
    }
    posting->high = get_be16(high);
    return BB_OK;
}

/* Hands the ids to each as arrays or as one bitmap; what returns true stops. */
struct ids_visitor {
    bool (*array)(struct ids_visitor *v, const uint32_t *sids, size_t count);
    bool (*bitmap)(struct ids_visitor *v, const roaring_bitmap_t *ids);
    roaring_bitmap_t *out;
    const roaring_bitmap_t *with;
    bool any;
};

static int visit_ids(const struct bbi_posting *p, struct ids_visitor *v, struct bb_error *err)
{
    struct bbi_cursor c;
    bbi_cursor_init(&c, p->ids, p->ids_len);
    unsigned kind = bbi_cursor_u8(&c);
    uint32_t base = p->high << 16;
    if (kind == KIND_ONE || kind == KIND_ARRAY) {
        uint32_t sids[ARRAY_MAX];
        size_t count = bbi_cursor_left(&c) / 2;
        if (count == 0 || count > (kind == KIND_ONE ? 1 : ARRAY_MAX)) {
            c.err = BB_ECORRUPT;
        }
        for (size_t i = 0; c.err == BB_OK && i < count; i++) {
            sids[i] = base | bbi_cursor_u16(&c);
        }
        if (c.err == BB_OK && bbi_cursor_left(&c) == 0) {
            (void)v->array(v, sids, count);
            return BB_OK;
        }
    } else if (kind == KIND_BITMAP) {
        roaring_bitmap_t *ids;
        int rc = bbi_bitmap_get(c.p, bbi_cursor_left(&c), &ids, err);
        if (rc != BB_OK) {
            return rc;
        }
        bool is_ours = !roaring_bitmap_is_empty(ids) && roaring_bitmap_minimum(ids) >= base &&
                       roaring_bitmap_maximum(ids) - base <= 0xffff;
        if (is_ours) {
            (void)v->bitmap(v, ids);
        }
        roaring_bitmap_free(ids);
        if (is_ours) {
            return BB_OK;
        }
    }
    return bbi_error_set(err, BB_ECORRUPT, "posting list: malformed ids");
}

static bool or_array(struct ids_visitor *v, const uint32_t *sids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        roaring_bitmap_add(v->out, sids[i]);
    }
    return false;
}

static bool or_bitmap(struct ids_visitor *v, const roaring_bitmap_t *ids)
{
    roaring_bitmap_or_inplace(v->out, ids);
    return false;
}

int bbi_posting_or(const struct bbi_posting *posting, roaring_bitmap_t *out, struct bb_error *err)
{
    struct ids_visitor v = {.array = or_array, .bitmap = or_bitmap, .out = out};
    return visit_ids(posting, &v, err);
}

static bool meet_array(struct ids_visitor *v, const uint32_t *sids, size_t count)
{
    for (size_t i = 0; i < count && !v->any; i++) {
        v->any = roaring_bitmap_contains(v->with, sids[i]);
    }
    return v->any;
}

static bool meet_bitmap(struct ids_visitor *v, const roaring_bitmap_t *ids)
{
    v->any = roaring_bitmap_intersect(v->with, ids);
    return v->any;
}

int bbi_posting_intersects(const struct bbi_posting *posting, const roaring_bitmap_t *with,
                           bool *any, struct bb_error *err)
{
    struct ids_visitor v = {.array = meet_array, .bitmap = meet_bitmap, .with = with};
    int rc = visit_ids(posting, &v, err);
    *any = v.any;
    return rc;
}

/* ---- adding ---- */

static void put_array(struct bbi_buf *b, const uint32_t *sids, size_t count)
{
    bbi_buf_u8(b, count == 1 ? KIND_ONE : KIND_ARRAY);
    for (size_t i = 0; i < count; i++) {
        bbi_buf_u16(b, (uint16_t)sids[i]);
    }
}

/* Whichever form is smallest; not empty. */
static void put_bitmap(struct bbi_buf *b, roaring_bitmap_t *all)
{
    uint32_t few[ARRAY_MAX];
    uint64_t cardinality = roaring_bitmap_get_cardinality(all);
    (void)roaring_bitmap_run_optimize(all);
    size_t bitmap_bytes = roaring_bitmap_portable_size_in_bytes(all);
    if (cardinality <= ARRAY_MAX && 2 * cardinality <= bitmap_bytes) {
        roaring_bitmap_to_uint32_array(all, few);
        put_array(b, few, (size_t)cardinality);
    } else {
        bbi_buf_u8(b, KIND_BITMAP);
        bbi_bitmap_put(b, all);
    }
}

static int put_ids(struct bbi_buf *b, const struct bbi_posting *old, const uint32_t *sids,
                   size_t count, struct bb_error *err)
{
    if (old == NULL && count <= ARRAY_MAX / 2) {
        put_array(b, sids, count);
        return BB_OK;
    }
    roaring_bitmap_t *all = roaring_bitmap_of_ptr(count, sids);
    if (all == NULL) {
        return bbi_error_nomem(err, "posting list");
    }
    int rc = old == NULL ? BB_OK : bbi_posting_or(old, all, err);
    if (rc == BB_OK) {
        put_bitmap(b, all);
    }
    roaring_bitmap_free(all);
    return rc;
}

/* The key of a long blob's value: the first probe that is free or has this blob already. */
static int find_probe(struct bbi_index_writer *writer, struct bbi_posting_prefix *p,
                      const uint8_t *blob, size_t blob_len, uint32_t high,
                      struct bbi_index_entry *entry, bool *found, struct bb_error *err)
{
    size_t at = p->len;
    p->len += PROBE_BYTES + HIGH_BYTES;
    for (unsigned probe = 0; probe <= UINT8_MAX; probe++) {
        struct bbi_posting old;
        p->bytes[at] = (uint8_t)probe;
        put_be16(p->bytes + at + PROBE_BYTES, high);
        int rc = bbi_index_write_get(writer, BBI_INDEX_POSTINGS, p->bytes, p->len, entry, found,
                                     err);
        if (rc != BB_OK || !*found) {
            return rc;
        }
        rc = bbi_posting_parse(entry, BBI_POSTING_LONG, &old, err);
        if (rc != BB_OK) {
            return rc;
        }
        if (old.blob_len == blob_len && memcmp(old.blob, blob, blob_len) == 0) {
            return BB_OK;
        }
    }
    return bbi_error_set(err, BB_ELIMIT, "posting list: more than 256 long tags with one hash");
}

int bbi_posting_add(struct bbi_index_writer *writer, uint32_t db_id, uint32_t mid,
                    const uint8_t *blob, size_t blob_len, const uint32_t *sids, size_t count,
                    struct bbi_buf *scratch, struct bb_error *err)
{
    struct bbi_posting_prefix p;
    struct bbi_index_entry entry;
    struct bbi_posting old;
    bool found;
    int rc;
    enum bbi_posting_form form = form_of(blob, blob_len);
    uint32_t high = sids[0] >> 16;

    bbi_buf_reset(scratch);
    if (bbi_posting_blob_prefix(&p, db_id, mid, form, blob, blob_len)) {
        put_be16(p.bytes + p.len, high);
        p.len += HIGH_BYTES;
        rc = bbi_index_write_get(writer, BBI_INDEX_POSTINGS, p.bytes, p.len, &entry, &found, err);
    } else {
        form = BBI_POSTING_LONG;
        bbi_posting_long_prefix(&p, db_id, mid, blob, blob_len);
        rc = find_probe(writer, &p, blob, blob_len, high, &entry, &found, err);
        bbi_buf_block(scratch, blob, blob_len);
    }
    if (rc == BB_OK && found) {
        rc = bbi_posting_parse(&entry, form, &old, err);
    }
    if (rc == BB_OK) {
        rc = put_ids(scratch, found ? &old : NULL, sids, count, err);
    }
    if (rc == BB_OK) {
        rc = bbi_buf_check(scratch, "posting list", err);
    }
    return rc != BB_OK ? rc
                       : bbi_index_put(writer, BBI_INDEX_POSTINGS, p.bytes, p.len, scratch->data,
                                       scratch->len, err);
}

/* ---- removing ---- */

/* The form stands behind the two numbers of the key. */
static enum bbi_posting_form form_of_key(const struct bbi_index_entry *entry)
{
    struct bbi_cursor key;
    bbi_cursor_init(&key, entry->key, entry->key_len);
    (void)bbi_index_get_uint(&key);
    (void)bbi_index_get_uint(&key);
    return (enum bbi_posting_form)bbi_cursor_u8(&key);
}

static int put_rest(struct bbi_index_writer *writer, const struct bbi_index_entry *entry,
                    roaring_bitmap_t *rest, struct bbi_buf *scratch, struct bb_error *err)
{
    uint8_t key[BBI_INDEX_KEY_MAX];
    memcpy(key, entry->key, entry->key_len);
    if (roaring_bitmap_is_empty(rest)) {
        return bbi_index_delete(writer, BBI_INDEX_POSTINGS, key, entry->key_len, err);
    }
    put_bitmap(scratch, rest);
    int rc = bbi_buf_check(scratch, "posting list", err);
    return rc != BB_OK ? rc
                       : bbi_index_put(writer, BBI_INDEX_POSTINGS, key, entry->key_len,
                                       scratch->data, scratch->len, err);
}

int bbi_posting_remove(struct bbi_index_writer *writer, const struct bbi_index_entry *entry,
                       const roaring_bitmap_t *gone, struct bbi_buf *scratch, bool *changed,
                       struct bb_error *err)
{
    struct bbi_posting posting;
    enum bbi_posting_form form = form_of_key(entry);
    *changed = false;
    int rc = bbi_posting_parse(entry, form, &posting, err);
    if (rc == BB_OK) {
        rc = bbi_posting_intersects(&posting, gone, changed, err);
    }
    if (rc != BB_OK || !*changed) {
        return rc;
    }
    roaring_bitmap_t *rest = roaring_bitmap_create();
    if (rest == NULL) {
        return bbi_error_nomem(err, "posting list");
    }
    bbi_buf_reset(scratch);
    if (form == BBI_POSTING_LONG) {
        bbi_buf_block(scratch, posting.blob, posting.blob_len);
    }
    rc = bbi_posting_or(&posting, rest, err);
    if (rc == BB_OK) {
        roaring_bitmap_andnot_inplace(rest, gone);
        rc = put_rest(writer, entry, rest, scratch, err);
    }
    roaring_bitmap_free(rest);
    return rc;
}

int bbi_posting_forget(struct bbi_index_writer *writer, uint32_t db_id, uint32_t mid,
                       const uint8_t *blob, size_t blob_len, uint32_t high,
                       const roaring_bitmap_t *gone, struct bbi_buf *scratch, struct bb_error *err)
{
    struct bbi_posting_prefix p;
    struct bbi_index_entry entry;
    bool found;
    bool changed;
    int rc;
    if (bbi_posting_blob_prefix(&p, db_id, mid, form_of(blob, blob_len), blob, blob_len)) {
        put_be16(p.bytes + p.len, high);
        p.len += HIGH_BYTES;
        rc = bbi_index_write_get(writer, BBI_INDEX_POSTINGS, p.bytes, p.len, &entry, &found, err);
    } else {
        bbi_posting_long_prefix(&p, db_id, mid, blob, blob_len);
        rc = find_probe(writer, &p, blob, blob_len, high, &entry, &found, err);
    }
    return rc == BB_OK && found ? bbi_posting_remove(writer, &entry, gone, scratch, &changed, err)
                                : rc;
}
