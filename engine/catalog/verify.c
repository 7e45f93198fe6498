/*
 * A page of LMDB (little-endian, 64-bit): number u64, pad u16, flags u16, then lower u16 and upper
 * u16, or in an overflow page the count of pages u32. Behind this header of 16 bytes stand the
 * places of the nodes, u16 each, up to `lower`; the nodes fill the page from `upper` to its end
 * without gaps, each taking an even number of bytes:
 *
 *     leaf:   data length u32, flags u16, key length u16, key, data (or its overflow page, u64)
 *     branch: child page, low 16, middle 16 and high 16 bits, key length u16, key
 *
 * A tree is described by 48 bytes (struct tree), in the meta pages for the free pages and for the
 * table of tables, in the latter's data for the named tables.
 */
#include "engine/catalog/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/cursor.h"
#include "engine/catalog/index.h"

#define META_MAGIC     UINT32_C(0xbeefc0de)
#define META_VERSION   1
#define META_BYTES     152 /* with the page header */
#define META_PAGES     2
#define PAGE_MIN       512
#define PAGE_MAX       32768
#define PAGE_HEAD      16
#define NODE_HEAD      8
#define TREE_BYTES     48
#define DEPTH_MAX      32 /* LMDB's own */
#define NO_PAGE        UINT64_MAX
#define PAGE_BRANCH    1
#define PAGE_LEAF      2
#define PAGE_OVERFLOW  4
#define PAGE_META      8
#define NODE_BIGDATA   1
#define NODE_SUBDATA   2
#define FREE_TREE_FLAG 0x4008 /* MDB_INTEGERKEY of the tree, MDB_NOSUBDIR of the environment */

struct tree {
    uint32_t pad;
    uint32_t flags;
    uint32_t depth;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;
};

enum tree_kind {
    TREE_FREE, /* transaction -> pages that it freed */
    TREE_MAIN, /* name -> table */
    TREE_TABLE
};

struct node {
    const uint8_t *key;
    size_t key_len;
    uint64_t child; /* branch */
    unsigned flags; /* leaf */
    const uint8_t *data;
    size_t data_len;
};

struct verify {
    struct bbi_file *file;
    struct bbi_account *acct;
    uint64_t file_pages;
    uint64_t last_page;
    uint64_t txn;
    size_t page_bytes;
    uint64_t *seen;            /* a bit for each page up to last_page */
    uint8_t *pages[DEPTH_MAX]; /* the path from the root, a page each */
    uint8_t *overflow;         /* the value on overflow pages that is being looked at */
    struct tree trees[2];      /* free, main */
    struct tree tables[BBI_INDEX_TABLES];
    bool has_table[BBI_INDEX_TABLES];
    /* the tree that is being walked */
    enum tree_kind kind;
    enum bbi_index_table table;
    const char *name;
    struct tree want;
    struct tree have;
    struct bb_error *err;
};

/* Keys in this range only: lo <= key < hi; NULL is no bound. */
struct bounds {
    const uint8_t *lo;
    size_t lo_len;
    const uint8_t *hi;
    size_t hi_len;
};

static const char *const table_names[BBI_INDEX_TABLES] = {"misc", "series", "keys", "postings"};

static int bad(struct verify *v, uint64_t page, const char *fmt, ...) BB_PRINTF(3, 4);

static int bad(struct verify *v, uint64_t page, const char *fmt, ...)
{
    char what[160];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (v->name == NULL) {
        return bbi_error_set(v->err, BB_ECORRUPT, "page %llu: %s", (unsigned long long)page, what);
    }
    return bbi_error_set(v->err, BB_ECORRUPT, "table %s, page %llu: %s", v->name,
                         (unsigned long long)page, what);
}

/* ---- pages ---- */

/* A page may be referred to once. */
static int mark(struct verify *v, uint64_t page, const char *as)
{
    if (page < META_PAGES || page > v->last_page) {
        return bad(v, page, "%s beyond the file's last page %llu", as,
                   (unsigned long long)v->last_page);
    }
    uint64_t bit = UINT64_C(1) << (page % 64);
    if ((v->seen[page / 64] & bit) != 0) {
        return bad(v, page, "%s in use twice", as);
    }
    v->seen[page / 64] |= bit;
    return BB_OK;
}

static int read_pages(struct verify *v, uint64_t page, size_t len, uint8_t *to)
{
    uint64_t pages = (len + v->page_bytes - 1) / v->page_bytes;
    if (page >= v->file_pages || pages > v->file_pages - page) {
        return bad(v, page, "behind the end of the file");
    }
    return bbi_file_read(v->file, to, len, page * v->page_bytes, v->err);
}

/* ---- trees and metas ---- */

static struct tree get_tree(const uint8_t *p)
{
    return (struct tree){.pad = bbi_get_u32(p),
                         .flags = bbi_get_u16(p + 4),
                         .depth = bbi_get_u16(p + 6),
                         .branch_pages = bbi_get_u64(p + 8),
                         .leaf_pages = bbi_get_u64(p + 16),
                         .overflow_pages = bbi_get_u64(p + 24),
                         .entries = bbi_get_u64(p + 32),
                         .root = bbi_get_u64(p + 40)};
}

static int read_meta(struct verify *v, uint64_t number, uint8_t meta[META_BYTES])
{
    int rc = bbi_file_read(v->file, meta, META_BYTES, number * v->page_bytes, v->err);
    if (rc != BB_OK) {
        return rc;
    }
    if (bbi_get_u64(meta) != number || bbi_get_u16(meta + 10) != PAGE_META ||
        bbi_get_u32(meta + 16) != META_MAGIC) {
        return bad(v, number, "not a meta page of LMDB");
    }
    if (bbi_get_u32(meta + 20) != META_VERSION) {
        return bad(v, number, "LMDB's format is %u, not %d", bbi_get_u32(meta + 20), META_VERSION);
    }
    struct tree free_tree = get_tree(meta + 40);
    uint32_t page_bytes = free_tree.pad;
    if (page_bytes < PAGE_MIN || page_bytes > PAGE_MAX || (page_bytes & (page_bytes - 1)) != 0 ||
        (number != 0 && page_bytes != v->page_bytes) || free_tree.flags != FREE_TREE_FLAG) {
        return bad(v, number, "meta page with page size %u, flags %x", page_bytes, free_tree.flags);
    }
    v->page_bytes = page_bytes;
    return BB_OK;
}

enum meta_kind {
    META_ABSENT, /* zeros, or behind the end of the file */
    META_VIRGIN, /* as it was made */
    META_USED,
    META_OTHER /* none */
};

static int kind_of_meta(struct verify *v, uint64_t at, uint64_t size, enum meta_kind *kind)
{
    static const uint8_t zeros[META_BYTES];
    uint8_t meta[META_BYTES];
    *kind = META_ABSENT;
    if (size < META_BYTES || at > size - META_BYTES) {
        return BB_OK;
    }
    int rc = bbi_file_read(v->file, meta, META_BYTES, at, v->err);
    if (rc == BB_OK && memcmp(meta, zeros, META_BYTES) != 0) {
        *kind = META_OTHER;
        if (bbi_get_u16(meta + 10) == PAGE_META && bbi_get_u32(meta + 16) == META_MAGIC) {
            *kind = bbi_get_u64(meta + 144) == 0 ? META_VIRGIN : META_USED;
        }
    }
    return rc;
}

/* Before the first commit is whole, both meta pages are as they were made, or not there; where the
 * second one stands, a file without the first cannot say. */
static int check_not_virgin(struct verify *v)
{
    uint64_t size;
    enum meta_kind kind = META_ABSENT;
    int rc = bbi_file_size(v->file, &size, v->err);
    if (rc == BB_OK) {
        rc = kind_of_meta(v, 0, size, &kind);
    }
    bool virgin = kind == META_ABSENT || kind == META_VIRGIN;
    for (uint64_t bytes = PAGE_MIN; rc == BB_OK && virgin && bytes <= PAGE_MAX; bytes *= 2) {
        rc = kind_of_meta(v, bytes, size, &kind);
        virgin = kind != META_USED;
    }
    return rc == BB_OK && virgin ? bbi_error_set(v->err, BB_ENOTFOUND, "nothing was ever committed")
                                 : rc;
}

/* The newest snapshot, by LMDB's choice. Transaction n is on meta page n % 2. */
static int read_metas(struct verify *v)
{
    uint8_t metas[META_PAGES][META_BYTES];
    uint64_t size;
    int rc = bbi_file_size(v->file, &size, v->err);
    for (uint64_t i = 0; rc == BB_OK && i < META_PAGES; i++) {
        rc = read_meta(v, i, metas[i]);
    }
    if (rc != BB_OK) {
        return rc;
    }
    uint64_t newest = bbi_get_u64(metas[0] + 144) < bbi_get_u64(metas[1] + 144) ? 1 : 0;
    const uint8_t *meta = metas[newest];
    v->txn = bbi_get_u64(meta + 144);
    v->last_page = bbi_get_u64(meta + 136);
    v->file_pages = size / v->page_bytes;
    v->trees[TREE_FREE] = get_tree(meta + 40);
    v->trees[TREE_MAIN] = get_tree(meta + 88);
    if (v->txn % META_PAGES != newest) {
        return bad(v, newest, "transaction %llu on the wrong meta page",
                   (unsigned long long)v->txn);
    }
    /* Behind the file's end there may be free pages that were never written, but not many. */
    if (v->last_page < 1 || v->last_page / 2 > v->file_pages + 1024) {
        return bad(v, newest, "last page %llu in a file of %llu", (unsigned long long)v->last_page,
                   (unsigned long long)v->file_pages);
    }
    return BB_OK;
}

/* ---- nodes ---- */

static int compare_keys(const struct verify *v, const uint8_t *a, size_t a_len, const uint8_t *b,
                        size_t b_len)
{
    if (v->kind == TREE_FREE) {
        uint64_t x = bbi_get_u64(a);
        uint64_t y = bbi_get_u64(b);
        return (x > y) - (x < y);
    }
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* Node i of a page of n; *bytes: what it takes. */
static int get_node(struct verify *v, uint64_t number, const uint8_t *page, size_t i,
                    struct node *node, size_t *bytes)
{
    size_t at = bbi_get_u16(page + PAGE_HEAD + 2 * i);
    size_t upper = bbi_get_u16(page + 14);
    bool is_leaf = bbi_get_u16(page + 10) == PAGE_LEAF;
    if (at < upper || at > v->page_bytes - NODE_HEAD || at % 2 != 0) {
        return bad(v, number, "node %zu is outside of the page", i);
    }
    const uint8_t *p = page + at;
    size_t left = v->page_bytes - at - NODE_HEAD;
    node->key_len = bbi_get_u16(p + 6);
    node->key = p + NODE_HEAD;
    if (node->key_len > BBI_INDEX_KEY_MAX || node->key_len > left) {
        return bad(v, number, "node %zu: key of %zu bytes", i, node->key_len);
    }
    left -= node->key_len;
    *bytes = NODE_HEAD + node->key_len;
    if (is_leaf) {
        node->flags = bbi_get_u16(p + 4);
        node->data = node->key + node->key_len;
        node->data_len = bbi_get_u32(p);
        size_t here = (node->flags & NODE_BIGDATA) != 0 ? 8 : node->data_len;
        if (here > left) {
            return bad(v, number, "node %zu: data of %zu bytes", i, node->data_len);
        }
        *bytes += here;
    } else {
        node->child = bbi_get_u32(p) | (uint64_t)bbi_get_u16(p + 4) << 32;
    }
    *bytes += *bytes % 2;
    bool may_be_empty = !is_leaf && i == 0;
    if ((v->kind == TREE_FREE && node->key_len != 8 && !(may_be_empty && node->key_len == 0)) ||
        (node->key_len == 0 && !may_be_empty)) {
        return bad(v, number, "node %zu: key of %zu bytes", i, node->key_len);
    }
    return BB_OK;
}

/* ---- data ---- */

/* Data on overflow pages: one header, then the data, over as many pages as it takes. */
static int get_overflow(struct verify *v, struct node *node)
{
    uint64_t first = bbi_get_u64(node->data);
    uint64_t pages = (PAGE_HEAD - 1 + (uint64_t)node->data_len) / v->page_bytes + 1;
    if (first > v->last_page || pages > v->last_page - first + 1) {
        return bad(v, first, "overflow of %llu pages", (unsigned long long)pages);
    }
    for (uint64_t i = 0; i < pages; i++) {
        int rc = mark(v, first + i, "overflow page");
        if (rc != BB_OK) {
            return rc;
        }
    }
    bbi_mem_free(v->overflow);
    v->overflow = bbi_mem_alloc(v->acct, PAGE_HEAD + node->data_len);
    if (v->overflow == NULL) {
        return bbi_error_nomem(v->err, "checking an overflow page");
    }
    int rc = read_pages(v, first, PAGE_HEAD + node->data_len, v->overflow);
    if (rc != BB_OK) {
        return rc;
    }
    if (bbi_get_u64(v->overflow) != first || bbi_get_u16(v->overflow + 10) != PAGE_OVERFLOW ||
        bbi_get_u32(v->overflow + 12) != pages) {
        return bad(v, first, "not an overflow page of %llu", (unsigned long long)pages);
    }
    v->have.overflow_pages += pages;
    node->data = v->overflow + PAGE_HEAD;
    return BB_OK;
}

static int check_table_entry(struct verify *v, uint64_t number, const struct node *node)
{
    for (int t = 0; t < BBI_INDEX_TABLES; t++) {
        if (node->key_len == strlen(table_names[t]) &&
            memcmp(node->key, table_names[t], node->key_len) == 0) {
            v->tables[t] = get_tree(node->data);
            v->has_table[t] = true;
            return BB_OK;
        }
    }
    return bad(v, number, "a table that is not ours");
}

/* A count and as many page numbers, descending. */
static int check_free_list(struct verify *v, uint64_t number, const struct node *node)
{
    if (bbi_get_u64(node->key) > v->txn || node->data_len < 8) {
        return bad(v, number, "list of free pages of transaction %llu",
                   (unsigned long long)bbi_get_u64(node->key));
    }
    uint64_t count = bbi_get_u64(node->data);
    if (count > node->data_len / 8 - 1) {
        return bad(v, number, "list of %llu free pages", (unsigned long long)count);
    }
    uint64_t last = NO_PAGE;
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t page = bbi_get_u64(node->data + i * 8);
        if (page >= last) {
            return bad(v, number, "list of free pages is not in order");
        }
        last = page;
        int rc = mark(v, page, "free page");
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

static int check_leaf_node(struct verify *v, uint64_t number, struct node *node)
{
    unsigned want = v->kind == TREE_MAIN ? NODE_SUBDATA : node->flags & NODE_BIGDATA;
    if (node->flags != want || (v->kind == TREE_MAIN && node->data_len != TREE_BYTES)) {
        return bad(v, number, "node with flags %x and %zu bytes", node->flags, node->data_len);
    }
    int rc = BB_OK;
    if ((node->flags & NODE_BIGDATA) != 0) {
        rc = get_overflow(v, node);
    }
    if (rc != BB_OK) {
        return rc;
    }
    if (v->kind == TREE_MAIN) {
        return check_table_entry(v, number, node);
    }
    if (v->kind == TREE_FREE) {
        return check_free_list(v, number, node);
    }
    if (node->data_len < BBI_INDEX_SUM_BYTES) {
        return bad(v, number, "value of %zu bytes", node->data_len);
    }
    size_t len = node->data_len - BBI_INDEX_SUM_BYTES;
    if (bbi_index_checksum(v->table, node->key, node->key_len, node->data, len) !=
        bbi_get_u32(node->data + len)) {
        return bad(v, number, "a value's checksum is wrong");
    }
    return BB_OK;
}

/* ---- walking ---- */

static int check_page_head(struct verify *v, uint64_t number, const uint8_t *page, uint32_t depth,
                           size_t *count)
{
    unsigned flags = bbi_get_u16(page + 10);
    size_t lower = bbi_get_u16(page + 12);
    size_t upper = bbi_get_u16(page + 14);
    unsigned want = depth == v->want.depth ? PAGE_LEAF : PAGE_BRANCH;
    if (bbi_get_u64(page) != number || flags != want || lower < PAGE_HEAD || lower % 2 != 0 ||
        lower > upper || upper > v->page_bytes) {
        return bad(v, number, "broken page header");
    }
    *count = (lower - PAGE_HEAD) / 2;
    size_t least = want == PAGE_BRANCH && v->kind != TREE_FREE ? 2 : 1;
    if (*count < least) {
        return bad(v, number, "a page of %zu nodes", *count);
    }
    return BB_OK;
}

/* The nodes of a page against its bounds and each other. */
static int check_order(struct verify *v, uint64_t number, const uint8_t *page, size_t count,
                       const struct bounds *b)
{
    struct node node;
    struct node last = {.key = NULL};
    size_t bytes;
    size_t sum = 0;
    bool is_branch = bbi_get_u16(page + 10) == PAGE_BRANCH;
    for (size_t i = 0; i < count; i++) {
        int rc = get_node(v, number, page, i, &node, &bytes);
        if (rc != BB_OK) {
            return rc;
        }
        sum += bytes;
        /* The first key of a branch page stands for everything below the second. */
        if (is_branch && i == 0) {
            continue;
        }
        bool ascends = last.key == NULL ||
                       compare_keys(v, last.key, last.key_len, node.key, node.key_len) < 0;
        bool above = b->lo == NULL ||
                     compare_keys(v, b->lo, b->lo_len, node.key, node.key_len) <= 0;
        bool below = b->hi == NULL || compare_keys(v, node.key, node.key_len, b->hi, b->hi_len) < 0;
        if (!ascends || !above || !below) {
            return bad(v, number, "node %zu: key out of order", i);
        }
        last = node;
    }
    if (sum != v->page_bytes - bbi_get_u16(page + 14)) {
        return bad(v, number, "nodes of %zu bytes in %zu", sum,
                   v->page_bytes - bbi_get_u16(page + 14));
    }
    return BB_OK;
}

static int walk(struct verify *v, uint64_t number, uint32_t depth, const struct bounds *b);

static int walk_branch(struct verify *v, uint64_t number, const uint8_t *page, size_t count,
                       uint32_t depth, const struct bounds *b)
{
    struct node node;
    struct node next;
    size_t bytes;
    int rc = get_node(v, number, page, 0, &node, &bytes);
    v->have.branch_pages++;
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        struct bounds inner = *b;
        if (i > 0) {
            inner.lo = node.key;
            inner.lo_len = node.key_len;
        }
        if (i + 1 < count) {
            rc = get_node(v, number, page, i + 1, &next, &bytes);
            inner.hi = next.key;
            inner.hi_len = next.key_len;
        }
        if (rc == BB_OK) {
            rc = walk(v, node.child, depth + 1, &inner);
        }
        node = next;
    }
    return rc;
}

static int walk_leaf(struct verify *v, uint64_t number, const uint8_t *page, size_t count)
{
    v->have.leaf_pages++;
    v->have.entries += count;
    for (size_t i = 0; i < count; i++) {
        struct node node;
        size_t bytes;
        int rc = get_node(v, number, page, i, &node, &bytes);
        if (rc == BB_OK) {
            rc = check_leaf_node(v, number, &node);
        }
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

static int walk(struct verify *v, uint64_t number, uint32_t depth, const struct bounds *b)
{
    size_t count = 0;
    int rc = mark(v, number, "page");
    if (rc != BB_OK) {
        return rc;
    }
    uint8_t **page = &v->pages[depth - 1];
    if (*page == NULL) {
        *page = bbi_mem_alloc(v->acct, v->page_bytes);
    }
    if (*page == NULL) {
        return bbi_error_nomem(v->err, "checking a page");
    }
    rc = read_pages(v, number, v->page_bytes, *page);
    if (rc == BB_OK) {
        rc = check_page_head(v, number, *page, depth, &count);
    }
    if (rc == BB_OK) {
        rc = check_order(v, number, *page, count, b);
    }
    if (rc != BB_OK) {
        return rc;
    }
    return depth == v->want.depth ? walk_leaf(v, number, *page, count)
                                  : walk_branch(v, number, *page, count, depth, b);
}

static int walk_tree(struct verify *v, enum tree_kind kind, const char *name,
                     const struct tree *tree)
{
    v->kind = kind;
    v->name = name;
    v->want = *tree;
    v->have = (struct tree){.root = tree->root};
    if (kind != TREE_FREE && (tree->flags != 0 || tree->pad != 0)) {
        return bad(v, 0, "flags %x, pad %u", tree->flags, tree->pad);
    }
    if ((tree->root == NO_PAGE) != (tree->depth == 0) || tree->depth > DEPTH_MAX) {
        return bad(v, tree->root, "root of a tree of depth %u", tree->depth);
    }
    if (tree->root != NO_PAGE) {
        struct bounds none = {.lo = NULL};
        int rc = walk(v, tree->root, 1, &none);
        if (rc != BB_OK) {
            return rc;
        }
    }
    if (v->have.branch_pages != tree->branch_pages || v->have.leaf_pages != tree->leaf_pages ||
        v->have.overflow_pages != tree->overflow_pages || v->have.entries != tree->entries) {
        return bad(v, tree->root, "has other pages and entries than it says");
    }
    return BB_OK;
}

static int check_all_seen(struct verify *v)
{
    v->name = NULL;
    for (uint64_t page = META_PAGES; page <= v->last_page; page++) {
        if ((v->seen[page / 64] >> (page % 64) & 1) == 0) {
            return bad(v, page, "neither in use nor free");
        }
    }
    return BB_OK;
}

static int verify_file(struct verify *v)
{
    int rc = check_not_virgin(v);
    if (rc == BB_OK) {
        rc = read_metas(v);
    }
    if (rc != BB_OK) {
        return rc;
    }
    v->seen = bbi_mem_zalloc(v->acct, (size_t)(v->last_page / 64) + 1, sizeof(uint64_t));
    if (v->seen == NULL) {
        return bbi_error_nomem(v->err, "checking pages");
    }
    rc = walk_tree(v, TREE_MAIN, "of tables", &v->trees[TREE_MAIN]);
    if (rc == BB_OK) {
        rc = walk_tree(v, TREE_FREE, "of free pages", &v->trees[TREE_FREE]);
    }
    for (int t = 0; rc == BB_OK && t < BBI_INDEX_TABLES; t++) {
        v->table = (enum bbi_index_table)t;
        v->name = table_names[t];
        rc = v->has_table[t] ? walk_tree(v, TREE_TABLE, table_names[t], &v->tables[t])
                             : bad(v, 0, "is missing");
    }
    return rc == BB_OK ? check_all_seen(v) : rc;
}

int bbi_verify(const struct bbi_fs *fs, const char *path, struct bbi_account *acct,
               struct bb_error *err)
{
    struct verify v = {.acct = acct, .page_bytes = PAGE_MIN, .err = err};
    int rc = bbi_fs_open(fs, path, BBI_FS_READ, &v.file, err);
    if (rc == BB_OK) {
        rc = verify_file(&v);
        if (rc == BB_ECORRUPT) {
            rc = bbi_error_wrap(err, "%s", path);
        }
    }
    for (int i = 0; i < DEPTH_MAX; i++) {
        bbi_mem_free(v.pages[i]);
    }
    bbi_mem_free(v.overflow);
    bbi_mem_free(v.seen);
    bbi_file_close(&v.file);
    return rc;
}
