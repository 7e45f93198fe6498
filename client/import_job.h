#ifndef CLIENT_IMPORT_JOB_H
#define CLIENT_IMPORT_JOB_H

#include <signal.h>
#include <stdbool.h>

#include "client/import_options.h"
#include "client/import_progress.h"
#include "client/import_rejects.h"
#include "client/import_send.h"
#include "client/import_source.h"
#include "client/import_state.h"

/** One file on its way. */
struct job {
    const struct import_options *options;
    const char *name;   /* as messages call it */
    bool is_later_file; /* not the first of the command */
    struct source *source;
    struct rejects *rejects;
    struct import_state state;
    bool keeps_state; /* a file: an interrupted import can go on */
    struct import_position start;
    struct sender *sender;
    struct progress progress;
    struct zone zone;

    struct batch *batch;             /* being filled */
    struct import_position done;     /* on the server's disk */
    struct import_position position; /* of what is in it and before it */
    uint64_t missing, empty, ambiguous;
    int exit_code;
};

/** Set by SIGINT and SIGTERM. */
extern volatile sig_atomic_t import_stopped;

/** "FILE: TEXT" on standard error; the job's exit code becomes this. Returns false. */
bool job_fail(struct job *job, int exit_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** The source broke off: tell how far it was read. Returns false. */
bool job_fail_source(struct job *job);

/** Where lines are to be appended to; NULL: sending has failed. */
struct batch *job_batch(struct job *job);

/** A row is in the batch; its lines begin at lines_at. Sends the batch when it is full. */
bool job_add_row(struct job *job, size_t lines_at, unsigned line_count, uint64_t line,
                 const char *raw, size_t raw_len);

/** Refuse a row. */
bool job_reject(struct job *job, uint64_t line, const char *raw, size_t raw_len,
                const char *reason);

/** Send what is in the batch, wait for all that was sent. */
bool job_finish(struct job *job);

void job_show_progress(struct job *job);

/** csv_read_fn: a job's source. */
ssize_t job_read(void *job, void *bytes, size_t n);

/** Import or show the job's source, whose first bytes are `head`. False: exit_code tells. */
bool job_run_csv(struct job *job, struct csv_reader *reader);
bool job_run_lines(struct job *job, csv_read_fn *read, void *context);

#endif
