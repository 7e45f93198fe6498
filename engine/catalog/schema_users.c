#include "engine/catalog/schema_users.h"

#include <string.h>

/* ---- looking up ---- */

/* Where an id stands or would stand. */
static size_t place(const struct bbi_schema *s, uint32_t id)
{
    size_t lo = 0;
    size_t hi = s->user_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->users[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct bbi_schema_user *by_id(const struct bbi_schema *s, uint32_t id)
{
    size_t at = place(s, id);
    return at < s->user_count && s->users[at]->id == id ? s->users[at] : NULL;
}

struct bbi_schema_user *bbi_users_by_name(const struct bbi_schema *s, const uint8_t *name,
                                          size_t len)
{
    for (size_t i = 0; i < s->user_count; i++) {
        struct bbi_schema_user *user = s->users[i];
        if (user->name_len == len && memcmp(user->name, name, len) == 0) {
            return user;
        }
    }
    return NULL;
}

enum bbi_privilege bbi_user_privilege(const struct bbi_schema_user *user, uint32_t db_id)
{
    if (user->is_admin) {
        return BBI_PRIVILEGE_ALL;
    }
    for (size_t i = 0; i < user->grant_count; i++) {
        if (user->grants[i].db_id == db_id) {
            return user->grants[i].privilege;
        }
    }
    return BBI_PRIVILEGE_NONE;
}

/* ---- applying records ---- */

static struct bbi_schema_user *build(const struct bbi_schema *s, struct bbi_record_user *r)
{
    size_t grants_bytes = r->grant_count * sizeof(struct bbi_grant);
    struct bbi_schema_user *user = bbi_mem_alloc(s->acct, sizeof(*user) + grants_bytes +
                                                              r->name_len + r->verifier_len);
    if (user == NULL) {
        return NULL;
    }
    struct bbi_grant *grants = (struct bbi_grant *)(user + 1);
    uint8_t *name = (uint8_t *)grants + grants_bytes;
    uint8_t *verifier = name + r->name_len;
    memcpy(name, r->name, r->name_len);
    if (r->verifier_len != 0) {
        memcpy(verifier, r->verifier, r->verifier_len);
    }
    *user = (struct bbi_schema_user){.id = r->user_id,
                                     .is_admin = r->is_admin,
                                     .name_len = (uint32_t)r->name_len,
                                     .verifier_len = (uint32_t)r->verifier_len,
                                     .grants = grants,
                                     .name = name,
                                     .verifier = verifier};
    for (uint32_t i = 0; i < r->grant_count; i++) {
        struct bbi_grant grant = bbi_record_next_grant(r);
        if (bbi_schema_db_by_id(s, grant.db_id) != NULL) {
            grants[user->grant_count++] = grant;
        }
    }
    return user;
}

static int contradiction(const struct bbi_record *record, uint32_t id, struct bb_error *err)
{
    return bbi_error_set(err, BB_ECORRUPT, "record %s, id %u: contradicts what is known",
                         bbi_record_type_name(record->type), id);
}

static int add(struct bbi_schema *s, const struct bbi_record *record, struct bbi_record_user *r,
               struct bb_error *err)
{
    if (bbi_users_by_name(s, r->name, r->name_len) != NULL || r->user_id == UINT32_MAX) {
        return contradiction(record, r->user_id, err);
    }
    struct bbi_schema_user **users = bbi_mem_realloc(
        s->acct, s->users, (s->user_count + 1) * sizeof(struct bbi_schema_user *));
    s->users = users == NULL ? s->users : users;
    struct bbi_schema_user *user = users == NULL ? NULL : build(s, r);
    if (user == NULL) {
        return bbi_error_nomem(err, "user");
    }
    users[s->user_count++] = user; /* ids are given ascending */
    s->admin_count += user->is_admin;
    s->next_user_id = user->id + 1;
    return BB_OK;
}

static int alter(struct bbi_schema *s, const struct bbi_record *record, struct bbi_record_user *r,
                 struct bb_error *err)
{
    size_t at = place(s, r->user_id);
    struct bbi_schema_user *old = s->users[at];
    if (old->name_len != r->name_len || memcmp(old->name, r->name, r->name_len) != 0) {
        return contradiction(record, r->user_id, err);
    }
    struct bbi_schema_user *user = build(s, r);
    if (user == NULL) {
        return bbi_error_nomem(err, "user");
    }
    s->admin_count += user->is_admin;
    s->admin_count -= old->is_admin;
    s->users[at] = user;
    bbi_mem_free(old);
    return BB_OK;
}

static void drop(struct bbi_schema *s, uint32_t id)
{
    size_t at = place(s, id);
    s->admin_count -= s->users[at]->is_admin;
    bbi_mem_free(s->users[at]);
    memmove(&s->users[at], &s->users[at + 1],
            (s->user_count - at - 1) * sizeof(struct bbi_schema_user *));
    s->user_count--;
}

int bbi_users_apply(struct bbi_schema *s, const struct bbi_record *record, bool *changed,
                    struct bb_error *err)
{
    struct bbi_record_user r;
    int rc = bbi_record_get_user(record, &r, err);
    if (rc != BB_OK) {
        return rc;
    }
    const struct bbi_schema_user *known = by_id(s, r.user_id);
    if (record->type == BBI_RECORD_USER_DROP) {
        /* The index keeps the highest id that was dropped, whoever had it. */
        *changed = known != NULL || r.user_id >= s->next_user_id;
        if (known != NULL) {
            drop(s, r.user_id);
        }
        if (r.user_id >= s->next_user_id && r.user_id != UINT32_MAX) {
            s->next_user_id = r.user_id + 1;
        }
        return BB_OK;
    }
    if (known == NULL && r.user_id < s->next_user_id) {
        return BB_OK; /* dropped since */
    }
    if (known == NULL) {
        rc = record->type == BBI_RECORD_USER_NEW ? add(s, record, &r, err)
                                                 : contradiction(record, r.user_id, err);
        *changed = rc == BB_OK;
    } else if (record->type == BBI_RECORD_USER_ALTER) {
        rc = alter(s, record, &r, err);
        *changed = rc == BB_OK;
    } else if (known->name_len != r.name_len || memcmp(known->name, r.name, r.name_len) != 0) {
        rc = contradiction(record, r.user_id, err);
    }
    return rc;
}

void bbi_users_forget_db(struct bbi_schema *s, uint32_t db_id)
{
    for (size_t i = 0; i < s->user_count; i++) {
        struct bbi_schema_user *user = s->users[i];
        size_t kept = 0;
        for (size_t k = 0; k < user->grant_count; k++) {
            if (user->grants[k].db_id != db_id) {
                user->grants[kept++] = user->grants[k];
            }
        }
        user->grant_count = kept;
    }
}

void bbi_users_fini(struct bbi_schema *s)
{
    for (size_t i = 0; i < s->user_count; i++) {
        bbi_mem_free(s->users[i]);
    }
    bbi_mem_free(s->users);
    s->users = NULL;
    s->user_count = s->admin_count = 0;
}
