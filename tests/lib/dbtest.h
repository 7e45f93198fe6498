/**
 * A database in a temporary directory, for tests: lines in, queries out as text, one statement
 * series after another.
 *
 * Failures of set-up end the test (cmocka). Background work runs only when told.
 */
#ifndef BBT_DBTEST_H
#define BBT_DBTEST_H

#include "engine/base/buf.h"
#include "engine/db_impl.h"

struct dbtest {
    char dir[128];
    struct bb_options options;
    struct bb_db *db;
    const struct bb_param *params; /* of the queries that follow; [param_count] */
    size_t param_count;
};

/** Make a directory, open it and create the database "t". */
void dbtest_open(struct dbtest *t);

/** Close without flushing and open again: what a kill leaves behind. */
void dbtest_crash(struct dbtest *t);

/** Close properly and open again. */
void dbtest_reopen(struct dbtest *t);

/** Close and remove the directory. */
void dbtest_close(struct dbtest *t);

/** Write lines (ns) to database "t"; all must be good. */
void dbtest_write(struct dbtest *t, const char *lines);

void dbtest_flush(struct dbtest *t);
void dbtest_compact(struct dbtest *t);

/**
 * Run statements on database "t" and append the answer to out, one line a row:
 *     name{tag=value,...}: column=value column=value ...
 * and "error: text" for a statement that fails.
 */
void dbtest_query(struct dbtest *t, const char *text, struct bbi_buf *out);

/** Run statements that must not fail and whose answer does not matter. */
void dbtest_run(struct dbtest *t, const char *text);

/** The answer must be this. */
void dbtest_expect(struct dbtest *t, const char *text, const char *answer);

/** What may happen to a database between two statements. */
enum dbtest_event {
    DBTEST_NOTHING,
    DBTEST_FLUSH,
    DBTEST_CRASH,
    DBTEST_FLUSH_CRASH,
    DBTEST_COMPACT, /* behind a flush */
    DBTEST_REOPEN,
    DBTEST_REBUILD, /* catalog.mdb is lost */
    DBTEST_EVENTS
};

void dbtest_happen(struct dbtest *t, enum dbtest_event event);

struct dbtest_question {
    const char *text;
    const char *answer;
};

/** Each answer must be the one that stands there; [count]. */
void dbtest_ask(struct dbtest *t, const struct dbtest_question *questions, size_t count);

/** Where readings are when a query test asks for them. */
enum dbtest_state {
    DBTEST_MEMTABLE,
    DBTEST_FLUSHED,
    DBTEST_COMPACTED,
    DBTEST_MIXED, /* some in segments, the rest in memory, with overwrites and deletions in between
                   */
    DBTEST_STATES
};

/**
 * Bring lines into the database so that they end up in a state with the same readings visible in
 * each.
 *
 * DBTEST_MIXED writes the lines in three parts, flushes between them, first writes other values at
 * the same places, and deletes readings of its own that no query of the test may see.
 */
void dbtest_load(struct dbtest *t, enum dbtest_state state, const char *lines);

const char *dbtest_state_name(enum dbtest_state state);

/** The same questions, [count], of the same lines in each state, each in a database of its own. */
void dbtest_ask_all(const char *lines, const struct dbtest_question *questions, size_t count);

/**
 * Lines of three measurements: `m` with fields of all types, tags that are missing and fields that
 * are, times that coincide; `n` with one time; `t` with gaps, from the epoch on.
 */
extern const char dbtest_small_lines[];

#endif
