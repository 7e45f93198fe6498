/*
 * What a request carries, on any bytes: parameters of URLs and forms, parts of a multipart body,
 * params JSON, gzip bodies, directives of line protocol, credentials, texts with passwords. The
 * first byte says which.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/form.h"
#include "server/gunzip.h"
#include "server/gzip.h"
#include "server/line_directive.h"
#include "server/multipart.h"
#include "server/params.h"
#include "server/redact.h"
#include "server/units.h"

#define VALUE_MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* What was decoded ends with a NUL that is not counted, and has no other. */
static void check_value(const struct buf *value, int rc, size_t size)
{
    if (rc == BB_OK || rc == BB_ENOTFOUND) {
        must(value->data[value->len] == '\0', "a value ends with NUL");
        must(strlen(value->data) == value->len, "a value has no NUL");
        must(value->len <= size, "a value is not longer than what it is from");
        must(rc == BB_OK || value->len == 0, "nothing found is empty");
    }
}

static void try_form(const char *text, size_t n)
{
    static const char *const names[] = {"q", "db", "params", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf value;
        buf_init(&value, VALUE_MAX_BYTES, NULL);
        int rc = form_get(text, n, names[i], &value);
        check_value(&value, rc, n);
        if (rc == BB_OK)
            (void)(units_precision_ns(value.data) + units_epoch_ns(value.data));
        buf_fini(&value);
    }
}

static void try_parts(const char *text, size_t n)
{
    static const char *const types[] = {"multipart/form-data; boundary=x",
                                        "multipart/form-data; a=b; boundary=\"x y\"; c",
                                        "multipart/form-data"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct buf value;
        buf_init(&value, VALUE_MAX_BYTES, NULL);
        check_value(&value, multipart_get(types[i], text, n, "q", &value), n);
        buf_fini(&value);
    }
}

/* The Content-Type is the client's, too. */
static void try_type(const char *text, size_t n)
{
    static const char body[] =
        "--x\r\nContent-Disposition: form-data; name=q\r\n\r\nv\r\n--x--\r\n";
    char *type = malloc(n + 1);
    struct buf value;
    must(type != NULL, "memory");
    memcpy(type, text, n);
    type[n] = '\0';
    buf_init(&value, VALUE_MAX_BYTES, NULL);
    check_value(&value, multipart_get(type, body, sizeof(body) - 1, "q", &value), sizeof(body));
    (void)(multipart_is(type) + gzip_accepted(type));
    buf_fini(&value);
    free(type);
}

static void try_params(const char *text, size_t n)
{
    struct params params;
    struct bb_error err = {0};
    int rc = params_parse(text, n, &params, &err);
    must(rc == BB_OK || err.text[0] != '\0', "an error has a text");
    for (size_t i = 0; rc == BB_OK && i < params.count; i++) {
        const struct bb_param *p = &params.list[i];
        must(p->name != NULL, "a parameter has a name");
        must(p->kind != BB_PARAM_STRING || p->v.str != NULL, "a string has a text");
        must(p->kind != BB_PARAM_FLOAT || p->v.f - p->v.f == 0, "a float is finite");
    }
    params_fini(&params);
}

/* All of a body that comes in two pieces, up to out's maximum; BB_ELIMIT beyond. */
static int gunzip_all(const char *text, size_t n, size_t cut, struct buf *out, struct bb_error *err)
{
    struct gunzip g;
    int rc = gunzip_open(&g, NULL, err);
    for (size_t at = 0, used; rc == BB_OK && at < n; at += used) {
        rc = gunzip_some(&g, text + at, (at < cut && cut < n ? cut : n) - at, &used, out, out->max,
                         err);
        must(rc != BB_OK || used > 0 || out->len == out->max, "it goes on or is full");
        if (rc == BB_OK && out->len == out->max)
            rc = BB_ELIMIT;
    }
    rc = rc == BB_OK ? gunzip_end(&g, err) : rc;
    gunzip_close(&g);
    return rc;
}

/* A body inflates within its maximum, or says why not, and the same in pieces; what is packed here
 * comes back. */
static void try_gzip(const char *text, size_t n)
{
    struct buf plain, packed, back;
    struct bb_error err = {0};
    struct gzip gzip;
    buf_init(&plain, VALUE_MAX_BYTES, NULL);
    buf_init(&back, VALUE_MAX_BYTES, NULL);
    int rc = gunzip_all(text, n, n, &plain, &err);
    must(plain.len <= VALUE_MAX_BYTES, "gunzip keeps the maximum");
    must(rc == BB_OK || rc == BB_ELIMIT || err.text[0] != '\0', "an error has a text");
    must(gunzip_all(text, n, n / 2, &back, &err) == rc, "the same in pieces");
    must(rc != BB_OK || back.len == plain.len, "as much in pieces");
    buf_fini(&plain);
    buf_fini(&back);

    buf_init(&packed, SIZE_MAX, NULL);
    buf_init(&back, VALUE_MAX_BYTES + n, NULL);
    must(gzip_open(&gzip) == BB_OK, "gzip opens");
    must(gzip_put(&gzip, text, n / 2, false, &packed) == BB_OK, "gzip packs");
    must(gzip_put(&gzip, text + n / 2, n - n / 2, true, &packed) == BB_OK, "gzip packs");
    gzip_close(&gzip);
    must(gunzip_all(packed.data, packed.len, n / 2, &back, &err) == BB_OK, "it comes back");
    must(back.len == n && (n == 0 || memcmp(back.data, text, n) == 0), "it is the same");
    buf_fini(&packed);
    buf_fini(&back);
}

static void try_directive(const char *text, size_t n)
{
    const char *value = NULL;
    size_t value_len = 0;
    enum line_directive directive = line_directive_parse(text, n, &value, &value_len);
    if (directive != LINE_NONE)
        must(value >= text && value_len <= n && value + value_len <= text + n,
             "the argument lies within the line");
}

/* The same text as a URL's query and as a header, up to its first NUL. */
static void try_auth(const char *text, size_t n)
{
    struct auth auth;
    char *copy = malloc(n + 1);
    must(copy != NULL, "memory");
    memcpy(copy, text, n);
    copy[n] = '\0';
    auth_init(&auth);
    int rc = auth_read(&auth, copy, copy);
    if (rc == BB_OK && auth.kind == AUTH_PASSWORD) {
        check_value(&auth.user, rc, n);
        check_value(&auth.password, rc, n);
    }
    auth_fini(&auth);
    free(copy);
}

/* Each value that goes makes a text longer by "[REDACTED]"; the shortest is that of "://@". */
static void try_redact(const char *text, size_t n)
{
    struct buf out;
    buf_init(&out, SIZE_MAX, NULL);
    must(redact(text, n, &out) == BB_OK, "redacted");
    must(out.len <= n + (n / 4 + 1) * 10, "no longer than that");
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const char *, size_t) = {
        try_form, try_parts, try_type, try_params, try_gzip, try_directive, try_auth, try_redact};
    if (size == 0)
        return 0;
    tries[data[0] % (sizeof(tries) / sizeof(tries[0]))]((const char *)data + 1, size - 1);
    return 0;
}
