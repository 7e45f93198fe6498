/**
 * Busbar: a time-series database for energy readings, as a library.
 *
 * A `struct bb_db` is one open data directory, owned by one process. Inside it are databases,
 * retention policies, measurements, series (measurement + sorted tags) and fields. Times are int64
 * nanoseconds since 1970-01-01 UTC.
 *
 * Errors  every fallible function returns a bb_code and fills the caller's bb_error with what
 * failed and where. Thread  all functions but bb_db_open and bb_db_close may be called from any
 * thread at any time.
 */
#ifndef BUSBAR_H
#define BUSBAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BB_CHECKED                 __attribute__((warn_unused_result))
#define BB_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#else
#define BB_CHECKED
#define BB_PRINTF(fmt_at, args_at)
#endif

/** Every error: name, text, HTTP status of the reply that reports it. */
#define BB_CODE_TABLE(X)                                     \
    X(BB_OK, "ok", 200)                                      \
    X(BB_EINVAL, "invalid argument", 400)                    \
    X(BB_EPARSE, "unable to parse", 400)                     \
    X(BB_ETYPE, "field type conflict", 400)                  \
    X(BB_ERANGE, "out of range", 400)                        \
    X(BB_EEXIST, "already exists", 400)                      \
    X(BB_ENOTFOUND, "not found", 404)                        \
    X(BB_EUNSUPPORTED, "not supported", 400)                 \
    X(BB_ELIMIT, "limit exceeded", 413)                      \
    X(BB_ECANCELED, "canceled", 503)                         \
    X(BB_ETIMEOUT, "timed out", 503)                         \
    X(BB_EBUSY, "overloaded", 503)                           \
    X(BB_ENOMEM, "out of memory", 503)                       \
    X(BB_ENOSPC, "no space left on device", 503)             \
    X(BB_EIO, "input/output error", 503)                     \
    X(BB_EREADONLY, "read-only after an earlier error", 503) \
    X(BB_ELOCKED, "in use by another process", 503)          \
    X(BB_EVERSION, "written by a newer version", 500)        \
    X(BB_ECORRUPT, "corrupt data", 500)                      \
    X(BB_EINTERNAL, "internal error", 500)

#define BB_CODE_ENUM(name, text, http) name,
enum bb_code {
    BB_CODE_TABLE(BB_CODE_ENUM) BB_CODE_COUNT
};
#undef BB_CODE_ENUM

#define BB_ERROR_TEXT_MAX 480

/** An error with its context, outermost first: "open partition 2024-05: footer: checksum mismatch".
 */
struct bb_error {
    int code; /* enum bb_code */
    char text[BB_ERROR_TEXT_MAX];
};

/** The code's general text, "checksum mismatch"-like; never NULL. */
const char *bb_code_text(int code);

/** The HTTP status that reports this code. */
int bb_code_http(int code);

/** The version of the library that runs, "MAJOR.MINOR.PATCH", which may be newer than this header.
 */
const char *bb_version(void);

#ifdef __cplusplus
}
#endif
#endif
