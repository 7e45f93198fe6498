/**
 * Passwords: a slow hash to keep, a fast keyed one to recognise what was checked before.
 *
 * A verifier is what the server keeps of a password:
 *
 *     kind u8 (1: scrypt) | log2 N u8 | r u8 | p u8 | salt [16] | hash [32]
 *
 * scrypt (RFC 7914) makes each guess cost memory as well as time. OpenSSL computes it, and the rest
 * here. The memory that it takes while it runs is charged to the account before.
 */
#ifndef BBI_BASE_PASSWORD_H
#define BBI_BASE_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

#define BBI_PASSWORD_VERIFIER_BYTES 52
#define BBI_PASSWORD_TAG_BYTES      32

/** A new verifier, with a salt of its own. Takes some 50 ms. BB_ENOMEM, BB_EINTERNAL. */
int bbi_password_hash(const char *password, size_t len, struct bbi_account *acct,
                      uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES],
                      struct bb_error *err) BB_CHECKED;

/** Whether this is the password; takes as long. BB_EVERSION a verifier of an unknown kind. */
int bbi_password_check(const uint8_t *verifier, size_t verifier_len, const char *password,
                       size_t len, struct bbi_account *acct, bool *matches,
                       struct bb_error *err) BB_CHECKED;

/** A verifier that no password matches, of the same cost as those of bbi_password_hash. False: no
 * random bytes. */
bool bbi_password_decoy(uint8_t verifier[BBI_PASSWORD_VERIFIER_BYTES]) BB_CHECKED;

/** Bytes that nobody can guess. False: there are none. */
bool bbi_password_random(uint8_t *bytes, size_t len) BB_CHECKED;

/** HMAC-SHA-256 of verifier and password under a key: changes with either. False: no memory. */
bool bbi_password_tag(const uint8_t key[BBI_PASSWORD_TAG_BYTES], const uint8_t *verifier,
                      size_t verifier_len, const char *password, size_t len,
                      uint8_t tag[BBI_PASSWORD_TAG_BYTES]) BB_CHECKED;

/** Whether they are equal, in a time that does not tell where they differ. */
bool bbi_password_same(const uint8_t *a, const uint8_t *b, size_t len);

#endif
