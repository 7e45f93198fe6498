#include "engine/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code_info {
    const char *text;
    int http;
};

#define CODE_INFO(name, text, http) [name] = {text, http},
static const struct code_info code_table[BB_CODE_COUNT] = {BB_CODE_TABLE(CODE_INFO)};
#undef CODE_INFO

static const struct code_info *code_info(int code)
{
    if (code < 0 || code >= BB_CODE_COUNT) {
        code = BB_EINTERNAL;
    }
    return &code_table[code];
}

const char *bb_code_text(int code)
{
    return code_info(code)->text;
}

int bb_code_http(int code)
{
    return code_info(code)->http;
}

int bbi_error_set(struct bb_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    err->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return code;
}

static int code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return BB_ENOSPC;
    case ENOMEM:
        return BB_ENOMEM;
    case ENOENT:
        return BB_ENOTFOUND;
    default:
        return BB_EIO;
    }
}

int bbi_error_errno(struct bb_error *err, int errno_value, const char *fmt, ...)
{
    char what[BB_ERROR_TEXT_MAX / 2];
    char system_text[128];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return bbi_error_set(err, code_of_errno(errno_value), "%s: %s", what,
                         strerror_r(errno_value, system_text, sizeof(system_text)));
}

int bbi_error_wrap(struct bb_error *err, const char *fmt, ...)
{
    char inner[BB_ERROR_TEXT_MAX];
    va_list ap;
    memcpy(inner, err->text, sizeof(inner));
    va_start(ap, fmt);
    int len = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    size_t at = len < 0 ? 0 : (size_t)len;
    if (at + 2 < sizeof(err->text)) {
        memcpy(err->text + at, ": ", 2);
        at += 2;
        size_t rest = strnlen(inner, sizeof(err->text) - 1 - at);
        memcpy(err->text + at, inner, rest);
        err->text[at + rest] = '\0';
    }
    return err->code;
}

int bbi_error_nomem(struct bb_error *err, const char *what)
{
    return bbi_error_set(err, BB_ENOMEM, "out of memory: %s", what);
}

void bbi_error_clear(struct bb_error *err)
{
    err->code = BB_OK;
    err->text[0] = '\0';
}

void bbi_assert_fail(const char *expr, const char *file, int line, const char *func)
{
    (void)fprintf(stderr, "busbar: assertion failed: %s, %s() at %s:%d\n", expr, func, file, line);
    abort();
}
