/* What a reader takes along before it looks into LMDB: references to the overlays of one moment. */
#include "engine/catalog/internal.h"

/* Series looked at under one hold of the lock. */
#define SLICE 4096

void bbi_catalog_read_lock(struct bbi_catalog *cat)
{
    int rc = pthread_rwlock_rdlock(&cat->lock);
    BB_ASSERT(rc == 0);
}

void bbi_catalog_write_lock(struct bbi_catalog *cat)
{
    int rc = pthread_rwlock_wrlock(&cat->lock);
    BB_ASSERT(rc == 0);
}

void bbi_catalog_unlock(struct bbi_catalog *cat)
{
    int rc = pthread_rwlock_unlock(&cat->lock);
    BB_ASSERT(rc == 0);
}

int bbi_view_begin(struct bbi_catalog *cat, struct bbi_view *view, struct bb_error *err)
{
    *view = (struct bbi_view){.count = 0};
    bbi_catalog_read_lock(cat);
    size_t count = 1;
    for (const struct bbi_overlay *o = cat->frozen; o != NULL; o = o->next) {
        count++;
    }
    view->overlays = bbi_mem_alloc(cat->acct, count * sizeof(struct bbi_overlay *));
    if (view->overlays != NULL) {
        for (struct bbi_overlay *o = cat->frozen; o != NULL; o = o->next) {
            view->overlays[view->count++] = o;
        }
        view->overlays[view->count++] = cat->active;
        for (size_t i = 0; i < view->count; i++) {
            bbi_overlay_ref(view->overlays[i]);
        }
    }
    bbi_catalog_unlock(cat);
    return view->overlays == NULL ? bbi_error_nomem(err, "reading the catalog") : BB_OK;
}

void bbi_view_end(struct bbi_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        bbi_overlay_unref(view->overlays[i]);
    }
    bbi_mem_free(view->overlays);
    *view = (struct bbi_view){.count = 0};
}

/* Where the next slice begins. Series never move and go with the overlay, which is held. */
struct place {
    size_t at;                             /* in the order of ids, of all measurements */
    const struct bbi_overlay_series *next; /* of one; NULL: no more */
    bool is_first;
};

static const struct bbi_overlay_series *take(const struct bbi_overlay_db *db, uint32_t mid,
                                             struct place *p)
{
    if (mid == 0) {
        return p->at < db->count ? db->series[p->at++] : NULL;
    }
    const struct bbi_overlay_series *s = p->is_first ? bbi_overlay_first(db, mid) : p->next;
    p->is_first = false;
    p->next = s == NULL ? NULL : s->next;
    return s;
}

/* *more false: that was all of them. */
static int each_slice(const struct bbi_catalog *cat, const struct bbi_overlay *o, uint32_t db_id,
                      uint32_t mid, struct place *p, bool *more, bbi_view_fn each, void *arg,
                      struct bb_error *err)
{
    const struct bbi_schema_db *known = bbi_schema_db_by_id(&cat->schema, db_id);
    const struct bbi_overlay_db *db = bbi_overlay_db_find(o, db_id);
    int rc = BB_OK;
    *more = db != NULL;
    for (size_t i = 0; rc == BB_OK && *more && i < SLICE; i++) {
        const struct bbi_overlay_series *s = take(db, mid, p);
        *more = s != NULL;
        if (s != NULL && (known == NULL || !bbi_schema_is_dropped(known, s->sid))) {
            rc = each(arg, s, err);
        }
    }
    return rc;
}

int bbi_view_each(struct bbi_catalog *cat, const struct bbi_view *view, uint32_t db_id,
                  uint32_t mid, bbi_view_fn each, void *arg, struct bb_error *err)
{
    int rc = BB_OK;
    for (size_t i = 0; rc == BB_OK && i < view->count; i++) {
        struct place place = {.is_first = true};
        bool more = true;
        while (rc == BB_OK && more) {
            bbi_catalog_read_lock(cat);
            rc = each_slice(cat, view->overlays[i], db_id, mid, &place, &more, each, arg, err);
            bbi_catalog_unlock(cat);
        }
    }
    return rc;
}
