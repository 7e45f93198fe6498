#include "client/import_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/clock.h"

#define SAVE_INTERVAL_MS 100
#define FIRST_LINE       "busbar import state 1\n"

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (hash ^ 0xff) * UINT64_C(1099511628211);
}

/** Make each folder of the path, for the user alone. */
static bool make_folders(const char *path)
{
    char part[4096];
    snprintf(part, sizeof(part), "%s", path);
    for (char *at = strchr(part + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
        *at = '/';
    }
    return true;
}

static bool set_path(struct import_state *s, const char *source, const char *target)
{
    char absolute[PATH_MAX];
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    bool xdg = state != NULL && *state == '/';
    if (realpath(source, absolute) == NULL || (!xdg && home == NULL))
        return false;
    uint64_t hash = hash_text(hash_text(UINT64_C(14695981039346656037), absolute), target);
    int n = snprintf(s->path, sizeof(s->path), "%s%s/busbar/import/%016" PRIx64, xdg ? state : home,
                     xdg ? "" : "/.local/state", hash);
    return n > 0 && (size_t)n < sizeof(s->path) - 8 && make_folders(s->path);
}

/** The whole state, or STATE_NONE where there is none or it cannot be understood. */
static enum import_state_found load(const struct import_state *s, struct import_position *position)
{
    struct source_identity id;
    uint32_t options_crc;
    char first[64];
    FILE *f = fopen(s->path, "re");
    if (f == NULL)
        return STATE_NONE;
    bool ok = fgets(first, sizeof(first), f) != NULL && strcmp(first, FIRST_LINE) == 0 &&
              fscanf(f,
                     "size %" SCNu64 " mtime_ns %" SCNd64 " head_crc %" SCNu32
                     " options_crc %" SCNu32 " rows %" SCNu64 " offset %" SCNu64 " line %" SCNu64
                     " stored %" SCNu64 " end\n",
                     &id.size_bytes, &id.mtime_ns, &id.head_crc, &options_crc, &position->rows,
                     &position->offset, &position->line, &position->stored) == 8;
    fclose(f);
    if (!ok)
        return STATE_NONE;
    bool same = id.size_bytes == s->identity.size_bytes && id.mtime_ns == s->identity.mtime_ns &&
                id.head_crc == s->identity.head_crc && options_crc == s->options_crc;
    return same ? STATE_FOUND : STATE_CHANGED;
}

enum import_state_found import_state_open(struct import_state *s, const char *source,
                                          const char *target, struct source_identity identity,
                                          uint32_t options_crc, struct import_position *position)
{
    *s = (struct import_state){.identity = identity, .options_crc = options_crc};
    struct import_position found = {0};
    enum import_state_found result = STATE_NONE;
    s->usable = set_path(s, source, target);
    if (s->usable)
        result = load(s, &found);
    *position = result == STATE_FOUND ? found : (struct import_position){0};
    return result;
}

bool import_state_save(struct import_state *s, const struct import_position *p, bool now)
{
    char aside[sizeof(s->path) + 8];
    if (!s->usable)
        return false;
    if (!now && clock_now_ms() - s->saved_ms < SAVE_INTERVAL_MS)
        return true;
    snprintf(aside, sizeof(aside), "%s.new", s->path);
    FILE *f = fopen(aside, "we");
    if (f == NULL)
        return false;
    fprintf(f,
            FIRST_LINE "size %" PRIu64 " mtime_ns %" PRId64 " head_crc %" PRIu32
                       " options_crc %" PRIu32 "\nrows %" PRIu64 " offset %" PRIu64 " line %" PRIu64
                       " stored %" PRIu64 " end\n",
            s->identity.size_bytes, s->identity.mtime_ns, s->identity.head_crc, s->options_crc,
            p->rows, p->offset, p->line, p->stored);
    bool ok = ferror(f) == 0 && fflush(f) == 0 && (!now || fsync(fileno(f)) == 0);
    ok = fclose(f) == 0 && ok && rename(aside, s->path) == 0;
    s->saved_ms = clock_now_ms();
    return ok;
}

void import_state_remove(struct import_state *s)
{
    if (s->usable)
        unlink(s->path);
}
