/**
 * Errors with context, and assertions.
 *
 * A function that fails says what with bbi_error_set and returns its result; each caller on the way
 * out may say where with bbi_error_wrap. The first error wins: wrap only adds to it.
 */
#ifndef BBI_BASE_ERROR_H
#define BBI_BASE_ERROR_H

#include "engine/busbar.h"

/** Replace *err by code and text. Returns code. */
int bbi_error_set(struct bb_error *err, int code, const char *fmt, ...) BB_PRINTF(3, 4);

/** As bbi_error_set with the system's text for errno_value behind it; ENOSPC, EDQUOT, ENOMEM,
 * ENOENT get their own codes. */
int bbi_error_errno(struct bb_error *err, int errno_value, const char *fmt, ...) BB_PRINTF(3, 4);

/** Put "context: " before the text that is there. Returns err->code. */
int bbi_error_wrap(struct bb_error *err, const char *fmt, ...) BB_PRINTF(2, 3);

/** "out of memory: <what>". Returns BB_ENOMEM. */
int bbi_error_nomem(struct bb_error *err, const char *what);

/** Make *err BB_OK with an empty text. */
void bbi_error_clear(struct bb_error *err);

void bbi_assert_fail(const char *expr, const char *file, int line, const char *func)
    __attribute__((noreturn));

/** A programmer's error: abort with a trace. Stays on in release builds. */
#define BB_ASSERT(expr) \
    (__builtin_expect(!!(expr), 1) ? (void)0 : bbi_assert_fail(#expr, __FILE__, __LINE__, __func__))

#ifdef BB_DEBUG
#define BB_DEBUG_ASSERT(expr) BB_ASSERT(expr)
#else
#define BB_DEBUG_ASSERT(expr) ((void)0)
#endif

#endif
