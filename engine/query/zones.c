#include "engine/query/zones.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/fs/fs.h"

#define ZONE_DIR "/usr/share/zoneinfo"

struct named_zone {
    struct named_zone *next;
    struct bbi_zone *zone;
    char name[BBI_ZONE_NAME_MAX + 1];
};

struct bbi_zones {
    pthread_mutex_t lock;
    struct bbi_account *acct;
    struct named_zone *first;
};

int bbi_zones_create(struct bbi_account *acct, struct bbi_zones **out, struct bb_error *err)
{
    *out = bbi_mem_zalloc(acct, 1, sizeof(**out));
    if (*out == NULL) {
        return bbi_error_nomem(err, "time zones");
    }
    (*out)->acct = acct;
    BB_ASSERT(pthread_mutex_init(&(*out)->lock, NULL) == 0);
    return BB_OK;
}

void bbi_zones_destroy(struct bbi_zones **zones)
{
    struct bbi_zones *z = *zones;
    *zones = NULL;
    if (z == NULL) {
        return;
    }
    while (z->first != NULL) {
        struct named_zone *named = z->first;
        z->first = named->next;
        bbi_mem_free(named->zone);
        bbi_mem_free(named);
    }
    (void)pthread_mutex_destroy(&z->lock);
    bbi_mem_free(z);
}

/* Names as tzdata has them: nothing that leaves its folder. */
static bool name_is_good(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > BBI_ZONE_NAME_MAX || name[0] == '/') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '-' && c != '+' && c != '/') {
            return false;
        }
    }
    return true;
}

/* "Local", as Go finds it: TZ says which, else the system. */
static int local_path(char path[static BBI_FS_PATH_MAX], struct bb_error *err)
{
    const char *name = getenv("TZ");
    if (name == NULL) {
        return bbi_fs_join(path, "/etc", "localtime", err);
    }
    name += name[0] == ':';
    return bbi_fs_join(path, ZONE_DIR, name_is_good(name) ? name : "UTC", err);
}

static int read_zone(struct bbi_zones *zones, const char *name, struct bbi_zone **out,
                     struct bb_error *err)
{
    char path[BBI_FS_PATH_MAX];
    struct bbi_buf bytes;
    int rc = strcmp(name, "Local") == 0 ? local_path(path, err)
                                        : bbi_fs_join(path, ZONE_DIR, name, err);
    bbi_buf_init(&bytes, zones->acct, BBI_ZONE_BYTES_MAX);
    rc = rc == BB_OK ? bbi_fs_read_file(bbi_fs_posix(), path, BBI_ZONE_BYTES_MAX, &bytes, err) : rc;
    rc = rc == BB_OK ? bbi_zone_parse(bytes.data, bytes.len, zones->acct, out, err) : rc;
    bbi_buf_fini(&bytes);
    return rc == BB_OK || rc == BB_ENOMEM
               ? rc
               : bbi_error_set(err, BB_ENOTFOUND, "unable to find time zone %s", name);
}

static int load(struct bbi_zones *zones, const char *name, struct named_zone **out,
                struct bb_error *err)
{
    struct named_zone *named = bbi_mem_zalloc(zones->acct, 1, sizeof(*named));
    int rc = named == NULL ? bbi_error_nomem(err, "time zone")
                           : read_zone(zones, name, &named->zone, err);
    if (rc != BB_OK) {
        bbi_mem_free(named);
        return rc;
    }
    memcpy(named->name, name, strlen(name) + 1);
    named->next = zones->first;
    zones->first = named;
    *out = named;
    return BB_OK;
}

int bbi_zones_get(struct bbi_zones *zones, const char *name, const struct bbi_zone **out,
                  struct bb_error *err)
{
    const char *known = name[0] == '\0' ? "UTC" : name;
    int rc = BB_OK;
    *out = NULL;
    if (!name_is_good(known)) {
        return bbi_error_set(err, BB_ENOTFOUND, "unable to find time zone %.64s", name);
    }
    pthread_mutex_lock(&zones->lock);
    struct named_zone *named = zones->first;
    while (named != NULL && strcmp(named->name, known) != 0) {
        named = named->next;
    }
    if (named == NULL) {
        rc = load(zones, known, &named, err);
    }
    pthread_mutex_unlock(&zones->lock);
    if (rc == BB_OK) {
        *out = named->zone;
    }
    return rc;
}
