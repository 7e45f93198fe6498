#include "engine/base/record.h"

#include "engine/base/bitmap.h"

#define BODY_VERSION 1

/* A record lies in memory whole while it is built. */
#define BODY_BYTES_MAX ((size_t)1 << 31)

#define TYPE_TABLE(X)   \
    X(DATABASE_NEW)     \
    X(DATABASE_DROP)    \
    X(RP_NEW)           \
    X(RP_ALTER)         \
    X(RP_DROP)          \
    X(MEASUREMENT_NEW)  \
    X(FIELD_NEW)        \
    X(SERIES_NEW)       \
    X(DELETE)           \
    X(BATCH)            \
    X(SOURCE)           \
    X(SERIES_DROP)      \
    X(MEASUREMENT_DROP) \
    X(USER_NEW)         \
    X(USER_ALTER)       \
    X(USER_DROP)        \
    X(TASK_NEW)         \
    X(TASK_DROP)        \
    X(SEGMENT_ADD)      \
    X(SEGMENT_REMOVE)   \
    X(TOMBSTONE_REMOVE) \
    X(CHECKPOINT)

const char *bbi_record_type_name(unsigned type)
{
    switch (type) {
#define TYPE_CASE(name)     \
    case BBI_RECORD_##name: \
        return #name;
        TYPE_TABLE(TYPE_CASE)
#undef TYPE_CASE
    default:
        return "?";
    }
}

int bbi_record_next(struct bbi_cursor *c, struct bbi_record *record, struct bb_error *err)
{
    unsigned type = bbi_cursor_u8(c);
    record->body = bbi_cursor_block(c, &record->len);
    if (c->err != BB_OK) {
        return bbi_error_set(err, BB_ECORRUPT, "record of type %u: truncated or malformed", type);
    }
    if (bbi_record_type_name(type)[0] == '?') {
        return bbi_error_set(err, BB_EVERSION, "unknown record type %u", type);
    }
    record->type = (enum bbi_record_type)type;
    return BB_OK;
}

void bbi_record_put(struct bbi_buf *b, enum bbi_record_type type, const void *body, size_t len)
{
    bbi_buf_u8(b, (uint8_t)type);
    bbi_buf_block(b, body, len);
}

/* ---- bodies ---- */

/* Bodies with names in them are built aside, because their length stands before them; those of ids
 * alone fit an array. */
struct small_body {
    uint8_t bytes[256];
    uint8_t *at;
};

static void small_init(struct small_body *s)
{
    s->at = s->bytes;
    *s->at++ = BODY_VERSION;
}

static void small_varint(struct small_body *s, uint64_t v)
{
    BB_ASSERT((size_t)(s->at - s->bytes) <= sizeof(s->bytes) - BBI_VARINT_MAX);
    s->at = bbi_put_varint(s->at, v);
}

static void small_zigzag(struct small_body *s, int64_t v)
{
    small_varint(s, bbi_zigzag(v));
}

static void small_put(struct bbi_buf *b, enum bbi_record_type type, const struct small_body *s)
{
    bbi_record_put(b, type, s->bytes, (size_t)(s->at - s->bytes));
}

/* The body of s, with a last part that runs to the end of the record. */
static void small_put_tail(struct bbi_buf *b, enum bbi_record_type type, const struct small_body *s,
                           const uint8_t *tail, size_t tail_len)
{
    size_t head_len = (size_t)(s->at - s->bytes);
    bbi_buf_u8(b, (uint8_t)type);
    bbi_buf_varint(b, head_len + tail_len);
    bbi_buf_put(b, s->bytes, head_len);
    bbi_buf_put(b, tail, tail_len);
}

static int body_open(const struct bbi_record *record, struct bbi_cursor *c, struct bb_error *err)
{
    bbi_cursor_init(c, record->body, record->len);
    int version = bbi_cursor_u8(c);
    if (c->err == BB_OK && version != BODY_VERSION) {
        return bbi_error_set(err, BB_EVERSION, "record %s: unknown version %d",
                             bbi_record_type_name(record->type), version);
    }
    return BB_OK;
}

static int body_error(const struct bbi_record *record, struct bb_error *err)
{
    return bbi_error_set(err, BB_ECORRUPT, "record %s: truncated or malformed",
                         bbi_record_type_name(record->type));
}

static int body_close(const struct bbi_record *record, const struct bbi_cursor *c,
                      struct bb_error *err)
{
    return c->err != BB_OK || bbi_cursor_left(c) != 0 ? body_error(record, err) : BB_OK;
}

static uint32_t get_u32(struct bbi_cursor *c)
{
    uint64_t v = bbi_cursor_varint(c);
    if (v > UINT32_MAX) {
        c->err = BB_ECORRUPT;
        return 0;
    }
    return (uint32_t)v;
}

/* Ids start at 1. */
static uint32_t get_id(struct bbi_cursor *c)
{
    uint32_t id = get_u32(c);
    if (id == 0) {
        c->err = BB_ECORRUPT;
    }
    return id;
}

static const uint8_t *get_tail_name(struct bbi_cursor *c, size_t *len)
{
    *len = bbi_cursor_left(c);
    if (*len > BBI_NAME_MAX) {
        c->err = BB_ECORRUPT;
    }
    return bbi_cursor_bytes(c, *len);
}

/* ---- schema ---- */

void bbi_record_put_database_new(struct bbi_buf *b, const struct bbi_record_database *r)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, r->db_id);
    small_put_tail(b, BBI_RECORD_DATABASE_NEW, &s, r->name, r->name_len);
}

void bbi_record_put_database_drop(struct bbi_buf *b, uint32_t db_id)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, db_id);
    small_put(b, BBI_RECORD_DATABASE_DROP, &s);
}

int bbi_record_get_database(const struct bbi_record *record, struct bbi_record_database *r,
                            struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *r = (struct bbi_record_database){.db_id = get_id(&c)};
    if (record->type == BBI_RECORD_DATABASE_NEW) {
        r->name = get_tail_name(&c, &r->name_len);
    }
    return body_close(record, &c, err);
}

static void put_rp(struct bbi_buf *b, enum bbi_record_type type, const struct bbi_record_rp *r)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, r->db_id);
    small_varint(&s, r->rp_id);
    small_varint(&s, (uint64_t)r->duration_ns);
    small_varint(&s, (uint64_t)r->shard_ns);
    uint64_t more_replicas = r->replicas <= 1 ? 0 : r->replicas - 1;
    small_varint(&s, more_replicas << 1 | (r->is_default ? 1 : 0));
    small_put_tail(b, type, &s, r->name, r->name_len);
}

void bbi_record_put_rp_new(struct bbi_buf *b, const struct bbi_record_rp *r)
{
    put_rp(b, BBI_RECORD_RP_NEW, r);
}

void bbi_record_put_rp_alter(struct bbi_buf *b, const struct bbi_record_rp *r)
{
    put_rp(b, BBI_RECORD_RP_ALTER, r);
}

void bbi_record_put_rp_drop(struct bbi_buf *b, uint32_t db_id, uint32_t rp_id)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, db_id);
    small_varint(&s, rp_id);
    small_put(b, BBI_RECORD_RP_DROP, &s);
}

int bbi_record_get_rp(const struct bbi_record *record, struct bbi_record_rp *r,
                      struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *r = (struct bbi_record_rp){.db_id = get_id(&c)};
    r->rp_id = get_id(&c);
    if (record->type != BBI_RECORD_RP_DROP) {
        r->duration_ns = (int64_t)bbi_cursor_varint(&c);
        r->shard_ns = (int64_t)bbi_cursor_varint(&c);
        uint64_t flags = bbi_cursor_varint(&c);
        r->is_default = (flags & 1) != 0;
        r->replicas = (uint32_t)(flags >> 1) + 1;
        r->name = get_tail_name(&c, &r->name_len);
        if (c.err == BB_OK &&
            (r->duration_ns < 0 || r->shard_ns <= 0 || flags >> 1 >= UINT32_MAX)) {
            return body_error(record, err);
        }
    }
    return body_close(record, &c, err);
}

void bbi_record_put_measurement_new(struct bbi_buf *b, const struct bbi_record_measurement *r)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, r->db_id);
    small_varint(&s, r->mid);
    small_put_tail(b, BBI_RECORD_MEASUREMENT_NEW, &s, r->name, r->name_len);
}

void bbi_record_put_measurement_drop(struct bbi_buf *b, uint32_t db_id, uint32_t mid)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, db_id);
    small_varint(&s, mid);
    small_put(b, BBI_RECORD_MEASUREMENT_DROP, &s);
}

int bbi_record_get_measurement(const struct bbi_record *record, struct bbi_record_measurement *r,
                               struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *r = (struct bbi_record_measurement){.db_id = get_id(&c)};
    r->mid = get_id(&c);
    if (record->type == BBI_RECORD_MEASUREMENT_DROP) {
        return body_close(record, &c, err);
    }
    r->name = get_tail_name(&c, &r->name_len);
    return body_close(record, &c, err);
}

void bbi_record_put_field_new(struct bbi_buf *b, const struct bbi_record_field *r)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, r->db_id);
    small_varint(&s, r->mid);
    small_varint(&s, r->field_id);
    small_varint(&s, (uint64_t)r->type);
    small_put_tail(b, BBI_RECORD_FIELD_NEW, &s, r->name, r->name_len);
}

int bbi_record_get_field(const struct bbi_record *record, struct bbi_record_field *r,
                         struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *r = (struct bbi_record_field){.db_id = get_id(&c)};
    r->mid = get_id(&c);
    r->field_id = get_id(&c);
    uint64_t type = bbi_cursor_varint(&c);
    if (c.err == BB_OK && (type < BBI_FLOAT || type > BBI_STRING)) {
        return bbi_error_set(err, BB_EVERSION, "record FIELD_NEW: unknown field type %llu",
                             (unsigned long long)type);
    }
    r->type = (enum bbi_type)type;
    r->name = get_tail_name(&c, &r->name_len);
    return body_close(record, &c, err);
}

/* ---- users ---- */

/* Written twice: into nothing, to learn the length that stands before it, and in place. */
static size_t put_user_varint(struct bbi_buf *b, uint64_t v)
{
    uint8_t bytes[BBI_VARINT_MAX];
    size_t len = (size_t)(bbi_put_varint(bytes, v) - bytes);
    if (b != NULL) {
        bbi_buf_put(b, bytes, len);
    }
    return len;
}

static size_t put_user_block(struct bbi_buf *b, const uint8_t *bytes, size_t len)
{
    if (b != NULL) {
        bbi_buf_block(b, bytes, len);
    }
    return put_user_varint(NULL, len) + len;
}

static size_t put_user_body(struct bbi_buf *b, const struct bbi_record_user *r,
                            const struct bbi_grant *grants)
{
    size_t len = put_user_varint(b, BODY_VERSION);
    len += put_user_varint(b, r->user_id);
    len += put_user_varint(b, r->is_admin ? 1 : 0);
    len += put_user_block(b, r->verifier, r->verifier_len);
    len += put_user_block(b, r->name, r->name_len);
    len += put_user_varint(b, r->grant_count);
    for (uint32_t i = 0; i < r->grant_count; i++) {
        len += put_user_varint(b, grants[i].db_id);
        len += put_user_varint(b, (uint64_t)grants[i].privilege);
    }
    return len;
}

void bbi_record_put_user(struct bbi_buf *b, enum bbi_record_type type,
                         const struct bbi_record_user *r, const struct bbi_grant *grants)
{
    bbi_buf_u8(b, (uint8_t)type);
    bbi_buf_varint(b, put_user_body(NULL, r, grants));
    (void)put_user_body(b, r, grants);
}

void bbi_record_put_user_drop(struct bbi_buf *b, uint32_t user_id)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, user_id);
    small_put(b, BBI_RECORD_USER_DROP, &s);
}

static struct bbi_grant get_grant(struct bbi_cursor *c)
{
    struct bbi_grant grant = {.db_id = get_id(c)};
    uint64_t privilege = bbi_cursor_varint(c);
    if (privilege > BBI_PRIVILEGE_ALL) {
        c->err = BB_ECORRUPT;
    }
    grant.privilege = (enum bbi_privilege)(privilege & BBI_PRIVILEGE_ALL);
    return grant;
}

struct bbi_grant bbi_record_next_grant(struct bbi_record_user *r)
{
    return get_grant(&r->grants);
}

static void get_user_body(struct bbi_cursor *c, struct bbi_record_user *r)
{
    uint64_t flags = bbi_cursor_varint(c);
    r->is_admin = flags == 1;
    r->verifier = bbi_cursor_block(c, &r->verifier_len);
    r->name = bbi_cursor_block(c, &r->name_len);
    r->grant_count = get_u32(c);
    r->grants = *c;
    if (flags > 1 || r->verifier_len > BBI_VERIFIER_MAX || r->name_len == 0 ||
        r->name_len > BBI_USER_NAME_MAX) {
        c->err = BB_ECORRUPT;
    }
    uint32_t last = 0;
    for (uint32_t i = 0; i < r->grant_count && c->err == BB_OK; i++) {
        struct bbi_grant grant = get_grant(c);
        if (grant.db_id <= last) {
            c->err = BB_ECORRUPT;
        }
        last = grant.db_id;
    }
}

int bbi_record_get_user(const struct bbi_record *record, struct bbi_record_user *r,
                        struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *r = (struct bbi_record_user){.user_id = get_id(&c)};
    if (record->type != BBI_RECORD_USER_DROP) {
        get_user_body(&c, r);
    }
    return body_close(record, &c, err);
}

/* ---- tasks ---- */

void bbi_record_put_task_new(struct bbi_buf *b, const struct bbi_record_task *r)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, r->db_id);
    small_varint(&s, r->task_id);
    small_varint(&s, (uint64_t)r->kind);
    small_varint(&s, r->rp_id);
    small_varint(&s, r->name_len);
    size_t head_len = (size_t)(s.at - s.bytes);
    bbi_buf_u8(b, BBI_RECORD_TASK_NEW);
    bbi_buf_varint(b, head_len + r->name_len + r->text_len);
    bbi_buf_put(b, s.bytes, head_len);
    bbi_buf_put(b, r->name, r->name_len);
    bbi_buf_put(b, r->text, r->text_len);
}

void bbi_record_put_task_drop(struct bbi_buf *b, uint32_t db_id, uint32_t task_id)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, db_id);
    small_varint(&s, task_id);
    small_put(b, BBI_RECORD_TASK_DROP, &s);
}

static int get_task_body(const struct bbi_record *record, struct bbi_cursor *c,
                         struct bbi_record_task *r, struct bb_error *err)
{
    uint64_t kind = bbi_cursor_varint(c);
    if (c->err == BB_OK && kind != BBI_TASK_CONTINUOUS_QUERY && kind != BBI_TASK_SUBSCRIPTION) {
        return bbi_error_set(err, BB_EVERSION, "record TASK_NEW: unknown kind %llu",
                             (unsigned long long)kind);
    }
    r->kind = (enum bbi_task_kind)kind;
    r->rp_id = get_u32(c);
    r->name = bbi_cursor_block(c, &r->name_len);
    r->text_len = bbi_cursor_left(c);
    r->text = bbi_cursor_bytes(c, r->text_len);
    bool is_subscription = r->kind == BBI_TASK_SUBSCRIPTION;
    if (c->err == BB_OK && (r->name_len > BBI_TASK_NAME_MAX || r->text_len > BBI_TASK_TEXT_MAX ||
                            (r->rp_id != 0) != is_subscription)) {
        return body_error(record, err);
    }
    return body_close(record, c, err);
}

int bbi_record_get_task(const struct bbi_record *record, struct bbi_record_task *r,
                        struct bb_error *err)
{
    struct bbi_cursor c;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *r = (struct bbi_record_task){.db_id = get_id(&c)};
    r->task_id = get_id(&c);
    return record->type == BBI_RECORD_TASK_NEW ? get_task_body(record, &c, r, err)
                                               : body_close(record, &c, err);
}

/* ---- series ---- */

void bbi_series_writer_init(struct bbi_series_writer *w, struct bbi_account *acct)
{
    *w = (struct bbi_series_writer){.db_id = 0};
    bbi_buf_init(&w->body, acct, BBI_SERIES_RECORD_BYTES);
}

void bbi_series_writer_fini(struct bbi_series_writer *w)
{
    bbi_buf_fini(&w->body);
}

void bbi_series_writer_close(struct bbi_series_writer *w, struct bbi_buf *out)
{
    if (w->count != 0 && w->body.err == BB_OK) {
        struct small_body s;
        small_init(&s);
        small_varint(&s, w->db_id);
        small_varint(&s, w->count);
        small_put_tail(out, BBI_RECORD_SERIES_NEW, &s, w->body.data, w->body.len);
    }
    w->body.len = 0;
    w->last_sid = 0;
    w->count = 0;
}

void bbi_series_writer_add(struct bbi_series_writer *w, uint32_t db_id,
                           const struct bbi_record_series *series, struct bbi_buf *out)
{
    /* Id, measurement and length take at most 5 + 5 + 3 bytes. */
    BB_ASSERT(series->key_len <= BBI_SERIES_KEY_MAX);
    if (w->count != 0 && (db_id != w->db_id || series->sid <= w->last_sid ||
                          w->body.len + series->key_len + 16 > BBI_SERIES_RECORD_BYTES)) {
        bbi_series_writer_close(w, out);
    }
    w->db_id = db_id;
    bbi_buf_varint(&w->body, series->sid - w->last_sid);
    bbi_buf_varint(&w->body, series->mid);
    bbi_buf_block(&w->body, series->key, series->key_len);
    w->last_sid = series->sid;
    w->count++;
}

int bbi_series_reader_init(struct bbi_series_reader *r, const struct bbi_record *record,
                           struct bb_error *err)
{
    *r = (struct bbi_series_reader){.db_id = 0};
    int rc = body_open(record, &r->c, err);
    if (rc != BB_OK) {
        return rc;
    }
    r->db_id = get_id(&r->c);
    r->left = get_u32(&r->c);
    /* Three bytes are the least that a series takes. */
    if (r->c.err != BB_OK || r->left > bbi_cursor_left(&r->c) / 3) {
        r->left = 0;
        return body_error(record, err);
    }
    return r->left == 0 ? body_close(record, &r->c, err) : BB_OK;
}

int bbi_series_reader_next(struct bbi_series_reader *r, struct bbi_record_series *series,
                           struct bb_error *err)
{
    BB_ASSERT(r->left > 0);
    uint64_t delta = bbi_cursor_varint(&r->c);
    *series = (struct bbi_record_series){.mid = get_id(&r->c)};
    series->key = bbi_cursor_block(&r->c, &series->key_len);
    bool ok = r->c.err == BB_OK && delta != 0 && delta <= UINT32_MAX - r->last_sid &&
              series->key_len <= BBI_SERIES_KEY_MAX &&
              (r->left != 1 || bbi_cursor_left(&r->c) == 0);
    if (!ok) {
        r->left = 0;
        return bbi_error_set(err, BB_ECORRUPT, "record SERIES_NEW: truncated or malformed");
    }
    r->left--;
    r->last_sid += (uint32_t)delta;
    series->sid = r->last_sid;
    return BB_OK;
}

/* ---- deletions ---- */

/* The body of s, with a bitmap for its last part. */
static void put_with_bitmap(struct bbi_buf *b, enum bbi_record_type type,
                            const struct small_body *s, const roaring_bitmap_t *ids)
{
    struct bbi_buf bitmap;
    bbi_buf_init(&bitmap, b->acct, BODY_BYTES_MAX);
    bbi_bitmap_put(&bitmap, ids);
    if (bitmap.err != BB_OK) {
        b->err = b->err == BB_OK ? bitmap.err : b->err;
    } else {
        small_put_tail(b, type, s, bitmap.data, bitmap.len);
    }
    bbi_buf_fini(&bitmap);
}

void bbi_record_put_series_drop(struct bbi_buf *b, const struct bbi_record_series_drop *r)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, r->db_id);
    small_varint(&s, r->mid);
    put_with_bitmap(b, BBI_RECORD_SERIES_DROP, &s, r->sids);
}

int bbi_record_get_series_drop(const struct bbi_record *record, struct bbi_record_series_drop *r,
                               struct bb_error *err)
{
    struct bbi_cursor c;
    *r = (struct bbi_record_series_drop){.sids = NULL};
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    r->db_id = get_id(&c);
    r->mid = get_id(&c);
    if (c.err != BB_OK) {
        return body_error(record, err);
    }
    rc = bbi_bitmap_get(c.p, bbi_cursor_left(&c), &r->sids, err);
    return rc == BB_OK ? rc : bbi_error_wrap(err, "record SERIES_DROP");
}

void bbi_record_put_delete(struct bbi_buf *b, const struct bbi_tombstone *t)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, t->lsn);
    small_varint(&s, t->db_id);
    small_varint(&s, t->rp_id);
    small_zigzag(&s, t->tmin);
    small_zigzag(&s, t->tmax);
    put_with_bitmap(b, BBI_RECORD_DELETE, &s, t->series);
}

int bbi_record_get_delete(const struct bbi_record *record, uint64_t lsn, struct bbi_tombstone *t,
                          struct bb_error *err)
{
    struct bbi_cursor c;
    *t = (struct bbi_tombstone){.lsn = 0};
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    t->lsn = bbi_cursor_varint(&c);
    t->lsn = t->lsn == 0 ? lsn : t->lsn;
    t->db_id = get_id(&c);
    t->rp_id = get_u32(&c);
    t->tmin = bbi_cursor_zigzag(&c);
    t->tmax = bbi_cursor_zigzag(&c);
    if (c.err != BB_OK) {
        return body_error(record, err);
    }
    rc = bbi_bitmap_get(c.p, bbi_cursor_left(&c), &t->series, err);
    return rc == BB_OK ? rc : bbi_error_wrap(err, "record DELETE");
}

static void put_u64(struct bbi_buf *b, enum bbi_record_type type, uint64_t v)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, v);
    small_put(b, type, &s);
}

static int get_u64(const struct bbi_record *record, uint64_t *v, struct bb_error *err)
{
    struct bbi_cursor c;
    *v = 0;
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    *v = bbi_cursor_varint(&c);
    return body_close(record, &c, err);
}

void bbi_record_put_tombstone_remove(struct bbi_buf *b, uint64_t lsn)
{
    put_u64(b, BBI_RECORD_TOMBSTONE_REMOVE, lsn);
}

int bbi_record_get_tombstone_remove(const struct bbi_record *record, uint64_t *lsn,
                                    struct bb_error *err)
{
    return get_u64(record, lsn, err);
}

/* ---- segments, checkpoints ---- */

void bbi_record_put_segment_add(struct bbi_buf *b, const struct bbi_segment_meta *m)
{
    struct small_body s;
    small_init(&s);
    small_varint(&s, m->id);
    small_varint(&s, m->db_id);
    small_varint(&s, m->rp_id);
    small_varint(&s, m->lsn_lo);
    small_varint(&s, m->lsn_hi - m->lsn_lo);
    small_varint(&s, m->tombs_lsn - m->lsn_hi);
    small_zigzag(&s, m->span_t0);
    small_varint(&s, (uint64_t)m->span_t1 - (uint64_t)m->span_t0);
    small_zigzag(&s, m->tmin);
    small_varint(&s, (uint64_t)m->tmax - (uint64_t)m->tmin);
    small_varint(&s, m->series_min);
    small_varint(&s, m->series_max);
    small_varint(&s, m->series_count);
    small_varint(&s, m->row_count);
    small_varint(&s, m->value_count);
    small_varint(&s, m->file_bytes);
    small_varint(&s, m->job_id);
    small_varint(&s, m->job_part);
    small_varint(&s, m->job_parts);
    small_varint(&s, m->level);
    small_put(b, BBI_RECORD_SEGMENT_ADD, &s);
}

/* start + length as encoded above, modulo 2^64 as there. */
static int64_t get_end(struct bbi_cursor *c, int64_t start)
{
    return (int64_t)((uint64_t)start + bbi_cursor_varint(c));
}

int bbi_record_get_segment_add(const struct bbi_record *record, struct bbi_segment_meta *m,
                               struct bb_error *err)
{
    struct bbi_cursor c;
    *m = (struct bbi_segment_meta){.id = 0};
    int rc = body_open(record, &c, err);
    if (rc != BB_OK) {
        return rc;
    }
    m->id = bbi_cursor_varint(&c);
    m->db_id = get_id(&c);
    m->rp_id = get_id(&c);
    m->lsn_lo = bbi_cursor_varint(&c);
    m->lsn_hi = m->lsn_lo + bbi_cursor_varint(&c);
    m->tombs_lsn = m->lsn_hi + bbi_cursor_varint(&c);
    m->span_t0 = bbi_cursor_zigzag(&c);
    m->span_t1 = get_end(&c, m->span_t0);
    m->tmin = bbi_cursor_zigzag(&c);
    m->tmax = get_end(&c, m->tmin);
    m->series_min = get_u32(&c);
    m->series_max = get_u32(&c);
    m->series_count = bbi_cursor_varint(&c);
    m->row_count = bbi_cursor_varint(&c);
    m->value_count = bbi_cursor_varint(&c);
    m->file_bytes = bbi_cursor_varint(&c);
    m->job_id = bbi_cursor_varint(&c);
    m->job_part = get_u32(&c);
    m->job_parts = get_u32(&c);
    m->level = get_u32(&c);
    if (c.err == BB_OK && (m->lsn_hi < m->lsn_lo || m->tombs_lsn < m->lsn_hi ||
                           m->span_t1 < m->span_t0 || m->tmax < m->tmin)) {
        return body_error(record, err);
    }
    return body_close(record, &c, err);
}

void bbi_record_put_segment_remove(struct bbi_buf *b, uint64_t id)
{
    put_u64(b, BBI_RECORD_SEGMENT_REMOVE, id);
}

int bbi_record_get_segment_remove(const struct bbi_record *record, uint64_t *id,
                                  struct bb_error *err)
{
    return get_u64(record, id, err);
}

void bbi_record_put_checkpoint(struct bbi_buf *b, const struct bbi_record_checkpoint *r,
                               const struct bbi_next_ids *ids)
{
    struct bbi_buf entries;
    bbi_buf_init(&entries, b->acct, BODY_BYTES_MAX);
    for (uint32_t i = 0; i < r->db_count; i++) {
        bbi_buf_varint(&entries, ids[i].db_id);
        bbi_buf_varint(&entries, ids[i].mid);
        bbi_buf_varint(&entries, ids[i].field_id);
        bbi_buf_varint(&entries, ids[i].sid);
    }
    if (entries.err != BB_OK) {
        b->err = b->err == BB_OK ? entries.err : b->err;
    } else {
        struct small_body s;
        small_init(&s);
        small_varint(&s, r->lsn);
        small_varint(&s, r->next_segment_id);
        small_varint(&s, r->next_db_id);
        small_varint(&s, r->next_rp_id);
        small_varint(&s, r->db_count);
        small_put_tail(b, BBI_RECORD_CHECKPOINT, &s, entries.data, entries.len);
    }
    bbi_buf_fini(&entries);
}

int bbi_record_get_checkpoint(const struct bbi_record *record, struct bbi_record_checkpoint *r,
                              struct bbi_cursor *c, struct bb_error *err)
{
    *r = (struct bbi_record_checkpoint){.lsn = 0};
    int rc = body_open(record, c, err);
    if (rc != BB_OK) {
        return rc;
    }
    r->lsn = bbi_cursor_varint(c);
    r->next_segment_id = bbi_cursor_varint(c);
    r->next_db_id = get_id(c);
    r->next_rp_id = get_id(c);
    r->db_count = get_u32(c);
    /* Four bytes are the least that an entry takes. */
    if (c->err != BB_OK || r->db_count > bbi_cursor_left(c) / 4) {
        r->db_count = 0;
        return body_error(record, err);
    }
    return r->db_count == 0 ? body_close(record, c, err) : BB_OK;
}

int bbi_record_get_next_ids(struct bbi_cursor *c, struct bbi_next_ids *ids, struct bb_error *err)
{
    ids->db_id = get_id(c);
    ids->mid = get_id(c);
    ids->field_id = get_id(c);
    ids->sid = get_id(c);
    return bbi_cursor_check(c, "record CHECKPOINT", err);
}
