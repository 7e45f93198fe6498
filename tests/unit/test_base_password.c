#include "engine/base/password.h"

#include <string.h>

#include "tests/lib/unit.h"

static struct bb_error err;

static bool matches(const uint8_t *verifier, const char *password, size_t len)
{
    bool is;
    assert_ok(
        bbi_password_check(verifier, BBI_PASSWORD_VERIFIER_BYTES, password, len, NULL, &is, &err),
        &err);
    return is;
}

static void test_hash(void **state)
{
    uint8_t a[BBI_PASSWORD_VERIFIER_BYTES];
    uint8_t b[BBI_PASSWORD_VERIFIER_BYTES];
    (void)state;
    assert_ok(bbi_password_hash("secret", 6, NULL, a, &err), &err);
    assert_ok(bbi_password_hash("secret", 6, NULL, b, &err), &err);
    assert_memory_not_equal(a, b, sizeof(a)); /* each has a salt of its own */
    assert_true(matches(a, "secret", 6));
    assert_true(matches(b, "secret", 6));
    assert_false(matches(a, "secreT", 6));
    assert_false(matches(a, "secret", 5));
    assert_false(matches(a, NULL, 0));
    assert_ok(bbi_password_hash(NULL, 0, NULL, b, &err), &err);
    assert_true(matches(b, NULL, 0));
    assert_false(matches(b, "x", 1));
    assert_true(bbi_password_decoy(b));
    assert_false(matches(b, "", 0));
}

/* The hash of a fixed verifier: RFC 7914's algorithm with the parameters in its head. */
static void test_vector(void **state)
{
    static const uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES] = {
        1,    14,   8,    1,    'S',  'o',  'd',  'i',  'u',  'm',  'C',
        'h',  'l',  'o',  'r',  'i',  'd',  'e',  '!',  '!', /* by Python's hashlib.scrypt: */
        0x52, 0x66, 0x32, 0x34, 0x33, 0xbf, 0x61, 0x1b, 0x85, 0x9a, 0xc8,
        0x00, 0xe8, 0x92, 0xb9, 0x6d, 0xa3, 0x35, 0xa9, 0x32, 0x70, 0xd5,
        0xb1, 0x6f, 0x5f, 0x66, 0xab, 0x7b, 0x50, 0xf6, 0x38, 0x17};
    (void)state;
    assert_true(matches(verifier, "pleaseletmein", 13));
}

/* What a file holds may be anything: no verifier asks for all memory, or is taken for another. */
static void test_damaged(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } cases[] = {{0, 0}, {0, 2}, {1, 0}, {1, 21}, {1, 255}, {2, 0}, {2, 17}, {3, 0}, {3, 17}};
    uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES];
    bool is;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(bbi_password_decoy(verifier));
        verifier[cases[i].at] = cases[i].value;
        assert_int_equal(bbi_password_check(verifier, sizeof(verifier), "x", 1, NULL, &is, &err),
                         BB_EVERSION);
        assert_false(is);
    }
    assert_int_equal(bbi_password_check(verifier, 0, "x", 1, NULL, &is, &err), BB_EVERSION);
}

static void test_account(void **state)
{
    struct bbi_account acct;
    uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES];
    (void)state;
    bbi_account_init(&acct, "small", 1 << 20, NULL);
    assert_int_equal(bbi_password_hash("x", 1, &acct, verifier, &err), BB_ENOMEM);
    assert_int_equal(acct.used_bytes, 0);
    bbi_account_init(&acct, "large", 32 << 20, NULL);
    assert_ok(bbi_password_hash("x", 1, &acct, verifier, &err), &err);
    assert_int_equal(acct.used_bytes, 0);
    assert_true(acct.peak_bytes > 16 << 20);
}

static void test_tag(void **state)
{
    uint8_t key[BBI_PASSWORD_TAG_BYTES] = {1};
    uint8_t tags[5][BBI_PASSWORD_TAG_BYTES];
    (void)state;
    assert_true(bbi_password_tag(key, (const uint8_t *)"ver", 3, "pw", 2, tags[0]));
    assert_true(bbi_password_tag(key, (const uint8_t *)"verp", 4, "w", 1, tags[1]));
    assert_true(bbi_password_tag(key, (const uint8_t *)"ver", 3, "pW", 2, tags[2]));
    assert_true(bbi_password_tag(key, (const uint8_t *)"ver", 3, NULL, 0, tags[3]));
    key[0] = 2;
    assert_true(bbi_password_tag(key, (const uint8_t *)"ver", 3, "pw", 2, tags[4]));
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            assert_int_equal(bbi_password_same(tags[i], tags[k], sizeof(tags[i])), i == k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),    cmocka_unit_test(test_vector),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_account),
        cmocka_unit_test(test_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
