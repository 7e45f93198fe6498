#include "server/auth.h"

#include <string.h>
#include <strings.h>

#include "server/form.h"

/* Of a name or a password. */
#define TEXT_MAX ((size_t)4 << 10)

void auth_init(struct auth *auth)
{
    auth->kind = AUTH_NONE;
    buf_init(&auth->user, TEXT_MAX, NULL);
    buf_init(&auth->password, TEXT_MAX, NULL);
}

void auth_fini(struct auth *auth)
{
    if (auth->password.data != NULL)
        explicit_bzero(auth->password.data, auth->password.cap);
    buf_fini(&auth->user);
    buf_fini(&auth->password);
}

/* ---- the URL ---- */

static int read_param(const char *query, const char *name, struct buf *value)
{
    int rc = form_get(query, strlen(query), name, value);
    if (rc == BB_ENOTFOUND || rc == BB_EPARSE) {
        value->len = 0;
        rc = BB_OK;
    }
    return rc;
}

static int read_url(struct auth *auth, const char *query)
{
    int rc = read_param(query, "u", &auth->user);
    if (rc == BB_OK)
        rc = read_param(query, "p", &auth->password);
    if (rc == BB_OK && auth->user.len > 0 && auth->password.len > 0)
        auth->kind = AUTH_PASSWORD;
    return rc;
}

/* ---- the header ---- */

/** "user:password", split at the first colon. */
static int split(struct auth *auth, const char *text, size_t n)
{
    const char *colon = memchr(text, ':', n);
    if (colon == NULL || memchr(text, '\0', n) != NULL)
        return BB_OK;
    size_t user_len = (size_t)(colon - text);
    auth->user.len = auth->password.len = 0;
    int rc = buf_put(&auth->user, text, user_len);
    if (rc == BB_OK)
        rc = buf_put(&auth->user, "", 1);
    if (rc == BB_OK)
        rc = buf_put(&auth->password, colon + 1, n - user_len - 1);
    if (rc == BB_OK)
        rc = buf_put(&auth->password, "", 1);
    if (rc == BB_OK) {
        auth->user.len--;
        auth->password.len--;
        auth->kind = AUTH_PASSWORD;
    }
    return rc;
}

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/** Base64 with its padding, into out [3 for each 4 digits]. False: it is none. */
static bool decode(const char *text, char *out, size_t *n)
{
    size_t len = strlen(text);
    *n = 0;
    if (len % 4 != 0)
        return false;
    for (size_t at = 0; at < len; at += 4) {
        size_t pad = at + 4 < len ? 0 : text[at + 2] == '=' ? 2 : text[at + 3] == '=' ? 1 : 0;
        unsigned bits = 0;
        for (size_t i = 0; i < 4; i++) {
            int value = i < 4 - pad ? digit(text[at + i]) : text[at + i] == '=' ? 0 : -1;
            if (value < 0)
                return false;
            bits = bits << 6 | (unsigned)value;
        }
        for (size_t i = 0; i < 3 - pad; i++)
            out[(*n)++] = (char)(bits >> (16 - 8 * i) & 0xff);
    }
    return true;
}

static int read_basic(struct auth *auth, const char *text)
{
    struct buf plain;
    size_t n;
    buf_init(&plain, 3 * TEXT_MAX, NULL);
    int rc = buf_reserve(&plain, strlen(text) / 4 * 3 + 1);
    if (rc == BB_OK && decode(text, plain.data, &n))
        rc = split(auth, plain.data, n);
    if (plain.data != NULL)
        explicit_bzero(plain.data, plain.cap);
    buf_fini(&plain);
    return rc;
}

static int read_header(struct auth *auth, const char *header)
{
    const char *blank = strchr(header, ' ');
    size_t n = blank == NULL ? 0 : (size_t)(blank - header);
    if (n == 6 && strncmp(header, "Bearer", n) == 0)
        auth->kind = AUTH_BEARER;
    else if (n == 5 && strncmp(header, "Token", n) == 0)
        return split(auth, blank + 1, strlen(blank + 1));
    else if (n == 5 && strncasecmp(header, "Basic", n) == 0)
        return read_basic(auth, blank + 1);
    return BB_OK;
}

int auth_read(struct auth *auth, const char *query, const char *header)
{
    int rc = read_url(auth, query);
    return rc == BB_OK && auth->kind == AUTH_NONE ? read_header(auth, header) : rc;
}
