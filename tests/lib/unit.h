/** cmocka with the headers that it wants before it. */
#ifndef TESTS_LIB_UNIT_H
#define TESTS_LIB_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** Expect BB_OK; print the error's text otherwise. */
#define assert_ok(rc, err)                                     \
    do {                                                       \
        if ((rc) != 0) {                                       \
            fail_msg("code %d: %s", (err)->code, (err)->text); \
        }                                                      \
    } while (0)

/** Expect that text contains part. */
#define assert_contains(text, part)                          \
    do {                                                     \
        if (strstr((text), (part)) == NULL) {                \
            fail_msg("\"%s\" lacks \"%s\"", (text), (part)); \
        }                                                    \
    } while (0)

#endif
