/**
 * Who says the right password: bb_user_check and its memory of what was checked lately.
 *
 * Checking costs 50 ms of a core (engine/base/password.h), far too much for each request. So the
 * outcome is kept under a tag, an HMAC of verifier and password under a key that lives as long as
 * the process: nothing in the table tells a password, and a changed password has another verifier
 * and so another tag. Wrong ones are kept too, so that a client that repeats one costs nothing. A
 * name that is not there is checked against a verifier that nothing matches: it takes as long.
 *
 * Thread  all from any thread.
 */
#ifndef BBI_LOGINS_H
#define BBI_LOGINS_H

#include <pthread.h>

#include "engine/base/password.h"
#include "engine/catalog/users.h"

#define BBI_LOGINS_KEPT 1024

struct bbi_login {
    uint8_t tag[BBI_PASSWORD_TAG_BYTES];
    bool is_there, matches;
};

struct bbi_logins {
    struct bbi_catalog *catalog;
    struct bbi_account *acct;
    pthread_mutex_t lock;
    struct bbi_login *kept; /* [BBI_LOGINS_KEPT], by a tag's first bytes; made when first needed */
    uint8_t key[BBI_PASSWORD_TAG_BYTES];
    uint8_t nobody[BBI_PASSWORD_VERIFIER_BYTES];
};

/** BB_EINTERNAL no random bytes. */
int bbi_logins_init(struct bbi_logins *l, struct bbi_catalog *catalog, struct bbi_account *acct,
                    struct bb_error *err) BB_CHECKED;
void bbi_logins_fini(struct bbi_logins *l);

/** at_once: BB_EBUSY where the password would have to be hashed. See bb_user_check. */
int bbi_logins_check(struct bbi_logins *l, const char *name, const char *password, bool at_once,
                     struct bb_error *err) BB_CHECKED;

#endif
