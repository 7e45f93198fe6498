#include "engine/catalog/index.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/catalog/catlog.h"

#define FORMAT_VERSION 1
#define MAP_DEFAULT    ((uint64_t)64 << 30)
#define FILE_MODE      0640

/* LMDB's table of readers has this many slots; whoever finds none free waits. */
#define READERS_MAX 256

/* Version, then struct bbi_index_about. */
#define ABOUT_BYTES (4 + 3 * 8)

struct bbi_index {
    MDB_env *env;
    MDB_dbi dbi[BBI_INDEX_TABLES];
    const struct bbi_fs *fs;
    char path[BBI_FS_PATH_MAX];
    struct bbi_account *acct;
    struct bbi_index_about about;
    bool in_doubt;
    pthread_mutex_t pool_lock; /* covers the rest */
    pthread_cond_t pool_freed;
    struct bbi_index_reader *idle;
    unsigned reader_count; /* idle or not */
};

struct bbi_index_reader {
    struct bbi_index *index;
    MDB_txn *txn;
    MDB_cursor *cursors[BBI_INDEX_TABLES]; /* made at first use, renewed after */
    bool cursor_is_fresh[BBI_INDEX_TABLES];
    struct bbi_index_reader *next;
};

struct bbi_index_writer {
    struct bbi_index *index;
    MDB_txn *txn;
    MDB_cursor *cursors[BBI_INDEX_TABLES];
    bool at_end[BBI_INDEX_TABLES]; /* the last put was the table's last key */
};

static const char *const table_names[BBI_INDEX_TABLES] = {"misc", "series", "keys", "postings"};

static int index_error(const struct bbi_index *index, int mdb_rc, const char *what,
                       struct bb_error *err)
{
    int code;
    switch (mdb_rc) {
    case MDB_MAP_FULL:
        return bbi_error_set(err, BB_ENOSPC,
                             "%s: %s: its address space is full (option catalog_map_bytes)",
                             index->path, what);
    case MDB_READERS_FULL:
        code = BB_EBUSY;
        break;
    case MDB_PANIC:
        code = BB_EREADONLY;
        break;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_NOTFOUND:
    case MDB_INCOMPATIBLE:
        code = BB_ECORRUPT;
        break;
    default:
        if (mdb_rc > 0) {
            return bbi_error_errno(err, mdb_rc, "%s: %s", index->path, what);
        }
        code = BB_EINTERNAL;
        break;
    }
    return bbi_error_set(err, code, "%s: %s: %s", index->path, what, mdb_strerror(mdb_rc));
}

/* ---- numbers in keys ---- */

uint8_t *bbi_index_put_uint(uint8_t *p, uint32_t v)
{
    if (v <= 240) {
        *p++ = (uint8_t)v;
    } else if (v <= 2287) {
        *p++ = (uint8_t)((v - 240) / 256 + 241);
        *p++ = (uint8_t)((v - 240) % 256);
    } else if (v <= 67823) {
        *p++ = 249;
        *p++ = (uint8_t)((v - 2288) / 256);
        *p++ = (uint8_t)((v - 2288) % 256);
    } else {
        unsigned bytes = v < (1u << 24) ? 3 : 4;
        *p++ = (uint8_t)(247 + bytes);
        for (unsigned i = bytes; i-- > 0;) {
            *p++ = (uint8_t)(v >> (8 * i));
        }
    }
    return p;
}

uint32_t bbi_index_get_uint(struct bbi_cursor *c)
{
    uint32_t first = bbi_cursor_u8(c);
    if (first <= 240) {
        return first;
    }
    if (first <= 248) {
        return 240 + (first - 241) * 256 + bbi_cursor_u8(c);
    }
    if (first == 249) {
        uint32_t high = bbi_cursor_u8(c);
        return 2288 + high * 256 + bbi_cursor_u8(c);
    }
    if (first > 251) {
        c->err = BB_ECORRUPT;
        return 0;
    }
    uint32_t v = 0;
    for (unsigned i = first - 247; i > 0; i--) {
        v = v << 8 | bbi_cursor_u8(c);
    }
    return v;
}

/* ---- values and their checksums ---- */

static int check_value(const struct bbi_index *index, enum bbi_index_table table,
                       const MDB_val *key, const MDB_val *value, struct bbi_index_entry *entry,
                       struct bb_error *err)
{
    if (value->mv_size >= BBI_INDEX_SUM_BYTES) {
        size_t len = value->mv_size - BBI_INDEX_SUM_BYTES;
        const uint8_t *p = value->mv_data;
        if (bbi_index_checksum(table, key->mv_data, key->mv_size, p, len) == bbi_get_u32(p + len)) {
            *entry = (struct bbi_index_entry){key->mv_data, key->mv_size, p, len};
            return BB_OK;
        }
    }
    return bbi_error_set(err, BB_ECORRUPT, "%s: table %s: a value's checksum is wrong", index->path,
                         table_names[table]);
}

bool bbi_index_has_prefix(const struct bbi_index_entry *entry, const void *prefix, size_t len)
{
    return entry->key_len >= len && memcmp(entry->key, prefix, len) == 0;
}

/* ---- reading ---- */

static void reader_free(struct bbi_index_reader *r)
{
    for (int t = 0; t < BBI_INDEX_TABLES; t++) {
        if (r->cursors[t] != NULL) {
            mdb_cursor_close(r->cursors[t]);
        }
    }
    if (r->txn != NULL) {
        mdb_txn_abort(r->txn);
    }
    bbi_mem_free(r);
}

/* An idle reader, or room to make one (NULL). */
static struct bbi_index_reader *pool_take(struct bbi_index *index)
{
    pthread_mutex_lock(&index->pool_lock);
    while (index->idle == NULL && index->reader_count >= READERS_MAX) {
        pthread_cond_wait(&index->pool_freed, &index->pool_lock);
    }
    struct bbi_index_reader *r = index->idle;
    if (r != NULL) {
        index->idle = r->next;
    } else {
        index->reader_count++;
    }
    pthread_mutex_unlock(&index->pool_lock);
    return r;
}

/* r NULL: give back the room alone. */
static void pool_give(struct bbi_index *index, struct bbi_index_reader *r)
{
    pthread_mutex_lock(&index->pool_lock);
    if (r != NULL) {
        r->next = index->idle;
        index->idle = r;
    } else {
        index->reader_count--;
    }
    pthread_cond_signal(&index->pool_freed);
    pthread_mutex_unlock(&index->pool_lock);
}

int bbi_index_read_begin(struct bbi_index *index, struct bbi_index_reader **reader,
                         struct bb_error *err)
{
    *reader = NULL;
    struct bbi_index_reader *r = pool_take(index);
    int rc;
    if (r != NULL) {
        rc = mdb_txn_renew(r->txn);
    } else {
        r = bbi_mem_zalloc(index->acct, 1, sizeof(*r));
        if (r == NULL) {
            pool_give(index, NULL);
            return bbi_error_nomem(err, "catalog reader");
        }
        r->index = index;
        rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &r->txn);
    }
    if (rc != 0) {
        reader_free(r);
        pool_give(index, NULL);
        return index_error(index, rc, "begin reading", err);
    }
    *reader = r;
    return BB_OK;
}

void bbi_index_read_end(struct bbi_index_reader **reader)
{
    struct bbi_index_reader *r = *reader;
    *reader = NULL;
    if (r != NULL) {
        memset(r->cursor_is_fresh, 0, sizeof(r->cursor_is_fresh));
        mdb_txn_reset(r->txn);
        pool_give(r->index, r);
    }
}

int bbi_index_get(struct bbi_index_reader *reader, enum bbi_index_table table, const void *key,
                  size_t key_len, struct bbi_index_entry *entry, bool *found, struct bb_error *err)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    MDB_val v;
    *found = false;
    int rc = mdb_get(reader->txn, reader->index->dbi[table], &k, &v);
    if (rc == MDB_NOTFOUND) {
        return BB_OK;
    }
    if (rc != 0) {
        return index_error(reader->index, rc, "get", err);
    }
    *found = true;
    return check_value(reader->index, table, &k, &v, entry, err);
}

static int reader_cursor(struct bbi_index_reader *reader, enum bbi_index_table table,
                         MDB_cursor **cursor, struct bb_error *err)
{
    int rc = 0;
    if (reader->cursors[table] == NULL) {
        rc = mdb_cursor_open(reader->txn, reader->index->dbi[table], &reader->cursors[table]);
    } else if (!reader->cursor_is_fresh[table]) {
        rc = mdb_cursor_renew(reader->txn, reader->cursors[table]);
    }
    reader->cursor_is_fresh[table] = rc == 0;
    *cursor = reader->cursors[table];
    return rc == 0 ? BB_OK : index_error(reader->index, rc, "open a cursor", err);
}

static int cursor_step(struct bbi_index_reader *reader, enum bbi_index_table table, MDB_val *k,
                       MDB_cursor_op op, struct bbi_index_entry *entry, bool *found,
                       struct bb_error *err)
{
    MDB_cursor *cursor;
    MDB_val v;
    *found = false;
    int rc = reader_cursor(reader, table, &cursor, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, k, &v, op);
    if (rc == MDB_NOTFOUND) {
        return BB_OK;
    }
    if (rc != 0) {
        return index_error(reader->index, rc, "read", err);
    }
    *found = true;
    return check_value(reader->index, table, k, &v, entry, err);
}

int bbi_index_seek(struct bbi_index_reader *reader, enum bbi_index_table table, const void *key,
                   size_t key_len, struct bbi_index_entry *entry, bool *found, struct bb_error *err)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    return cursor_step(reader, table, &k, MDB_SET_RANGE, entry, found, err);
}

int bbi_index_next(struct bbi_index_reader *reader, enum bbi_index_table table,
                   struct bbi_index_entry *entry, bool *found, struct bb_error *err)
{
    MDB_val k = {0, NULL};
    return cursor_step(reader, table, &k, MDB_NEXT, entry, found, err);
}

/* ---- writing ---- */

static int writer_begin(struct bbi_index *index, struct bbi_index_writer **writer,
                        struct bb_error *err)
{
    struct bbi_index_writer *w = bbi_mem_zalloc(index->acct, 1, sizeof(*w));
    *writer = w;
    if (w == NULL) {
        return bbi_error_nomem(err, "catalog writer");
    }
    w->index = index;
    int rc = mdb_txn_begin(index->env, NULL, 0, &w->txn);
    if (rc != 0) {
        bbi_mem_free(w);
        *writer = NULL;
        return index_error(index, rc, "begin writing", err);
    }
    return BB_OK;
}

int bbi_index_write_begin(struct bbi_index *index, struct bbi_index_writer **writer,
                          struct bb_error *err)
{
    *writer = NULL;
    if (index->in_doubt) {
        return bbi_error_set(err, BB_EREADONLY, "%s: an earlier commit is in doubt", index->path);
    }
    int rc = writer_begin(index, writer, err);
    for (int t = 0; rc == BB_OK && t < BBI_INDEX_TABLES; t++) {
        int mdb_rc = mdb_cursor_open((*writer)->txn, index->dbi[t], &(*writer)->cursors[t]);
        if (mdb_rc != 0) {
            rc = index_error(index, mdb_rc, "open a cursor", err);
            bbi_index_write_abort(writer);
        }
    }
    return rc;
}

void bbi_index_write_abort(struct bbi_index_writer **writer)
{
    if (*writer != NULL) {
        /* LMDB frees the cursors of a write transaction with it. */
        mdb_txn_abort((*writer)->txn);
        bbi_mem_free(*writer);
        *writer = NULL;
    }
}

uint64_t bbi_index_seed(const struct bbi_index_writer *writer)
{
    return writer->index->about.seed;
}

/* Whether a key would be the table's new last one. */
static int is_behind_last(MDB_cursor *cursor, MDB_txn *txn, MDB_dbi dbi, const MDB_val *key,
                          bool *behind)
{
    MDB_val last;
    MDB_val ignored;
    int rc = mdb_cursor_get(cursor, &last, &ignored, MDB_LAST);
    *behind = rc == MDB_NOTFOUND || (rc == 0 && mdb_cmp(txn, dbi, key, &last) > 0);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int bbi_index_put(struct bbi_index_writer *writer, enum bbi_index_table table, const void *key,
                  size_t key_len, const void *value, size_t value_len, struct bb_error *err)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    MDB_val v = {value_len + BBI_INDEX_SUM_BYTES, NULL};
    MDB_cursor *cursor = writer->cursors[table];
    int rc = 0;
    if (!writer->at_end[table]) {
        rc = is_behind_last(cursor, writer->txn, writer->index->dbi[table], &k,
                            &writer->at_end[table]);
    }
    if (rc == 0 && writer->at_end[table]) {
        rc = mdb_cursor_put(cursor, &k, &v, MDB_RESERVE | MDB_APPEND);
        writer->at_end[table] = rc == 0;
    }
    if (rc == MDB_KEYEXIST || (rc == 0 && !writer->at_end[table])) {
        rc = mdb_cursor_put(cursor, &k, &v, MDB_RESERVE);
    }
    if (rc != 0) {
        return index_error(writer->index, rc, "put", err);
    }
    uint8_t *p = v.mv_data;
    memcpy(p, value, value_len);
    bbi_put_u32(p + value_len, bbi_index_checksum(table, key, key_len, p, value_len));
    return BB_OK;
}

int bbi_index_write_get(struct bbi_index_writer *writer, enum bbi_index_table table,
                        const void *key, size_t key_len, struct bbi_index_entry *entry, bool *found,
                        struct bb_error *err)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    MDB_val v;
    *found = false;
    if (writer->at_end[table]) {
        bool behind;
        int rc = is_behind_last(writer->cursors[table], writer->txn, writer->index->dbi[table], &k,
                                &behind);
        if (rc == 0 && behind) {
            return BB_OK;
        }
    }
    int rc = mdb_get(writer->txn, writer->index->dbi[table], &k, &v);
    if (rc == MDB_NOTFOUND) {
        return BB_OK;
    }
    if (rc != 0) {
        return index_error(writer->index, rc, "get", err);
    }
    *found = true;
    return check_value(writer->index, table, &k, &v, entry, err);
}

int bbi_index_write_seek(struct bbi_index_writer *writer, enum bbi_index_table table,
                         const void *key, size_t key_len, struct bbi_index_entry *entry,
                         bool *found, struct bb_error *err)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    MDB_val v;
    *found = false;
    int rc = mdb_cursor_get(writer->cursors[table], &k, &v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND) {
        return BB_OK;
    }
    if (rc != 0) {
        return index_error(writer->index, rc, "read", err);
    }
    *found = true;
    return check_value(writer->index, table, &k, &v, entry, err);
}

int bbi_index_delete(struct bbi_index_writer *writer, enum bbi_index_table table, const void *key,
                     size_t key_len, struct bb_error *err)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    writer->at_end[table] = false;
    int rc = mdb_del(writer->txn, writer->index->dbi[table], &k, NULL);
    return rc == 0 || rc == MDB_NOTFOUND ? BB_OK : index_error(writer->index, rc, "delete", err);
}

int bbi_index_delete_prefix(struct bbi_index_writer *writer, enum bbi_index_table table,
                            const void *prefix, size_t len, struct bb_error *err)
{
    MDB_cursor *cursor = writer->cursors[table];
    int rc;
    writer->at_end[table] = false;
    do {
        MDB_val k = {len, (void *)(uintptr_t)prefix};
        MDB_val v;
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        if (rc == 0) {
            bool is_ours = k.mv_size >= len && memcmp(k.mv_data, prefix, len) == 0;
            rc = is_ours ? mdb_cursor_del(cursor, 0) : MDB_NOTFOUND;
        }
    } while (rc == 0);
    return rc == MDB_NOTFOUND ? BB_OK : index_error(writer->index, rc, "delete a range", err);
}

/* LMDB refuses all further transactions once it could not write a meta page. */
static bool env_is_dead(struct bbi_index *index)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0) {
        mdb_txn_abort(txn);
    }
    return rc == MDB_PANIC;
}

static int put_about(struct bbi_index_writer *w, const struct bbi_index_about *about,
                     struct bb_error *err)
{
    uint8_t key = BBI_MISC_ABOUT;
    uint8_t value[ABOUT_BYTES];
    bbi_put_u32(value, FORMAT_VERSION);
    bbi_put_u64(value + 4, about->log_id);
    bbi_put_u64(value + 12, about->log_end);
    bbi_put_u64(value + 20, about->seed);
    w->at_end[BBI_INDEX_MISC] = false;
    return bbi_index_put(w, BBI_INDEX_MISC, &key, 1, value, sizeof(value), err);
}

static int commit(struct bbi_index *index, MDB_txn *txn, struct bb_error *err)
{
    int rc = bbi_fs_external_begin(index->fs, index->path, err);
    if (rc != BB_OK) {
        mdb_txn_abort(txn);
        return rc;
    }
    int mdb_rc = mdb_txn_commit(txn);
    struct bb_error end_err;
    int end_rc = bbi_fs_external_end(index->fs, index->path, mdb_rc == 0, &end_err);
    if (mdb_rc != 0) {
        rc = index_error(index, mdb_rc, "commit", err);
        index->in_doubt = env_is_dead(index);
    } else if (end_rc != BB_OK) {
        *err = end_err;
        index->in_doubt = true;
    } else {
        return BB_OK;
    }
    if (index->in_doubt) {
        err->code = BB_EREADONLY;
        return bbi_error_wrap(err, "the catalog's commit is in doubt");
    }
    return rc;
}

int bbi_index_write_commit(struct bbi_index_writer **writer, const struct bbi_index_about *about,
                           struct bb_error *err)
{
    struct bbi_index *index = (*writer)->index;
    int rc = put_about(*writer, about, err);
    if (rc != BB_OK) {
        bbi_index_write_abort(writer);
        return rc;
    }
    rc = commit(index, (*writer)->txn, err);
    bbi_mem_free(*writer);
    *writer = NULL;
    if (rc == BB_OK) {
        index->about = *about;
    }
    return rc;
}

/* ---- opening ---- */

static int read_about(struct bbi_index *index, struct bb_error *err)
{
    struct bbi_index_reader *r;
    struct bbi_index_entry e;
    uint8_t key = BBI_MISC_ABOUT;
    bool found;
    int rc = bbi_index_read_begin(index, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_index_get(r, BBI_INDEX_MISC, &key, 1, &e, &found, err);
    if (rc == BB_OK && (!found || e.value_len < 4)) {
        rc = bbi_error_set(err, BB_ECORRUPT, "%s: does not say what it is", index->path);
    }
    if (rc == BB_OK && bbi_get_u32(e.value) != FORMAT_VERSION) {
        rc = bbi_error_set(err, BB_EVERSION, "%s: format %u, this program knows %d", index->path,
                           bbi_get_u32(e.value), FORMAT_VERSION);
    }
    if (rc == BB_OK && e.value_len != ABOUT_BYTES) {
        rc = bbi_error_set(err, BB_ECORRUPT, "%s: does not say what it is", index->path);
    }
    if (rc == BB_OK) {
        index->about = (struct bbi_index_about){bbi_get_u64(e.value + 4), bbi_get_u64(e.value + 12),
                                                bbi_get_u64(e.value + 20)};
    }
    bbi_index_read_end(&r);
    return rc;
}

static int open_tables(struct bbi_index *index, MDB_txn *txn, unsigned flags, struct bb_error *err)
{
    for (int t = 0; t < BBI_INDEX_TABLES; t++) {
        int rc = mdb_dbi_open(txn, table_names[t], flags, &index->dbi[t]);
        if (rc != 0) {
            return index_error(index, rc, table_names[t], err);
        }
    }
    return BB_OK;
}

/* Tables can be opened in a transaction that only reads, but stay open only after its commit. */
static int use_tables(struct bbi_index *index, struct bb_error *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        return index_error(index, rc, "begin reading", err);
    }
    rc = open_tables(index, txn, 0, err);
    if (rc != BB_OK) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? read_about(index, err) : index_error(index, rc, "open tables", err);
}

static int create_tables(struct bbi_index *index, struct bb_error *err)
{
    struct bbi_index_writer *w;
    struct bbi_index_about about = {.seed = bbi_catlog_new_id()};
    int rc = writer_begin(index, &w, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = open_tables(index, w->txn, MDB_CREATE, err);
    if (rc == BB_OK) {
        int mdb_rc = mdb_cursor_open(w->txn, index->dbi[BBI_INDEX_MISC],
                                     &w->cursors[BBI_INDEX_MISC]);
        rc = mdb_rc == 0 ? BB_OK : index_error(index, mdb_rc, "open a cursor", err);
    }
    if (rc != BB_OK) {
        bbi_index_write_abort(&w);
        return rc;
    }
    return bbi_index_write_commit(&w, &about, err);
}

static int env_open(struct bbi_index *index, uint64_t map_bytes, struct bb_error *err)
{
    char real[BBI_FS_PATH_MAX];
    int rc = bbi_fs_real_path(index->fs, index->path, real, err);
    if (rc != BB_OK) {
        return rc;
    }
    int mdb_rc = mdb_env_create(&index->env);
    if (mdb_rc != 0) {
        index->env = NULL;
        return index_error(index, mdb_rc, "create", err);
    }
    (void)mdb_env_set_maxdbs(index->env, BBI_INDEX_TABLES);
    (void)mdb_env_set_maxreaders(index->env, READERS_MAX + 2);
    (void)mdb_env_set_mapsize(index->env, (size_t)(map_bytes == 0 ? MAP_DEFAULT : map_bytes));
    mdb_rc = mdb_env_open(index->env, real, MDB_NOSUBDIR | MDB_NOTLS, FILE_MODE);
    return mdb_rc == 0 ? BB_OK : index_error(index, mdb_rc, "open", err);
}

int bbi_index_open(const struct bbi_fs *fs, const char *path, uint64_t map_bytes,
                   struct bbi_account *acct, struct bbi_index **out, struct bb_error *err)
{
    struct bbi_fs_stat st;
    *out = NULL;
    int rc = bbi_fs_stat(fs, path, &st, err);
    if (rc != BB_OK) {
        return rc;
    }
    struct bbi_index *index = bbi_mem_zalloc(acct, 1, sizeof(*index));
    if (index == NULL) {
        return bbi_error_nomem(err, "catalog index");
    }
    index->fs = fs;
    index->acct = acct;
    (void)snprintf(index->path, sizeof(index->path), "%s", path);
    (void)pthread_mutex_init(&index->pool_lock, NULL);
    (void)pthread_cond_init(&index->pool_freed, NULL);
    rc = env_open(index, map_bytes, err);
    if (rc == BB_OK) {
        rc = st.exists ? use_tables(index, err) : create_tables(index, err);
    }
    if (rc != BB_OK) {
        bbi_index_close(&index);
        return rc;
    }
    *out = index;
    return BB_OK;
}

void bbi_index_close(struct bbi_index **index)
{
    struct bbi_index *ix = *index;
    *index = NULL;
    if (ix == NULL) {
        return;
    }
    while (ix->idle != NULL) {
        struct bbi_index_reader *r = ix->idle;
        ix->idle = r->next;
        ix->reader_count--;
        reader_free(r);
    }
    BB_ASSERT(ix->reader_count == 0);
    if (ix->env != NULL) {
        mdb_env_close(ix->env);
    }
    pthread_mutex_destroy(&ix->pool_lock);
    pthread_cond_destroy(&ix->pool_freed);
    bbi_mem_free(ix);
}

const struct bbi_index_about *bbi_index_about(const struct bbi_index *index)
{
    return &index->about;
}

bool bbi_index_is_in_doubt(const struct bbi_index *index)
{
    return index->in_doubt;
}
