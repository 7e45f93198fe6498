/**
 * What a process has used, from /proc.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <sys/types.h>

/** CPU seconds so far, user and system; -1 if there is no such process. */
double process_cpu_s(pid_t pid);

/** Highest resident memory in MiB; -1 if there is no such process. */
double process_peak_mib(pid_t pid);

/** Bytes of all files under a directory as they lie on disk; -1 if it cannot be read. */
double process_disk_bytes(const char *dir);

/** Monotonic seconds. */
double process_now_s(void);

#endif
