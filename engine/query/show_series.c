/* SHOW SERIES: the keys of series as InfluxDB writes and orders them. */
#include <stdlib.h>
#include <string.h>

#include "engine/query/keytext.h"
#include "engine/query/show.h"

/* Beyond twice as many keys as are wanted, so many are gathered before they are cut. */
#define CUT_MIN 1024

/* ---- order ---- */

/* The place of the next byte of a key's text in the order of series, past which *at moves. Series
 * are ordered by their names and values one by one: what ends one comes before all that may stand
 * in it. */
static int take_rank(const char **at, bool *in_tags)
{
    unsigned char c = (unsigned char)*(*at);
    if (c == '\0') {
        return 0;
    }
    (*at)++;
    if (c == ',' || (c == '=' && *in_tags)) {
        *in_tags = true;
        return 1;
    }
    if (c == '\\' && (**at == ',' || **at == ' ' || (**at == '=' && *in_tags))) {
        c = (unsigned char)*(*at)++;
    }
    return c + 2;
}

static int compare_parts(const char *x, const char *y)
{
    bool x_in_tags = false, y_in_tags = false;
    int a, b;
    do {
        a = take_rank(&x, &x_in_tags);
        b = take_rank(&y, &y_in_tags);
    } while (a == b && a != 0);
    return (a > b) - (a < b);
}

static bool is_plain(char c)
{
    return c != '\0' && c != ',' && c != '=' && c != '\\';
}

static int compare_text(const void *a, const void *b)
{
    const char *x = *(const char *const *)a;
    const char *y = *(const char *const *)b;
    size_t i = 0;
    while (x[i] == y[i] && x[i] != '\0') {
        i++;
    }
    if (is_plain(x[i]) && is_plain(y[i]) && (i == 0 || x[i - 1] != '\\')) {
        return (int)(unsigned char)x[i] - (int)(unsigned char)y[i];
    }
    return compare_parts(x, y);
}

/* ---- gathering ---- */

/* Texts of keys. Where there is a LIMIT the first ones in their order are kept, and now and then
 * twice as many more. */
struct key_list {
    struct bbi_qctx *ctx;
    struct bbi_buf text;
    size_t *at; /* [count] where each begins */
    size_t count;
    size_t cap;
    size_t most; /* that are wanted */
    bool is_cut; /* there are as many: the first ones, in order, none twice */
};

static const char *text_at(const struct key_list *l, size_t i)
{
    return (const char *)l->text.data + l->at[i];
}

/* All of them in order; the caller's to bbi_mem_free. */
static int sort_keys(struct key_list *l, const char ***out, struct bb_error *err)
{
    *out = NULL;
    int rc = bbi_buf_check(&l->text, "series keys", err);
    if (rc != BB_OK) {
        return rc;
    }
    *out = bbi_mem_zalloc(&l->ctx->acct, l->count, sizeof((*out)[0]));
    if (*out == NULL) {
        return bbi_error_nomem(err, "series keys");
    }
    for (size_t i = 0; i < l->count; i++) {
        (*out)[i] = text_at(l, i);
    }
    qsort(*out, l->count, sizeof((*out)[0]), compare_text);
    return BB_OK;
}

/* Of two databases, or of two policies. */
static bool is_again(const char *const *sorted, size_t i)
{
    return i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0;
}

/* Forget all keys but those that are wanted. */
static int cut(struct key_list *l, struct bb_error *err)
{
    const char **sorted;
    struct bbi_buf kept;
    size_t n = 0;
    int rc = sort_keys(l, &sorted, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_buf_init(&kept, &l->ctx->acct, SIZE_MAX / 4);
    for (size_t i = 0; i < l->count && n < l->most; i++) {
        if (!is_again(sorted, i)) {
            l->at[n++] = kept.len;
            bbi_buf_put(&kept, sorted[i], strlen(sorted[i]) + 1);
        }
    }
    bbi_mem_free(sorted);
    bbi_buf_fini(&l->text);
    l->text = kept;
    l->count = n;
    l->is_cut = n == l->most;
    return bbi_buf_check(&l->text, "series keys", err);
}

static int reserve(struct key_list *l, struct bb_error *err)
{
    if (l->count < l->cap) {
        return BB_OK;
    }
    size_t cap = l->cap == 0 ? 1024 : l->cap * 2;
    size_t *at = bbi_mem_realloc(&l->ctx->acct, l->at, cap * sizeof(at[0]));
    if (at == NULL) {
        return bbi_error_nomem(err, "series keys");
    }
    l->at = at;
    l->cap = cap;
    return BB_OK;
}

static int gather_key(void *arg, uint32_t sid, uint32_t mid, const uint8_t *key, size_t key_len,
                      struct bb_error *err)
{
    struct key_list *l = arg;
    size_t begin = l->text.len;
    (void)mid;
    int rc = reserve(l, err);
    if (rc != BB_OK) {
        return rc;
    }
    bbi_keytext_put(&l->text, key, key_len);
    bbi_buf_u8(&l->text, 0);
    rc = bbi_buf_check(&l->text, "series keys", err);
    if (rc == BB_OK && l->is_cut) {
        const char *text = (const char *)l->text.data + begin;
        const char *last = text_at(l, l->most - 1);
        if (compare_text(&text, &last) >= 0) {
            l->text.len = begin;
            return sid % 1024 == 0 ? bbi_qctx_check(l->ctx, err) : BB_OK;
        }
    }
    l->at[l->count++] = begin;
    if (rc == BB_OK && l->count > CUT_MIN && (l->count - CUT_MIN) / 2 >= l->most) {
        rc = cut(l, err);
    }
    return rc == BB_OK && l->count % 1024 == 0 ? bbi_qctx_check(l->ctx, err) : rc;
}

/* ---- the statement ---- */

/* Who is told of a measurement finds the keys behind the statement. */
struct series_show {
    struct bbi_ql_show show;
    struct key_list *keys;
};

/* show is that of a struct series_show. */
static int series_of(struct bbi_qctx *ctx, const struct bbi_ql_show *show,
                     const struct bbi_measurement *m, size_t count, const roaring_bitmap_t *within,
                     struct bbi_emit *e, struct bb_error *err)
{
    const struct series_show *s = (const struct series_show *)show;
    roaring_bitmap_t *all = NULL;
    (void)count;
    (void)e;
    int rc = within != NULL
                 ? BB_OK
                 : bbi_catalog_select(ctx->env->catalog, m->db_id, m->id, NULL, &all, err);
    rc = rc == BB_OK
             ? bbi_catalog_series_each(ctx->env->catalog, m->db_id, within != NULL ? within : all,
                                       &ctx->acct, gather_key, s->keys, err)
             : rc;
    if (all != NULL) {
        roaring_bitmap_free(all);
    }
    return rc;
}

static int emit_keys(struct key_list *l, struct bbi_show_page page, struct bbi_emit *e,
                     struct bb_error *err)
{
    static const char *const columns[] = {"key"};
    struct bbi_show_series series = {e, NULL, columns, 1, false};
    const char **sorted;
    int rc = sort_keys(l, &sorted, err);
    for (size_t i = 0; rc == BB_OK && i < l->count && page.left > 0; i++) {
        struct bb_value *row;
        if (!is_again(sorted, i) && bbi_show_page_takes(&page)) {
            rc = bbi_show_row(&series, &row, err);
            if (rc == BB_OK) {
                row[0] = bbi_value_string(sorted[i], strlen(sorted[i]));
            }
        }
    }
    if (rc == BB_OK) {
        rc = bbi_emit_flush(e, err);
    }
    bbi_mem_free(sorted);
    return rc;
}

int bbi_show_series_keys(struct bbi_qctx *ctx, const struct bbi_ql_show *show, struct bbi_emit *e,
                         struct bb_error *err)
{
    const struct bbi_show_page page = bbi_show_page_of(show->limit, show->offset);
    struct key_list l = {
        .ctx = ctx, .most = page.left > SIZE_MAX - page.skip ? SIZE_MAX : page.skip + page.left};
    struct series_show s = {*show, &l};
    bbi_buf_init(&l.text, &ctx->acct, SIZE_MAX / 4);
    int rc = bbi_show_each_series(ctx, &s.show, series_of, e, err);
    rc = rc == BB_OK ? emit_keys(&l, page, e, err) : rc;
    bbi_mem_free(l.at);
    bbi_buf_fini(&l.text);
    return rc;
}
