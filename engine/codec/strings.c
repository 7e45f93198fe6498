/*
 * A column is one byte of flags, the lengths of its texts, the texts themselves (as they are, or as
 * one zstd frame where that is smaller), and, with a dictionary, the codes. Texts are the distinct
 * words in order of first appearance, or all strings.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include "engine/codec/strings.h"

#include <stdbool.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "engine/base/clock.h"
#include "engine/base/cursor.h"
#include "engine/base/hash.h"
#include "engine/codec/intcol.h"

#define FLAG_DICTIONARY 1U
#define FLAG_ZSTD       2U
#define FLAGS_ALL       (FLAG_DICTIONARY | FLAG_ZSTD)

#define ZSTD_LEVEL 3

/* Shorter texts hardly shrink by more than a frame's header. */
#define ZSTD_BYTES_MIN 64

static void *zstd_alloc(void *acct, size_t size)
{
    return bbi_mem_alloc(acct, size);
}

static void zstd_free(void *acct, void *p)
{
    (void)acct;
    bbi_mem_free(p);
}

static ZSTD_customMem zstd_memory(struct bbi_account *acct)
{
    return (ZSTD_customMem){zstd_alloc, zstd_free, acct};
}

/* ---- Writing ---- */

/* The texts to be written: words[count], and for each string its code. */
struct words {
    struct bbi_string *words; /* [n] */
    uint64_t *numbers;        /* [n] codes, later lengths */
    uint32_t *slots;          /* hash table of code + 1; 0 is free */
    size_t slot_count;
    uint8_t *text; /* all texts in a row */
    size_t count;
    size_t text_bytes;
};

static void words_fini(struct words *w)
{
    bbi_mem_free(w->words);
    bbi_mem_free(w->numbers);
    bbi_mem_free(w->slots);
    bbi_mem_free(w->text);
}

static bool words_init(struct words *w, size_t n, struct bbi_account *acct)
{
    *w = (struct words){.slot_count = 16};
    while (w->slot_count < 2 * n) {
        w->slot_count *= 2;
    }
    w->words = bbi_mem_zalloc(acct, n, sizeof(*w->words));
    w->numbers = bbi_mem_zalloc(acct, n, sizeof(*w->numbers));
    w->slots = bbi_mem_zalloc(acct, w->slot_count, sizeof(*w->slots));
    return w->words != NULL && w->numbers != NULL && w->slots != NULL;
}

static bool same(struct bbi_string a, struct bbi_string b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static uint64_t hash_string(struct bbi_string s, uint64_t seed)
{
    return bbi_hash64_seed(s.len == 0 ? "" : (const void *)s.ptr, s.len, seed);
}

/* Number the distinct strings; false as soon as there are more than half as many as strings. */
static bool find_words(struct words *w, const struct bbi_string *v, size_t n)
{
    uint64_t seed = (uint64_t)bbi_clock_mono_ns() ^ (uint64_t)(uintptr_t)w->slots;
    for (size_t i = 0; i < n; i++) {
        size_t slot = hash_string(v[i], seed) % w->slot_count;
        while (w->slots[slot] != 0 && !same(w->words[w->slots[slot] - 1], v[i])) {
            slot = (slot + 1) % w->slot_count;
        }
        if (w->slots[slot] == 0) {
            if (w->count >= n / 2) {
                return false;
            }
            w->words[w->count++] = v[i];
            w->slots[slot] = (uint32_t)w->count;
        }
        w->numbers[i] = w->slots[slot] - 1;
    }
    return true;
}

static bool join_texts(struct words *w, struct bbi_account *acct)
{
    for (size_t i = 0; i < w->count; i++) {
        w->text_bytes += w->words[i].len;
    }
    w->text = bbi_mem_alloc(acct, w->text_bytes);
    uint8_t *at = w->text;
    for (size_t i = 0; at != NULL && i < w->count; i++) {
        if (w->words[i].len > 0) {
            memcpy(at, w->words[i].ptr, w->words[i].len);
            at += w->words[i].len;
        }
    }
    return w->text != NULL;
}

/* Bytes of the frame appended to out, 0 if the text is no smaller for it. */
static int put_frame(const struct words *w, struct bbi_buf *out, struct bbi_account *acct,
                     size_t *frame_bytes, struct bb_error *err)
{
    *frame_bytes = 0;
    if (w->text_bytes < ZSTD_BYTES_MIN) {
        return BB_OK;
    }
    ZSTD_CCtx *ctx = ZSTD_createCCtx_advanced(zstd_memory(acct));
    uint8_t *frame = bbi_mem_alloc(acct, w->text_bytes);
    int rc = BB_OK;
    if (ctx == NULL || frame == NULL) {
        rc = bbi_error_nomem(err, "string column");
    } else {
        size_t got = ZSTD_compressCCtx(ctx, frame, w->text_bytes - 1, w->text, w->text_bytes,
                                       ZSTD_LEVEL);
        if (!ZSTD_isError(got)) {
            bbi_buf_block(out, frame, got);
            *frame_bytes = got;
        } else if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation) {
            rc = bbi_error_nomem(err, "string column");
        }
    }
    bbi_mem_free(frame);
    ZSTD_freeCCtx(ctx);
    return rc;
}

static int put_column(struct words *w, size_t n, bool dictionary, struct bbi_buf *out,
                      struct bbi_account *acct, struct bb_error *err)
{
    size_t flags_at = out->len;
    bbi_buf_u8(out, dictionary ? FLAG_DICTIONARY : 0);
    int rc = BB_OK;
    if (dictionary) {
        bbi_buf_varint(out, w->count);
        rc = bbi_intcol_encode(w->numbers, n, out);
    }
    for (size_t i = 0; i < w->count; i++) {
        w->numbers[i] = w->words[i].len;
    }
    if (rc == BB_OK) {
        rc = bbi_intcol_encode(w->numbers, w->count, out);
    }
    size_t frame_bytes;
    if (rc != BB_OK || put_frame(w, out, acct, &frame_bytes, err) != BB_OK) {
        return rc != BB_OK ? bbi_buf_check(out, "string column", err) : err->code;
    }
    if (frame_bytes == 0) {
        bbi_buf_put(out, w->text, w->text_bytes);
    } else if (out->err == BB_OK) {
        out->data[flags_at] |= FLAG_ZSTD;
    }
    return bbi_buf_check(out, "string column", err);
}

static int check_limits(const struct bbi_string *v, size_t n, struct bb_error *err)
{
    if (n > BBI_STRINGS_COUNT_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "string column: %zu strings, at most %d", n,
                             BBI_STRINGS_COUNT_MAX);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].len > BBI_STRINGS_LENGTH_MAX) {
            return bbi_error_set(err, BB_ELIMIT, "string column: a string of %u bytes, at most %d",
                                 v[i].len, BBI_STRINGS_LENGTH_MAX);
        }
        total += v[i].len;
    }
    if (total > BBI_STRINGS_BYTES_MAX) {
        return bbi_error_set(err, BB_ELIMIT, "string column: %llu bytes, at most %u",
                             (unsigned long long)total, BBI_STRINGS_BYTES_MAX);
    }
    return BB_OK;
}

int bbi_strings_encode(const struct bbi_string *v, size_t n, struct bbi_buf *out,
                       struct bbi_account *acct, struct bb_error *err)
{
    struct words w;
    int rc = check_limits(v, n, err);
    if (rc != BB_OK) {
        return rc;
    }
    bool ready = words_init(&w, n, acct);
    bool dictionary = ready && find_words(&w, v, n);
    if (ready && !dictionary) {
        memcpy(w.words, v, n * sizeof(*v));
        w.count = n;
    }
    if (ready && join_texts(&w, acct)) {
        rc = put_column(&w, n, dictionary, out, acct, err);
    } else {
        rc = bbi_error_nomem(err, "string column");
    }
    words_fini(&w);
    return rc;
}

/* ---- Reading ---- */

struct bbi_strings {
    size_t count;      /* strings */
    size_t text_count; /* texts: words, or strings */
    uint32_t *ends;    /* [text_count + 1] where each text starts, and the end of the last */
    uint32_t *codes;   /* [count], or NULL: string i is text i */
    uint8_t *text;
};

void bbi_strings_destroy(struct bbi_strings **p)
{
    struct bbi_strings *s = *p;
    *p = NULL;
    if (s != NULL) {
        bbi_mem_free(s->ends);
        bbi_mem_free(s->codes);
        bbi_mem_free(s->text);
        bbi_mem_free(s);
    }
}

static int corrupt(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ECORRUPT, "string column: %s", what);
}

static int get_codes(struct bbi_strings *s, struct bbi_cursor *c, uint64_t *work,
                     struct bbi_account *acct, struct bb_error *err)
{
    uint64_t count = bbi_cursor_varint(c);
    if (c->err != BB_OK || count == 0 || count > s->count) {
        return corrupt(err, "impossible dictionary");
    }
    s->text_count = (size_t)count;
    int rc = bbi_intcol_decode(c, s->count, work, err);
    if (rc != BB_OK) {
        return bbi_error_wrap(err, "string column: codes");
    }
    s->codes = bbi_mem_alloc(acct, s->count * sizeof(*s->codes));
    if (s->codes == NULL) {
        return bbi_error_nomem(err, "string column");
    }
    for (size_t i = 0; i < s->count; i++) {
        if (work[i] >= count) {
            return corrupt(err, "code outside the dictionary");
        }
        s->codes[i] = (uint32_t)work[i];
    }
    return BB_OK;
}

static int get_lengths(struct bbi_strings *s, struct bbi_cursor *c, uint64_t *work,
                       struct bbi_account *acct, struct bb_error *err)
{
    int rc = bbi_intcol_decode(c, s->text_count, work, err);
    if (rc != BB_OK) {
        return bbi_error_wrap(err, "string column: lengths");
    }
    s->ends = bbi_mem_alloc(acct, (s->text_count + 1) * sizeof(*s->ends));
    if (s->ends == NULL) {
        return bbi_error_nomem(err, "string column");
    }
    s->ends[0] = 0;
    for (size_t i = 0; i < s->text_count; i++) {
        if (work[i] > BBI_STRINGS_LENGTH_MAX || work[i] > BBI_STRINGS_BYTES_MAX - s->ends[i]) {
            return corrupt(err, "length over the limit");
        }
        s->ends[i + 1] = s->ends[i] + (uint32_t)work[i];
    }
    return BB_OK;
}

static int inflate(uint8_t *text, size_t text_bytes, const uint8_t *frame, size_t frame_bytes,
                   struct bbi_account *acct, struct bb_error *err)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx_advanced(zstd_memory(acct));
    if (ctx == NULL) {
        return bbi_error_nomem(err, "string column");
    }
    size_t got = ZSTD_decompressDCtx(ctx, text, text_bytes, frame, frame_bytes);
    ZSTD_freeDCtx(ctx);
    if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation) {
        return bbi_error_nomem(err, "string column");
    }
    return !ZSTD_isError(got) && got == text_bytes ? BB_OK : corrupt(err, "damaged zstd frame");
}

static int get_text(struct bbi_strings *s, struct bbi_cursor *c, unsigned flags,
                    struct bbi_account *acct, struct bb_error *err)
{
    size_t text_bytes = s->ends[s->text_count];
    size_t size = text_bytes;
    const uint8_t *from = (flags & FLAG_ZSTD) != 0 ? bbi_cursor_block(c, &size)
                                                   : bbi_cursor_bytes(c, text_bytes);
    if (c->err != BB_OK || bbi_cursor_left(c) != 0) {
        return corrupt(err, "texts do not fill the column");
    }
    s->text = bbi_mem_alloc(acct, text_bytes);
    if (s->text == NULL) {
        return bbi_error_nomem(err, "string column");
    }
    if ((flags & FLAG_ZSTD) != 0) {
        return inflate(s->text, text_bytes, from, size, acct, err);
    }
    if (text_bytes > 0) {
        memcpy(s->text, from, text_bytes);
    }
    return BB_OK;
}

int bbi_strings_open(struct bbi_strings **out, const uint8_t *data, size_t len, size_t n,
                     struct bbi_account *acct, struct bb_error *err)
{
    BB_ASSERT(n <= BBI_STRINGS_COUNT_MAX);
    *out = NULL;
    struct bbi_cursor c;
    bbi_cursor_init(&c, data, len);
    unsigned flags = bbi_cursor_u8(&c);
    if (c.err != BB_OK || (flags & ~FLAGS_ALL) != 0) {
        return corrupt(err, "unknown form");
    }
    struct bbi_strings *s = bbi_mem_zalloc(acct, 1, sizeof(*s));
    uint64_t *work = bbi_mem_zalloc(acct, n, sizeof(*work));
    int rc = BB_OK;
    if (s == NULL || work == NULL) {
        rc = bbi_error_nomem(err, "string column");
        goto out;
    }
    s->count = n;
    s->text_count = n;
    if ((flags & FLAG_DICTIONARY) != 0) {
        rc = get_codes(s, &c, work, acct, err);
    }
    if (rc == BB_OK) {
        rc = get_lengths(s, &c, work, acct, err);
    }
    if (rc == BB_OK) {
        rc = get_text(s, &c, flags, acct, err);
    }
    if (rc == BB_OK) {
        *out = s;
        s = NULL;
    }
out:
    bbi_mem_free(work);
    bbi_strings_destroy(&s);
    return rc;
}

struct bbi_string bbi_strings_get(const struct bbi_strings *s, size_t i)
{
    BB_ASSERT(i < s->count);
    size_t text = s->codes != NULL ? s->codes[i] : i;
    return (struct bbi_string){s->text + s->ends[text], s->ends[text + 1] - s->ends[text]};
}

void bbi_strings_range(const struct bbi_strings *s, size_t from, size_t to, struct bbi_string *out)
{
    BB_ASSERT(from <= to && to <= s->count);
    for (size_t i = from; i < to; i++) {
        out[i - from] = bbi_strings_get(s, i);
    }
}
