#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/** The fields of /proc/self/stat behind the name, which ends with the last ')'. */
static void read_stat(struct process *p)
{
    char text[1024];
    long threads = 0;
    unsigned long long start_ticks = 0;
    unsigned long virtual_bytes = 0;
    FILE *f = fopen("/proc/self/stat", "re");
    if (f == NULL)
        return;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *rest = strrchr(text, ')');
    if (rest == NULL || sscanf(rest + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %ld %*d %llu %lu",
                               &threads, &start_ticks, &virtual_bytes) != 3)
        return;
    struct timespec now, up;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    double age = (double)up.tv_sec + (double)up.tv_nsec / 1e9 -
                 (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
    p->threads = (double)threads;
    p->virtual_bytes = (double)virtual_bytes;
    p->start_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - age;
}

static void read_descriptors(struct process *p)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        p->max_fds = (double)limit.rlim_cur;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        p->open_fds += entry->d_name[0] != '.';
    p->open_fds -= 1; /* the directory itself */
    closedir(dir);
}

void process_look(struct process *p)
{
    struct rusage usage;
    memset(p, 0, sizeof(*p));
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        p->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        p->resident_peak_bytes = (double)usage.ru_maxrss * 1024;
    }
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages;
    if (f != NULL) {
        if (fscanf(f, "%*u %lu", &pages) == 1)
            p->resident_bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
        fclose(f);
    }
    read_stat(p);
    read_descriptors(p);
}
