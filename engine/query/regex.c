#include "engine/query/regex.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/base/re2.h"

/* Steps of the matcher and its heap, KiB: generous for tag values, small against a bomb. */
#define MATCH_LIMIT    1000000
#define MATCH_HEAP_KIB 4096

/* The pattern lies in the arena, what a match needs on the account. */
struct memory {
    struct bbi_arena *arena;
    bool is_compiled;
};

struct bbi_regex {
    struct memory memory;
    pcre2_code *code;
    pcre2_general_context *general;
    pcre2_match_context *match;
};

static void *allocate(size_t size, void *arg)
{
    const struct memory *m = arg;
    return m->is_compiled ? bbi_mem_alloc(m->arena->acct, size) : bbi_arena_alloc(m->arena, size);
}

static void release(void *p, void *arg)
{
    const struct memory *m = arg;
    if (m->is_compiled) {
        bbi_mem_free(p);
    }
}

/* Its syntax is Go's; PCRE2 may not know the name of a script. */
static int bad_pattern(const char *pattern, int code, struct bb_error *err)
{
    PCRE2_UCHAR text[128];
    if (pcre2_get_error_message(code, text, sizeof(text)) < 0) {
        text[0] = '\0';
    }
    return bbi_error_set(err, BB_EPARSE, "error parsing regexp: %s: `%.200s`",
                         code == PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY
                             ? "invalid character class range"
                             : (const char *)text,
                         pattern);
}

static int compile_text(struct bbi_regex *re, const char *pattern, const struct bbi_buf *text,
                        pcre2_compile_context *how, struct bb_error *err)
{
    int code = 0;
    PCRE2_SIZE at;
    re->code = pcre2_compile(text->len == 0 ? (PCRE2_SPTR) "" : text->data, text->len,
                             PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                                 PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C,
                             &code, &at, how);
    if (re->code != NULL) {
        return BB_OK;
    }
    return code == PCRE2_ERROR_HEAP_FAILED ? bbi_error_nomem(err, "regular expression")
                                           : bad_pattern(pattern, code, err);
}

int bbi_regex_compile(struct bbi_arena *arena, const char *pattern, struct bbi_regex **out,
                      struct bb_error *err)
{
    *out = NULL;
    struct bbi_regex *re = bbi_arena_zalloc(arena, 1, sizeof(*re));
    if (re == NULL) {
        return bbi_error_nomem(err, "regular expression");
    }
    re->memory.arena = arena;
    re->general = pcre2_general_context_create(allocate, release, &re->memory);
    pcre2_compile_context *compile = re->general == NULL
                                         ? NULL
                                         : pcre2_compile_context_create(re->general);
    if (compile == NULL) {
        return bbi_error_nomem(err, "regular expression");
    }
    struct bbi_buf text;
    bbi_buf_init(&text, arena->acct, SIZE_MAX);
    int rc = bbi_re2_to_pcre2(pattern, strlen(pattern), &text, err);
    if (rc == BB_OK) {
        rc = compile_text(re, pattern, &text, compile, err);
    }
    bbi_buf_fini(&text);
    if (rc != BB_OK) {
        return rc;
    }
    re->match = pcre2_match_context_create(re->general);
    if (re->match == NULL) {
        return bbi_error_nomem(err, "regular expression");
    }
    (void)pcre2_set_match_limit(re->match, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(re->match, MATCH_HEAP_KIB);
    re->memory.is_compiled = true;
    *out = re;
    return BB_OK;
}

int bbi_regex_match(const struct bbi_regex *regex, const void *text, size_t length, bool *found,
                    struct bb_error *err)
{
    *found = false;
    pcre2_match_data *data = pcre2_match_data_create(1, regex->general);
    if (data == NULL) {
        return bbi_error_nomem(err, "regular expression");
    }
    int rc = pcre2_match(regex->code, length == 0 ? (PCRE2_SPTR) "" : text, length, 0, 0, data,
                         regex->match);
    pcre2_match_data_free(data);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) {
        *found = rc >= 0;
        return BB_OK;
    }
    if (rc == PCRE2_ERROR_NOMEMORY) {
        return bbi_error_nomem(err, "regular expression");
    }
    return bbi_error_set(err, BB_ELIMIT, "regular expression too costly to match");
}
