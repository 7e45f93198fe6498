#include "engine/catalog/tagregex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "engine/base/re2.h"

/* A match within these takes milliseconds at worst. */
#define MATCH_LIMIT    1000000
#define DEPTH_LIMIT    10000
#define HEAP_LIMIT_KIB 4096

struct bbi_tagregex {
    pcre2_general_context *general;
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *data;
    struct bbi_account *acct;
    struct bbi_tagregex_literal *literals; /* [literal_count], into literal_bytes */
    size_t literal_count;
    uint8_t *literal_bytes;
};

static void *pcre_alloc(size_t size, void *acct)
{
    return bbi_mem_alloc(acct, size);
}

static void pcre_free(void *p, void *acct)
{
    (void)acct;
    bbi_mem_free(p);
}

/* ---- patterns that are lists of literals ---- */

/* Append the literal character at *at. False: it is something else. */
static bool take_literal(const uint8_t *p, size_t len, size_t *at, uint8_t *out, size_t *out_len)
{
    static const char special[] = "\\^$.[|()?*+{";
    uint8_t c = p[*at];
    if (c == '\\') {
        /* An escaped sign stands for itself; a letter or digit has a meaning. */
        if (*at + 1 >= len) {
            return false;
        }
        c = p[*at + 1];
        if (c >= 0x80 || strchr("\\^$.[]|()?*+{}/-", c) == NULL || c == '\0') {
            return false;
        }
        *at += 2;
    } else {
        if (c == '\0' || strchr(special, c) != NULL) {
            return false;
        }
        *at += 1;
    }
    out[(*out_len)++] = c;
    return true;
}

/* The part between ^ and $, without a group around all of it. */
static bool strip_anchors(const uint8_t **p, size_t *len, bool *is_group)
{
    const uint8_t *s = *p;
    size_t n = *len;
    if (n < 2 || s[0] != '^' || s[n - 1] != '$') {
        return false;
    }
    s++;
    n -= 2;
    *is_group = n >= 2 && s[0] == '(' && s[n - 1] == ')';
    if (*is_group) {
        s++;
        n -= 2;
        if (n >= 2 && s[0] == '?' && s[1] == ':') {
            s += 2;
            n -= 2;
        }
    }
    *p = s;
    *len = n;
    return true;
}

/* Fills re->literals if the pattern allows; false only without memory. */
static bool find_literals(struct bbi_tagregex *re, const uint8_t *p, size_t len)
{
    bool is_group;
    if (!strip_anchors(&p, &len, &is_group)) {
        return true;
    }
    size_t bars = 0;
    for (size_t i = 0; i < len; i++) {
        bars += p[i] == '|';
    }
    re->literal_bytes = bbi_mem_alloc(re->acct, len);
    re->literals = bbi_mem_zalloc(re->acct, bars + 1, sizeof(*re->literals));
    if (re->literal_bytes == NULL || re->literals == NULL) {
        return false;
    }
    size_t at = 0;
    size_t used = 0;
    size_t start = 0;
    bool ok = true;
    while (ok && at < len) {
        /* Without a group, ^a|b$ is (^a)|(b$). */
        if (p[at] == '|' && is_group) {
            re->literals[re->literal_count++] = (struct bbi_tagregex_literal){
                re->literal_bytes + start, used - start};
            start = used;
            at++;
        } else {
            ok = take_literal(p, len, &at, re->literal_bytes, &used);
        }
    }
    re->literals[re->literal_count++] = (struct bbi_tagregex_literal){re->literal_bytes + start,
                                                                      used - start};
    if (!ok) {
        re->literal_count = 0;
    }
    return true;
}

const struct bbi_tagregex_literal *bbi_tagregex_literals(const struct bbi_tagregex *regex,
                                                         size_t *count)
{
    *count = regex->literal_count;
    return *count == 0 ? NULL : regex->literals;
}

/* ---- compiling and matching ---- */

static int compile_error(int code, size_t offset, struct bb_error *err)
{
    PCRE2_UCHAR8 text[120];
    if (code == PCRE2_ERROR_HEAP_FAILED) {
        return bbi_error_nomem(err, "regular expression");
    }
    if (pcre2_get_error_message(code, text, sizeof(text)) < 0) {
        text[0] = '\0';
    }
    return bbi_error_set(err, BB_EPARSE, "regular expression: %s at byte %zu", (const char *)text,
                         offset);
}

static int compile_text(const uint8_t *pattern, size_t len, const struct bbi_buf *text,
                        struct bbi_account *acct, struct bbi_tagregex **out, struct bb_error *err)
{
    int code = 0;
    size_t offset = 0;
    struct bbi_tagregex *re = bbi_mem_zalloc(acct, 1, sizeof(*re));
    if (re == NULL) {
        return bbi_error_nomem(err, "regular expression");
    }
    re->acct = acct;
    re->general = pcre2_general_context_create(pcre_alloc, pcre_free, acct);
    pcre2_compile_context *how = re->general == NULL ? NULL
                                                     : pcre2_compile_context_create(re->general);
    if (how != NULL) {
        re->code = pcre2_compile(text->len == 0 ? (PCRE2_SPTR) "" : text->data, text->len,
                                 PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                                     PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C,
                                 &code, &offset, how);
        pcre2_compile_context_free(how);
    }
    if (re->code == NULL && code != 0) {
        bbi_tagregex_destroy(&re);
        return compile_error(code, offset, err);
    }
    if (re->code != NULL) {
        /* Without a just-in-time compiler the interpreter does. */
        (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
        re->limits = pcre2_match_context_create(re->general);
        re->data = pcre2_match_data_create(1, re->general);
    }
    if (re->limits == NULL || re->data == NULL || !find_literals(re, pattern, len)) {
        bbi_tagregex_destroy(&re);
        return bbi_error_nomem(err, "regular expression");
    }
    (void)pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(re->limits, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KIB);
    *out = re;
    return BB_OK;
}

int bbi_tagregex_compile(const uint8_t *pattern, size_t len, struct bbi_account *acct,
                         struct bbi_tagregex **out, struct bb_error *err)
{
    struct bbi_buf text;
    *out = NULL;
    if (len > BBI_TAGREGEX_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "regular expression: longer than %d bytes",
                             BBI_TAGREGEX_MAX);
    }
    bbi_buf_init(&text, acct, SIZE_MAX);
    int rc = bbi_re2_to_pcre2((const char *)pattern, len, &text, err);
    if (rc == BB_OK) {
        rc = compile_text(pattern, len, &text, acct, out, err);
    }
    bbi_buf_fini(&text);
    return rc;
}

void bbi_tagregex_destroy(struct bbi_tagregex **regex)
{
    struct bbi_tagregex *re = *regex;
    *regex = NULL;
    if (re == NULL) {
        return;
    }
    pcre2_match_data_free(re->data);
    pcre2_match_context_free(re->limits);
    pcre2_code_free(re->code);
    pcre2_general_context_free(re->general);
    bbi_mem_free(re->literals);
    bbi_mem_free(re->literal_bytes);
    bbi_mem_free(re);
}

int bbi_tagregex_match(struct bbi_tagregex *regex, const uint8_t *text, size_t len, bool *matches,
                       struct bb_error *err)
{
    if (text == NULL) {
        text = (const uint8_t *)"";
    }
    int rc = pcre2_match(regex->code, text, len, 0, 0, regex->data, regex->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        rc = pcre2_match(regex->code, text, len, 0, PCRE2_NO_JIT, regex->data, regex->limits);
    }
    *matches = rc >= 0;
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
        return BB_OK;
    }
    if (rc == PCRE2_ERROR_NOMEMORY) {
        return bbi_error_nomem(err, "regular expression");
    }
    return bbi_error_set(err, BB_ELIMIT, "regular expression: matching it takes too much work");
}
