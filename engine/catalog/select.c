/*
 * Which series meet a condition on tags.
 *
 * LMDB answers with posting lists, the overlay's series are looked at one by one; the answer is the
 * union. References to the overlays are taken first, then the list of all series of the
 * measurement, then the lists of tags. What is committed meanwhile shows up in the later lists
 * only, so a leaf that subtracts ("all without ...") may only err for series that the list of all
 * does not have; those are in the overlays, and cutting the result with the list of all removes the
 * errors.
 */
#include <string.h>

#include "engine/catalog/internal.h"
#include "engine/catalog/posting.h"
#include "engine/catalog/scan.h"
#include "engine/catalog/tagregex.h"

#define BLOB_MAX ((size_t)BBI_SERIES_KEY_MAX)

/* A condition made ready: expressions compiled. */
struct node {
    const struct bbi_tagpred *pred;
    struct bbi_tagregex *regex;
    bool matches_empty;    /* what it says of a series without the tag, before negation */
    struct node *children; /* [pred->child_count] */
};

struct select {
    struct bbi_catalog *cat;
    uint32_t db_id;
    uint32_t mid;
    roaring_bitmap_t *all; /* of the measurement in LMDB */
    struct node root;
    bool has_pred;
    roaring_bitmap_t *out;
    struct bbi_buf blob;
};

/* ---- making conditions ready ---- */

static bool same_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool is_regex(const struct bbi_tagpred *pred)
{
    return pred->op == BBI_TAGPRED_REGEX || pred->op == BBI_TAGPRED_NREGEX;
}

static bool is_negated(const struct bbi_tagpred *pred)
{
    return pred->op == BBI_TAGPRED_NEQ || pred->op == BBI_TAGPRED_NREGEX;
}

static void node_fini(struct node *n)
{
    bbi_tagregex_destroy(&n->regex);
    for (size_t i = 0; n->children != NULL && i < n->pred->child_count; i++) {
        node_fini(&n->children[i]);
    }
    bbi_mem_free(n->children);
    n->children = NULL;
}

/* Whether a value meets the leaf, before negation. */
static int leaf_matches(const struct node *n, const uint8_t *value, size_t len, bool *matches,
                        struct bb_error *err)
{
    if (n->regex != NULL) {
        return bbi_tagregex_match(n->regex, value, len, matches, err);
    }
    *matches = same_bytes(value, len, n->pred->value, n->pred->value_len);
    return BB_OK;
}

static int node_init(struct bbi_catalog *cat, struct node *n, const struct bbi_tagpred *pred,
                     unsigned depth, struct bb_error *err)
{
    *n = (struct node){.pred = pred};
    if (depth > BBI_TAGPRED_DEPTH_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "condition on tags: nested deeper than %d",
                             BBI_TAGPRED_DEPTH_MAX);
    }
    int rc = BB_OK;
    if (pred->op == BBI_TAGPRED_AND || pred->op == BBI_TAGPRED_OR) {
        BB_ASSERT(pred->child_count > 0);
        n->children = bbi_mem_zalloc(cat->acct, pred->child_count, sizeof(struct node));
        if (n->children == NULL) {
            return bbi_error_nomem(err, "condition on tags");
        }
        /* All of them get a pred before any can fail, so that they can be released. */
        for (size_t i = 0; i < pred->child_count; i++) {
            n->children[i].pred = pred->children[i];
        }
        for (size_t i = 0; rc == BB_OK && i < pred->child_count; i++) {
            rc = node_init(cat, &n->children[i], pred->children[i], depth + 1, err);
        }
        return rc;
    }
    if (is_regex(pred)) {
        rc = bbi_tagregex_compile(pred->value, pred->value_len, cat->acct, &n->regex, err);
    }
    return rc == BB_OK ? leaf_matches(n, (const uint8_t *)"", 0, &n->matches_empty, err) : rc;
}

/* ---- posting lists ---- */

static int new_bitmap(roaring_bitmap_t **out, struct bb_error *err)
{
    *out = roaring_bitmap_create();
    return *out == NULL ? bbi_error_nomem(err, "series ids") : BB_OK;
}

/* How a posting is taken: NULL takes all. */
struct posting_filter {
    const struct node *regex_leaf; /* the value must match */
    const uint8_t *blob; /* the blob must be this, or begin with it if regex_leaf is set */
    size_t blob_len;
};

static int posting_passes(const struct posting_filter *f, const struct bbi_posting *p, bool *passes,
                          struct bb_error *err)
{
    struct bbi_posting_tag tag;
    *passes = p->blob_len >= f->blob_len && memcmp(p->blob, f->blob, f->blob_len) == 0;
    if (!*passes || f->regex_leaf == NULL) {
        *passes = *passes && (f->regex_leaf != NULL || p->blob_len == f->blob_len);
        return BB_OK;
    }
    int rc = bbi_posting_tag_of(p->blob, p->blob_len, &tag, err);
    *passes = rc == BB_OK && tag.has_value;
    return *passes ? leaf_matches(f->regex_leaf, tag.value, tag.value_len, passes, err) : rc;
}

/* out |= the lists under a prefix that pass. */
static int or_lists(struct select *s, const struct bbi_posting_prefix *prefix,
                    enum bbi_posting_form form, const struct posting_filter *filter,
                    roaring_bitmap_t *out, struct bb_error *err)
{
    struct bbi_scan scan;
    struct bbi_index_entry e;
    bool found = true;
    int rc = BB_OK;
    bbi_scan_init(&scan, s->cat->index, s->cat->acct, BBI_INDEX_POSTINGS, prefix->bytes,
                  prefix->len);
    while (rc == BB_OK && found) {
        struct bbi_posting p;
        bool passes = true;
        rc = bbi_scan_next(&scan, &e, &found, err);
        if (rc == BB_OK && found) {
            rc = bbi_posting_parse(&e, form, &p, err);
        }
        if (rc == BB_OK && found && filter != NULL) {
            rc = posting_passes(filter, &p, &passes, err);
        }
        if (rc == BB_OK && found && passes) {
            rc = bbi_posting_or(&p, out, err);
        }
    }
    bbi_scan_fini(&scan);
    return rc;
}

static int build_blob(struct select *s, const struct bbi_tagpred *pred, const uint8_t *value,
                      size_t value_len, bool with_value, struct bb_error *err)
{
    bbi_buf_reset(&s->blob);
    bbi_buf_block(&s->blob, pred->key, pred->key_len);
    if (with_value) {
        bbi_buf_block(&s->blob, value, value_len);
    }
    return bbi_buf_check(&s->blob, "condition on tags", err);
}

/* out |= the one list of the blob that stands in s->blob. */
static int or_blob(struct select *s, enum bbi_posting_form form, roaring_bitmap_t *out,
                   struct bb_error *err)
{
    struct bbi_posting_prefix prefix;
    struct posting_filter filter = {.blob = s->blob.data, .blob_len = s->blob.len};
    if (s->blob.len > BLOB_MAX) {
        return BB_OK;
    }
    if (bbi_posting_blob_prefix(&prefix, s->db_id, s->mid, form, s->blob.data, s->blob.len)) {
        return or_lists(s, &prefix, form, NULL, out, err);
    }
    bbi_posting_long_prefix(&prefix, s->db_id, s->mid, s->blob.data, s->blob.len);
    return or_lists(s, &prefix, BBI_POSTING_LONG, &filter, out, err);
}

static int or_value(struct select *s, const struct bbi_tagpred *pred, const uint8_t *value,
                    size_t value_len, roaring_bitmap_t *out, struct bb_error *err)
{
    int rc = build_blob(s, pred, value, value_len, true, err);
    return rc == BB_OK ? or_blob(s, BBI_POSTING_VALUE, out, err) : rc;
}

/* out |= the lists of all values that match. */
static int or_matching(struct select *s, const struct node *n, roaring_bitmap_t *out,
                       struct bb_error *err)
{
    struct bbi_posting_prefix prefix;
    size_t count;
    const struct bbi_tagregex_literal *literals = bbi_tagregex_literals(n->regex, &count);
    int rc = BB_OK;
    if (literals != NULL) {
        for (size_t i = 0; rc == BB_OK && i < count; i++) {
            rc = or_value(s, n->pred, literals[i].bytes, literals[i].len, out, err);
        }
        return rc;
    }
    rc = build_blob(s, n->pred, NULL, 0, false, err);
    if (rc != BB_OK || s->blob.len > BLOB_MAX) {
        return rc;
    }
    struct posting_filter filter = {.regex_leaf = n, .blob = s->blob.data, .blob_len = s->blob.len};
    if (bbi_posting_blob_prefix(&prefix, s->db_id, s->mid, BBI_POSTING_VALUE, s->blob.data,
                                s->blob.len)) {
        rc = or_lists(s, &prefix, BBI_POSTING_VALUE, &filter, out, err);
    }
    if (rc == BB_OK) {
        bbi_posting_form_prefix(&prefix, s->db_id, s->mid, BBI_POSTING_LONG);
        rc = or_lists(s, &prefix, BBI_POSTING_LONG, &filter, out, err);
    }
    return rc;
}

/* out |= the series without the tag. */
static int or_missing(struct select *s, const struct bbi_tagpred *pred, roaring_bitmap_t *out,
                      struct bb_error *err)
{
    roaring_bitmap_t *having;
    int rc = new_bitmap(&having, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = build_blob(s, pred, NULL, 0, false, err);
    if (rc == BB_OK) {
        rc = or_blob(s, BBI_POSTING_KEY, having, err);
    }
    if (rc == BB_OK) {
        roaring_bitmap_t *missing = roaring_bitmap_andnot(s->all, having);
        rc = missing == NULL ? bbi_error_nomem(err, "series ids") : BB_OK;
        if (missing != NULL) {
            roaring_bitmap_or_inplace(out, missing);
            roaring_bitmap_free(missing);
        }
    }
    roaring_bitmap_free(having);
    return rc;
}

static int eval_leaf(struct select *s, const struct node *n, roaring_bitmap_t **out,
                     struct bb_error *err)
{
    int rc = new_bitmap(out, err);
    if (rc == BB_OK) {
        rc = n->regex != NULL ? or_matching(s, n, *out, err)
                              : or_value(s, n->pred, n->pred->value, n->pred->value_len, *out, err);
    }
    if (rc == BB_OK && n->matches_empty) {
        rc = or_missing(s, n->pred, *out, err);
    }
    if (rc == BB_OK && is_negated(n->pred)) {
        roaring_bitmap_t *rest = roaring_bitmap_andnot(s->all, *out);
        rc = rest == NULL ? bbi_error_nomem(err, "series ids") : BB_OK;
        if (rest != NULL) {
            roaring_bitmap_free(*out);
            *out = rest;
        }
    }
    if (rc != BB_OK && *out != NULL) {
        roaring_bitmap_free(*out);
        *out = NULL;
    }
    return rc;
}

static int eval(struct select *s, const struct node *n, roaring_bitmap_t **out,
                struct bb_error *err)
{
    *out = NULL;
    if (n->children == NULL) {
        return eval_leaf(s, n, out, err);
    }
    int rc = eval(s, &n->children[0], out, err);
    for (size_t i = 1; rc == BB_OK && i < n->pred->child_count; i++) {
        roaring_bitmap_t *other;
        if (n->pred->op == BBI_TAGPRED_AND && roaring_bitmap_is_empty(*out)) {
            break;
        }
        rc = eval(s, &n->children[i], &other, err);
        if (rc != BB_OK) {
            break;
        }
        if (n->pred->op == BBI_TAGPRED_AND) {
            roaring_bitmap_and_inplace(*out, other);
        } else {
            roaring_bitmap_or_inplace(*out, other);
        }
        roaring_bitmap_free(other);
    }
    if (rc != BB_OK && *out != NULL) {
        roaring_bitmap_free(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- one key ---- */

static int key_matches(const struct node *n, const uint8_t *key, size_t key_len, bool *matches,
                       struct bb_error *err)
{
    if (n->children == NULL) {
        size_t len;
        const uint8_t *value = bbi_key_tag_value(key, key_len, n->pred->key, n->pred->key_len,
                                                 &len);
        int rc = leaf_matches(n, value, len, matches, err);
        *matches = *matches != is_negated(n->pred);
        return rc;
    }
    bool is_and = n->pred->op == BBI_TAGPRED_AND;
    *matches = is_and;
    for (size_t i = 0; *matches == is_and && i < n->pred->child_count; i++) {
        int rc = key_matches(&n->children[i], key, key_len, matches, err);
        if (rc != BB_OK) {
            return rc;
        }
    }
    return BB_OK;
}

static int take_overlay(void *arg, const struct bbi_overlay_series *series, struct bb_error *err)
{
    struct select *s = arg;
    bool matches = true;
    int rc = BB_OK;
    if (s->has_pred) {
        rc = key_matches(&s->root, series->key, series->key_len, &matches, err);
    }
    if (rc == BB_OK && matches) {
        roaring_bitmap_add(s->out, series->sid);
    }
    return rc;
}

/* ---- all of it ---- */

int bbi_select_all(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid, roaring_bitmap_t *out,
                   struct bb_error *err)
{
    struct select s = {.cat = cat, .db_id = db_id, .mid = mid};
    struct bbi_posting_prefix prefix;
    bbi_posting_form_prefix(&prefix, db_id, mid, BBI_POSTING_ALL);
    return or_lists(&s, &prefix, BBI_POSTING_ALL, NULL, out, err);
}

static int select_measurement(struct select *s, struct bb_error *err)
{
    roaring_bitmap_t *found = NULL;
    int rc = new_bitmap(&s->all, err);
    if (rc != BB_OK) {
        return rc;
    }
    rc = bbi_select_all(s->cat, s->db_id, s->mid, s->all, err);
    if (rc == BB_OK && s->has_pred) {
        rc = eval(s, &s->root, &found, err);
    }
    if (rc == BB_OK && s->has_pred) {
        roaring_bitmap_and_inplace(found, s->all);
        roaring_bitmap_or_inplace(s->out, found);
    } else if (rc == BB_OK) {
        roaring_bitmap_or_inplace(s->out, s->all);
    }
    if (found != NULL) {
        roaring_bitmap_free(found);
    }
    roaring_bitmap_free(s->all);
    s->all = NULL;
    return rc;
}

static int select_view(struct select *s, const struct bbi_view *view, uint32_t mid,
                       struct bb_error *err)
{
    uint32_t *mids;
    size_t count;
    int rc = bbi_catalog_mids(s->cat, s->db_id, mid, &mids, &count, err);
    for (size_t i = 0; rc == BB_OK && i < count; i++) {
        s->mid = mids[i];
        rc = select_measurement(s, err);
    }
    bbi_mem_free(mids);
    if (rc == BB_OK) {
        rc = bbi_view_each(s->cat, view, s->db_id, mid, take_overlay, s, err);
    }
    return rc;
}

static void leave_out_dropped(struct bbi_catalog *cat, uint32_t db_id, roaring_bitmap_t *ids)
{
    bbi_catalog_read_lock(cat);
    const struct bbi_schema_db *db = bbi_schema_db_by_id(&cat->schema, db_id);
    if (db != NULL && db->dropped != NULL) {
        roaring_bitmap_andnot_inplace(ids, db->dropped);
    }
    bbi_catalog_unlock(cat);
}

int bbi_catalog_select(struct bbi_catalog *cat, uint32_t db_id, uint32_t mid,
                       const struct bbi_tagpred *pred, roaring_bitmap_t **out, struct bb_error *err)
{
    struct select s = {.cat = cat, .db_id = db_id, .has_pred = pred != NULL};
    struct bbi_view view;
    *out = NULL;
    bbi_buf_init(&s.blob, cat->acct, SIZE_MAX / 2);
    int rc = bbi_view_begin(cat, &view, err);
    if (rc == BB_OK) {
        rc = new_bitmap(&s.out, err);
    }
    if (rc == BB_OK && pred != NULL) {
        rc = node_init(cat, &s.root, pred, 1, err);
    }
    if (rc == BB_OK) {
        rc = select_view(&s, &view, mid, err);
    }
    if (pred != NULL && s.root.pred != NULL) {
        node_fini(&s.root);
    }
    bbi_view_end(&view);
    bbi_buf_fini(&s.blob);
    if (rc == BB_OK) {
        leave_out_dropped(cat, db_id, s.out);
        *out = s.out;
    } else if (s.out != NULL) {
        roaring_bitmap_free(s.out);
    }
    return rc;
}
