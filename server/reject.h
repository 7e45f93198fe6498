/**
 * The lines of one request that were not stored: counted all, told by the first few.
 */
#ifndef SERVER_REJECT_H
#define SERVER_REJECT_H

#include "server/server.h"

#define REJECTS_TOLD_MAX 20

struct rejects {
    struct buf text; /* reasons, one per line, none twice */
    uint64_t count;
    uint64_t told; /* whose reasons are in the text */
    unsigned reasons;
    uint64_t by_code[BB_CODE_COUNT]; /* not counted yet */
    bool only_unparsed;              /* every one of them was a line that does not parse */
    /** Told of each line; may be NULL. */
    void (*keep)(void *arg, const char *line, size_t length, const char *reason);
    void *keep_arg;
};

void rejects_init(struct rejects *rejects);
void rejects_fini(struct rejects *rejects);

/** A bb_reject_fn; arg is the struct rejects. */
void rejects_add(void *arg, uint64_t line_number, const char *line, size_t line_length, int code,
                 const char *reason);

/** Add what is new to the server's counters: when the other lines of a batch have been stored. */
void rejects_count(struct rejects *rejects, struct counters *counters);

/**
 * Append what the sender is told: "unable to parse '...': ..." lines where nothing was stored, else
 * "partial write: <reasons> dropped=N".
 */
int rejects_message(const struct rejects *rejects, const struct bb_write_result *result,
                    struct buf *out) BB_CHECKED;

#endif
