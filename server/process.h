/**
 * What the operating system says of this process.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include <stdint.h>

struct process {
    double cpu_seconds, start_seconds; /* since 1970 */
    double resident_bytes, resident_peak_bytes, virtual_bytes;
    double open_fds, max_fds;
    double threads;
};

/** Reads /proc: not for a loop's thread. What cannot be read is 0. */
void process_look(struct process *process);

#endif
