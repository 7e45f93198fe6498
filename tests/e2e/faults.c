/*
 * A disk that is slow, full or broken, below a real busbard: loaded by LD_PRELOAD, it reads the
 * file that BUSBAR_FAULTS names before each operation on a regular file:
 *
 *     sync_ms=N     fdatasync and fsync take so long
 *     sync=EIO      they fail
 *     write=ENOSPC  pwrite and fallocate fail
 *
 * An empty or missing file is a healthy disk.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct faults {
    long sync_ms;
    bool sync_fails, write_fails;
};

static struct faults read_faults(int fd)
{
    struct faults f = {0};
    struct stat st;
    char text[256] = "";
    const char *path = getenv("BUSBAR_FAULTS");
    if (path == NULL || fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return f;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return f;
    ssize_t n = read(file, text, sizeof(text) - 1);
    close(file);
    text[n > 0 ? n : 0] = '\0';
    const char *sync_ms = strstr(text, "sync_ms=");
    f.sync_ms = sync_ms == NULL ? 0 : strtol(sync_ms + 8, NULL, 10);
    f.sync_fails = strstr(text, "sync=EIO") != NULL;
    f.write_fails = strstr(text, "write=ENOSPC") != NULL;
    return f;
}

/** False: the call is to fail. */
static bool before_sync(int fd)
{
    struct faults f = read_faults(fd);
    struct timespec wait = {f.sync_ms / 1000, f.sync_ms % 1000 * 1000000};
    if (f.sync_ms > 0)
        nanosleep(&wait, NULL);
    errno = f.sync_fails ? EIO : 0;
    return !f.sync_fails;
}

static bool before_write(int fd)
{
    bool fails = read_faults(fd).write_fails;
    errno = fails ? ENOSPC : 0;
    return !fails;
}

/** The C library's own function of this name. */
static void find_next(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof(found));
}

int fdatasync(int fd)
{
    int (*next)(int);
    find_next("fdatasync", &next);
    return before_sync(fd) ? next(fd) : -1;
}

int fsync(int fd)
{
    int (*next)(int);
    find_next("fsync", &next);
    return before_sync(fd) ? next(fd) : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t);
    find_next("pwrite", &next);
    return before_write(fd) ? next(fd, bytes, n, at) : -1;
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
    int (*next)(int, int, off_t, off_t);
    find_next("fallocate", &next);
    return before_write(fd) ? next(fd, mode, at, len) : -1;
}
