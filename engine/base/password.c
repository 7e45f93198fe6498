#include "engine/base/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#define KIND_SCRYPT 1
#define SALT_AT     4
#define SALT_BYTES  16
#define HASH_AT     (SALT_AT + SALT_BYTES)
#define HASH_BYTES  32

_Static_assert(HASH_AT + HASH_BYTES == BBI_PASSWORD_VERIFIER_BYTES, "layout");

/* 16 MiB and about 50 ms of one core for each guess. */
#define LOG2_N 14
#define R      8
#define P      1

/* What a verifier may ask for: a damaged one must not take all memory or time. */
#define LOG2_N_MAX 20
#define R_MAX      16
#define P_MAX      16

static uint64_t scrypt_bytes(const uint8_t *verifier)
{
    uint64_t n = UINT64_C(1) << verifier[1];
    return 128 * (uint64_t)verifier[2] * (n + verifier[3] + 2);
}

/* The hash that belongs to the head of a verifier: cost and salt. */
static int derive(const uint8_t *verifier, const char *password, size_t len,
                  struct bbi_account *acct, uint8_t hash[HASH_BYTES], struct bb_error *err)
{
    uint64_t bytes = scrypt_bytes(verifier);
    if (!bbi_account_charge(acct, bytes)) {
        return bbi_error_nomem(err, "checking a password");
    }
    int ok = EVP_PBE_scrypt(len == 0 ? "" : password, len, verifier + SALT_AT, SALT_BYTES,
                            UINT64_C(1) << verifier[1], verifier[2], verifier[3], bytes, hash,
                            HASH_BYTES);
    bbi_account_release(acct, bytes);
    return ok == 1 ? BB_OK : bbi_error_nomem(err, "checking a password");
}

bool bbi_password_decoy(uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES])
{
    const uint8_t head[SALT_AT] = {KIND_SCRYPT, LOG2_N, R, P};
    memcpy(verifier, head, sizeof(head));
    return bbi_password_random(verifier + SALT_AT, SALT_BYTES + HASH_BYTES);
}

int bbi_password_hash(const char *password, size_t len, struct bbi_account *acct,
                      uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES], struct bb_error *err)
{
    if (!bbi_password_decoy(verifier)) {
        return bbi_error_set(err, BB_EINTERNAL, "no random bytes for a password's salt");
    }
    return derive(verifier, password, len, acct, verifier + HASH_AT, err);
}

int bbi_password_check(const uint8_t *verifier, size_t verifier_len, const char *password,
                       size_t len, struct bbi_account *acct, bool *matches, struct bb_error *err)
{
    uint8_t hash[HASH_BYTES];
    *matches = false;
    if (verifier_len != BBI_PASSWORD_VERIFIER_BYTES || verifier[0] != KIND_SCRYPT ||
        verifier[1] == 0 || verifier[1] > LOG2_N_MAX || verifier[2] == 0 || verifier[2] > R_MAX ||
        verifier[3] == 0 || verifier[3] > P_MAX) {
        return bbi_error_set(err, BB_EVERSION, "a password's verifier is of an unknown kind");
    }
    int rc = derive(verifier, password, len, acct, hash, err);
    *matches = rc == BB_OK && bbi_password_same(hash, verifier + HASH_AT, HASH_BYTES);
    OPENSSL_cleanse(hash, sizeof(hash));
    return rc;
}

bool bbi_password_random(uint8_t *bytes, size_t len)
{
    return RAND_bytes(bytes, (int)len) == 1;
}

bool bbi_password_tag(const uint8_t key[BBI_PASSWORD_TAG_BYTES], const uint8_t *verifier,
                      size_t verifier_len, const char *password, size_t len,
                      uint8_t tag[BBI_PASSWORD_TAG_BYTES])
{
    uint8_t inner[BBI_PASSWORD_TAG_BYTES];
    uint8_t both[2 * BBI_PASSWORD_TAG_BYTES];
    unsigned n = sizeof(inner);
    const uint8_t *text = len == 0 ? (const uint8_t *)"" : (const uint8_t *)password;
    if (HMAC(EVP_sha256(), key, BBI_PASSWORD_TAG_BYTES, text, len, inner, &n) == NULL) {
        return false;
    }
    memcpy(both, inner, sizeof(inner));
    if (HMAC(EVP_sha256(), key, BBI_PASSWORD_TAG_BYTES, verifier, verifier_len,
             both + sizeof(inner), &n) == NULL) {
        return false;
    }
    bool ok = HMAC(EVP_sha256(), key, BBI_PASSWORD_TAG_BYTES, both, sizeof(both), tag, &n) != NULL;
    OPENSSL_cleanse(both, sizeof(both));
    OPENSSL_cleanse(inner, sizeof(inner));
    return ok;
}

bool bbi_password_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
