/**
 * Busbar: a time-series database for energy readings, as a library.
 *
 * A `struct bb_db` is one open data directory, owned by one process. Inside it are databases,
 * retention policies, measurements, series (measurement + sorted tags) and fields. Times are int64
 * nanoseconds since 1970-01-01 UTC.
 *
 * Errors  every fallible function returns a bb_code and fills the caller's bb_error with what
 * failed and where. Thread  all functions but bb_db_open and bb_db_close may be called from any
 * thread at any time.
 */
#ifndef BUSBAR_H
#define BUSBAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BB_CHECKED                 __attribute__((warn_unused_result))
#define BB_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#else
#define BB_CHECKED
#define BB_PRINTF(fmt_at, args_at)
#endif

/** Every error: name, text, HTTP status of the reply that reports it. */
#define BB_CODE_TABLE(X)                                     \
    X(BB_OK, "ok", 200)                                      \
    X(BB_EINVAL, "invalid argument", 400)                    \
    X(BB_EPARSE, "unable to parse", 400)                     \
    X(BB_ETYPE, "field type conflict", 400)                  \
    X(BB_ERANGE, "out of range", 400)                        \
    X(BB_EEXIST, "already exists", 400)                      \
    X(BB_ENOTFOUND, "not found", 404)                        \
    X(BB_ENOPOLICY, "no such retention policy", 500)         \
    X(BB_EUNSUPPORTED, "not supported", 400)                 \
    X(BB_ELIMIT, "limit exceeded", 413)                      \
    X(BB_EUNAUTHORIZED, "unauthorized", 401)                 \
    X(BB_EFORBIDDEN, "forbidden", 403)                       \
    X(BB_ECANCELED, "canceled", 503)                         \
    X(BB_ETIMEOUT, "timed out", 503)                         \
    X(BB_EBUSY, "overloaded", 503)                           \
    X(BB_ENOMEM, "out of memory", 503)                       \
    X(BB_ENOSPC, "no space left on device", 503)             \
    X(BB_EIO, "input/output error", 503)                     \
    X(BB_EREADONLY, "read-only after an earlier error", 503) \
    X(BB_ELOCKED, "in use by another process", 503)          \
    X(BB_EVERSION, "written by a newer version", 500)        \
    X(BB_ECORRUPT, "corrupt data", 500)                      \
    X(BB_EINTERNAL, "internal error", 500)

#define BB_CODE_ENUM(name, text, http) name,
enum bb_code {
    BB_CODE_TABLE(BB_CODE_ENUM) BB_CODE_COUNT
};
#undef BB_CODE_ENUM

#define BB_ERROR_TEXT_MAX 480

/** An error with its context, outermost first: "open partition 2024-05: footer: checksum mismatch".
 */
struct bb_error {
    int code; /* enum bb_code */
    char text[BB_ERROR_TEXT_MAX];
};

/** The code's general text, "checksum mismatch"-like; never NULL. */
const char *bb_code_text(int code);

/** The HTTP status that reports this code. */
int bb_code_http(int code);

/** The version of the library that runs, "MAJOR.MINOR.PATCH", which may be newer than this header.
 */
const char *bb_version(void);

struct bb_db;

/** A line of the engine's log: severity 0 debug, 1 info, 2 warning, 3 error; text "event key=value
 * ...". */
typedef void (*bb_log_fn)(void *arg, int severity, const char *text);

/** A number that the program around the library counts. Texts live as long as the program. */
struct bb_stat {
    const char *module;         /* numbers of one module stand together */
    const char *tag, *tag_text; /* of the module; NULL: none */
    const char *name;
    uint64_t value;
};

/**
 * Points that were stored together in a policy, on disk, as lines of line protocol with their times
 * in nanoseconds. Counted: who keeps it calls bb_lines_ref, and later bb_lines_unref, before the
 * database is closed.
 */
struct bb_lines {
    uint32_t database_id, policy_id; /* as in bb_subscription */
    const char *text;                /* [length] */
    size_t length;
    const uint32_t *ends; /* [count] where in text each line ends, behind its newline */
    size_t count;         /* of points */
};

struct bb_lines *bb_lines_ref(struct bb_lines *lines);
void bb_lines_unref(struct bb_lines *lines); /* NULL: nothing */

/** How to open a data directory. Start from bb_options_init; 0 means the default. */
struct bb_options {
    uint64_t
        memory_bytes; /* all of the engine; default half of the machine's, 1 GiB at the least */
    uint64_t
        memtable_bytes; /* one generation; default an eighth of memory_bytes, 256 MiB at the most */
    uint64_t query_memory_bytes; /* one query; default a quarter of memory_bytes */
    uint64_t wal_buffer_bytes;   /* appended and not yet on disk; default 32 MiB */
    uint64_t catalog_map_bytes;  /* address space of LMDB; default 64 GiB */
    /* Free space that writes leave on the disk: for flushes, compaction, deletions. Default a 64th
     * of the disk, at most 256 MiB. */
    uint64_t disk_reserve_bytes;
    uint32_t query_threads;      /* default: one per core */
    uint32_t query_timeout_ms;   /* default 60,000 */
    uint32_t query_count_max;    /* that run at a time; default: no limit */
    uint64_t series_max;         /* of a database; more are refused; default: no limit */
    uint64_t tag_values_max;     /* of a tag key of a measurement; default: no limit */
    uint64_t select_points_max;  /* rows that one SELECT may read; default: no limit */
    uint64_t select_series_max;  /* series of a measurement in one SELECT; default: no limit */
    uint64_t select_buckets_max; /* intervals of GROUP BY time(); default: no limit */
    uint32_t cq_interval_ms;     /* between two looks at continuous queries; default 1,000 */
    bool no_cq;                  /* continuous queries are kept, but not run */
    bool quiet_cq;               /* no line in the log for each run of one */
    bool no_autogen;             /* CREATE DATABASE makes no policy unless it is told one */
    bool manual_background;      /* tests: flush and compact only when told */
    bool create_if_missing;      /* default true */
    bb_log_fn log;               /* NULL: standard error */
    void *log_arg;
    /* For SHOW STATS: put at most max numbers into list; returns how many. May be NULL. */
    size_t (*more_stats)(void *arg, struct bb_stat *list, size_t max);
    void *more_stats_arg;
    /* Who forwards what is written to policies with subscriptions; may be NULL. lines_stored is
     * told of each batch, from the log's thread or the writer's: it must not block. It may be
     * called from within bb_db_open on, until bb_db_close returns. */
    void (*lines_stored)(void *arg, struct bb_lines *lines);
    /* After statements: bb_subscriptions_each may tell of others than before. Called before their
     * answers, from threads that run queries, which may be several at a time. */
    void (*subscriptions_changed)(void *arg);
    /* For SHOW STATS: what a destination of a subscription was sent. False: nothing is known. */
    bool (*subscription_numbers)(void *arg, uint64_t id, size_t destination, uint64_t *points,
                                 uint64_t *failures);
    void *forward_arg;
    uint64_t forward_bytes; /* lines held for them; default a 32nd of memory_bytes */
};

void bb_options_init(struct bb_options *options);

/**
 * Open a data directory, replaying its log.
 *
 * Errors  BB_ELOCKED another process has it; BB_EVERSION a newer format; BB_EIO; BB_ECORRUPT only
 * where nothing can be served: damage to one file is logged, the file kept under quarantine/, and
 * the rest opened.
 */
int bb_db_open(const char *dir, const struct bb_options *options, struct bb_db **db,
               struct bb_error *err) BB_CHECKED;

/** Flush what is in memory and close; NULLs *db. The directory is closed whatever is returned. */
int bb_db_close(struct bb_db **db, struct bb_error *err);

/* ---- writing ---- */

/** A place in the stream the batch came from, made durable with it. */
struct bb_source {
    const char *topic; /* NULL: none */
    uint32_t partition;
    uint64_t offset;
    uint64_t epoch;
};

/** Told of each line that was not stored. line is borrowed and may be cut. */
typedef void (*bb_reject_fn)(void *arg, uint64_t line_number, const char *line, size_t line_length,
                             int code, const char *reason);

/** Lines of InfluxDB line protocol for one database. */
struct bb_write {
    const char *database;
    const char *retention_policy; /* NULL or "": the default one */
    int64_t precision_ns;         /* what one unit of a timestamp is: 1, 1000, ... 3600 * 10^9 */
    const char *lines;            /* borrowed for the call */
    size_t lines_length;
    bool newline_ends_line; /* also within quotes, so that a bad line takes no other with it */
    int64_t now_ns;         /* time of lines without one; 0: the clock */
    const struct bb_source *source;
    bb_reject_fn reject; /* NULL: count only */
    void *reject_arg;
};

struct bb_write_result {
    uint64_t points_written;
    uint64_t points_rejected;
    uint64_t lsn; /* position in the log after the batch */
};

/**
 * Store the good lines of a batch; durable on return.
 *
 * Returns BB_OK also when lines were rejected (see result). BB_ENOTFOUND no such database;
 * BB_ENOPOLICY no such policy, which InfluxDB tells with status 500, so that clients keep the lines
 * and try again; BB_EREADONLY, BB_ENOSPC, BB_EIO, BB_ENOMEM, BB_EBUSY nothing was stored.
 */
int bb_write(struct bb_db *db, const struct bb_write *write, struct bb_write_result *result,
             struct bb_error *err) BB_CHECKED;

/** err is NULL when the batch is on disk. Called from the log's thread or from within the call that
 * asked for it: must not block. */
typedef void (*bb_durable_fn)(void *arg, const struct bb_error *err);

/**
 * As bb_write, but returns once the batch is in the log's buffer; `durable` is then called exactly
 * once, possibly before this returns. On an error return it is not called.
 */
int bb_write_submit(struct bb_db *db, const struct bb_write *write, struct bb_write_result *result,
                    bb_durable_fn durable, void *arg, struct bb_error *err) BB_CHECKED;

/** A text of lines that is written in pieces; all zero before the first. */
struct bb_write_text {
    uint64_t lines;       /* that came before what comes next */
    uint64_t bytes_taken; /* of the last piece: what is behind them is to begin the next one */
    int64_t now_ns;       /* time of lines without one, the same for the whole text */
    uint64_t lsn;         /* of what was stored last; 0: nothing was */
    bool cutting;         /* inside a line that was refused for its length */
};

/**
 * Store the next piece of a text, which may end anywhere: a line that it does not finish is left
 * over, at most BB_LINE_MAX + 1 bytes. Lines, line numbers and refusals are those of the whole
 * text, wherever it was cut; what is visible together is a piece. Returns when the piece is in the
 * log's buffer: bb_durable_notify(text->lsn) tells when all of the text so far is on disk.
 *
 * last    no more of the text follows
 * result  of this piece
 * Errors as bb_write: nothing of this piece was stored, *text has not changed, and the piece may be
 * given again.
 */
int bb_write_piece(struct bb_db *db, const struct bb_write *write, struct bb_write_text *text,
                   bool last, struct bb_write_result *result, struct bb_error *err) BB_CHECKED;

/**
 * As bb_write_piece, but nothing is stored and the policy is not looked at: for a text that will be
 * refused, to tell first, as InfluxDB does, of lines that do not parse.
 *
 * result  points_written: lines that parse; points_rejected: those that do not
 */
int bb_write_scan(struct bb_db *db, const struct bb_write *write, struct bb_write_text *text,
                  bool last, struct bb_write_result *result, struct bb_error *err) BB_CHECKED;

/** Bytes of a line, its newline apart; a longer one is refused. */
#define BB_LINE_MAX ((size_t)1 << 20)

/** `durable` is called exactly once, when all up to lsn (of a result; 0: nothing) is on disk. On an
 * error return, which is BB_ENOMEM, it is not called. */
int bb_durable_notify(struct bb_db *db, uint64_t lsn, bb_durable_fn durable, void *arg,
                      struct bb_error *err) BB_CHECKED;

/* ---- subscriptions ---- */

/** CREATE SUBSCRIPTION makes it. All borrowed for the call. */
struct bb_subscription {
    uint64_t id; /* never given again */
    uint32_t database_id, policy_id;
    const char *database, *policy, *name;
    bool all;                        /* to each destination; else to one of them */
    const char *const *destinations; /* [destination_count] URLs */
    size_t destination_count;
};

typedef int (*bb_subscription_fn)(void *arg, const struct bb_subscription *subscription);

/** Told of each; what is not BB_OK ends it and is returned. */
int bb_subscriptions_each(struct bb_db *db, bb_subscription_fn fn, void *arg,
                          struct bb_error *err) BB_CHECKED;

/* ---- queries ---- */

enum bb_value_kind {
    BB_VALUE_NULL,
    BB_VALUE_FLOAT,
    BB_VALUE_INT,
    BB_VALUE_UINT,
    BB_VALUE_BOOL,
    BB_VALUE_STRING,
    BB_VALUE_TIME,
    BB_VALUE_STRINGS
};

struct bb_value {
    enum bb_value_kind kind;
    union {
        uint32_t length;      /* of a string; of STRINGS, how many */
        int32_t utc_offset_s; /* of a time: what the clocks of the query's zone are ahead of UTC */
    };
    union {
        int64_t time_ns;
        double f;
        int64_t i;
        uint64_t u;
        bool b;
        const char *str;            /* not terminated */
        const char *const *strings; /* each ends with a NUL */
    } v;
};

/** The head of one series of a result. All borrowed for the call. */
/** How InfluxDB divides an answer among the documents of a chunked reply. */
enum bb_chunks {
    BB_CHUNKS_ROWS,   /* so many rows of one series each; all but the last say that more follows */
    BB_CHUNKS_SERIES, /* a whole series each; none says that more follows */
    BB_CHUNKS_NONE    /* one for the statement */
};

struct bb_series {
    enum bb_chunks chunks; /* the same for all of a statement */
    const char *name;      /* NULL: none */
    size_t tag_count;
    const char *const *tag_keys;
    const char *const *tag_values;
    size_t column_count;
    const char *const *columns;
};

/**
 * Where a result goes; functions run on the querying thread, in order, and may block
 * (back-pressure). A result other than 0 cancels the query. For each statement: statement_begin,
 * then for each series series and rows (once or often), then statement_end, with the error if the
 * statement failed.
 */
struct bb_sink {
    void *arg;
    int (*statement_begin)(void *arg, size_t index);
    int (*series)(void *arg, const struct bb_series *series);
    /** values [row_count * column_count], row by row */
    int (*rows)(void *arg, const struct bb_value *values, size_t row_count);
    /** severity "warning", e.g. a quarantined segment overlaps the range. May be NULL. */
    int (*message)(void *arg, const char *level, const char *text);
    int (*statement_end)(void *arg, const struct bb_error *err);
};

enum bb_param_kind {
    BB_PARAM_FLOAT,
    BB_PARAM_INT,
    BB_PARAM_BOOL,
    BB_PARAM_STRING,
    BB_PARAM_REGEX,      /* str: the pattern, without slashes */
    BB_PARAM_IDENTIFIER, /* str: a name, without quotes */
    BB_PARAM_DURATION,   /* str: as in a query, "5m" */
    BB_PARAM_DURATION_NS,
    BB_PARAM_ERROR /* str: why there is no value; an error where $name is used */
};

/** A value for $name in the text of a query. It stands for one literal or name, whatever is in it:
 * the text is parsed with the values in place, never pasted together. */
struct bb_param {
    const char *name; /* without $ */
    enum bb_param_kind kind;
    union {
        double f;  /* finite */
        int64_t i; /* INT, DURATION_NS */
        bool b;
        const char *str; /* ends with a NUL */
    } v;
};

/** More parameters than this are BB_ELIMIT. */
#define BB_PARAM_COUNT_MAX 65536

struct bb_query {
    const char *database; /* NULL: none, statements name their own */
    const char *retention_policy;
    const char *text; /* InfluxQL, one or more statements */
    size_t text_length;
    uint32_t timeout_ms; /* 0: the default */
    /** NULL, or looked at (atomically, relaxed) every few ms of work: not 0 stops it. */
    const volatile int *canceled;
    /** NULL, or called once, by any thread, when KILL QUERY has hit this query while it runs: a
     * sink that waits for somebody should wait no longer. Must not block nor call the library. */
    void (*killed)(void *arg);
    void *killed_arg;
    bool read_only;                /* warn of statements that change something (HTTP GET) */
    bool check_rights;             /* BB_EFORBIDDEN if user may not do all of it */
    const char *user;              /* who asks, for check_rights; NULL: nobody */
    const struct bb_param *params; /* [param_count], names differ; borrowed for the call */
    size_t param_count;
};

/**
 * Run all statements of a text. A text that does not parse is BB_EPARSE and nothing runs, nor if
 * the user has not the rights that it needs, which is BB_EFORBIDDEN. A statement that fails is told
 * to the sink, and those behind it are told as "not executed"; only a condition that SHOW TAG KEYS,
 * SHOW TAG VALUES and SHOW MEASUREMENTS cannot have lets them run, as in InfluxDB.
 */
int bb_query(struct bb_db *db, const struct bb_query *query, const struct bb_sink *sink,
             struct bb_error *err) BB_CHECKED;

/** A query that runs. All borrowed for the call. */
struct bb_running {
    uint64_t qid;
    const char *text; /* [text_length] the statements, without passwords */
    size_t text_length;
    const char *database; /* "": none */
    uint64_t duration_ns;
    bool killed;
};

/** Tell fn of each query that runs, oldest first. fn must not block nor call the library; other
 * than 0 ends it. */
void bb_running_each(struct bb_db *db, int (*fn)(void *arg, const struct bb_running *query),
                     void *arg);

/** KILL QUERY: the query ends with "query interrupted" soon. BB_ENOTFOUND; BB_EEXIST it was killed
 * already. */
int bb_running_kill(struct bb_db *db, uint64_t qid, struct bb_error *err) BB_CHECKED;

/* ---- users ---- */

/* They are made and given rights by statements: CREATE USER, GRANT ... */

/**
 * Whether this is the user's password. Costs 50 ms of a core and 16 MiB, unless it was asked of
 * late.
 *
 * Returns BB_OK; BB_EUNAUTHORIZED "authorization failed", also for a user that there is not;
 * BB_ENOMEM.
 */
int bb_user_check(struct bb_db *db, const char *user, const char *password,
                  struct bb_error *err) BB_CHECKED;

/** The same, for a thread that must not wait: BB_EBUSY where bb_user_check would cost that. */
int bb_user_check_at_once(struct bb_db *db, const char *user, const char *password,
                          struct bb_error *err) BB_CHECKED;

/** BB_EFORBIDDEN, in InfluxDB's words; BB_ENOTFOUND no such database; user NULL: nobody. */
int bb_user_may_write(struct bb_db *db, const char *user, const char *database,
                      struct bb_error *err) BB_CHECKED;

bool bb_user_is_admin(struct bb_db *db, const char *user);

/** Whether there is an administrator: while there is none, nobody can make users but the first. */
bool bb_user_admin_exists(struct bb_db *db);

/* ---- care ---- */

/** Write the memtable out as segments, now; waits until they are published. */
int bb_flush(struct bb_db *db, struct bb_error *err) BB_CHECKED;

/** Compact until nothing is left to merge; full: each partition into as few segments as possible.
 */
int bb_compact(struct bb_db *db, bool full, struct bb_error *err) BB_CHECKED;

/**
 * Stop merging and removing what was deleted, or go on with it. A merge under way ends within a few
 * ms; what it has written is thrown away, and it begins anew when compaction goes on. Answers do
 * not depend on it: what was deleted is invisible from the statement on. Not remembered by the next
 * bb_db_open. While it is paused, bb_compact returns BB_ECANCELED.
 */
void bb_compact_pause(struct bb_db *db, bool paused);

/** Times that something took, in buckets; all counts since the start. */
#define BB_LATENCY_BUCKETS 19
struct bb_latency {
    uint64_t buckets[BB_LATENCY_BUCKETS]; /* of each bucket alone; the last is beyond all bounds */
    uint64_t sum_ns;
};

/** The longest time that the bucket counts; UINT64_MAX for the last. */
uint64_t bb_latency_bound_ns(size_t bucket);

/** Count one; other threads may do so and read at the same time. */
void bb_latency_add(struct bb_latency *latency, uint64_t ns);
void bb_latency_read(const struct bb_latency *latency, struct bb_latency *out);

/** What statements are counted by: X(name, text). */
#define BB_STATEMENT_TABLE(X)          \
    X(BB_STATEMENT_SELECT, "select")   \
    X(BB_STATEMENT_EXPLAIN, "explain") \
    X(BB_STATEMENT_SHOW, "show")       \
    X(BB_STATEMENT_DELETE, "delete")   \
    X(BB_STATEMENT_SCHEMA, "schema")   \
    X(BB_STATEMENT_ADMIN, "admin")

#define BB_STATEMENT_ENUM(name, text) name,
enum bb_statement {
    BB_STATEMENT_TABLE(BB_STATEMENT_ENUM) BB_STATEMENT_COUNT
};
#undef BB_STATEMENT_ENUM

/** Numbers of an open database; counters since it was opened. */
struct bb_stats {
    uint64_t points_written, points_rejected, batches_written;
    uint64_t wal_bytes_written, wal_syncs, wal_bytes_on_disk;
    uint64_t durable_lsn, checkpoint_lsn;
    uint64_t memtable_bytes, memtable_rows;
    uint64_t flushes, compactions, compaction_bytes_read, compaction_bytes_written;
    uint64_t flush_bytes_written;
    uint64_t segments, segment_bytes, segments_quarantined;
    uint64_t deletions_pending; /* whose rows are not all gone from the disk yet */
    uint64_t deletion_segments; /* that have such rows, and are to be rewritten */
    uint64_t deletion_bytes;    /* of those segments, all of them */
    uint64_t values_removed;    /* by compactions: deleted or overwritten */
    bool compaction_paused;
    uint64_t wal_corruptions;
    uint64_t queries, query_errors;
    uint64_t cq_runs, cq_failures;                    /* of continuous queries */
    uint64_t lines_stored, lines_dropped;             /* batches for subscriptions; dropped: there
                                                        * was no memory for them */
    struct bb_latency statements[BB_STATEMENT_COUNT]; /* waiting for a slow sink counts too */
    uint64_t statement_errors[BB_CODE_COUNT];         /* by enum bb_code; texts that do not parse
                                                        * too */
    struct bb_latency wal_sync;                       /* each write and sync of the log */
    uint64_t series, databases, measurements;
    uint64_t segment_values;
    uint64_t memory_used_bytes, memory_peak_bytes;
    bool background_idle; /* nothing to flush or compact right now but the active memtable */
    bool read_only;
};

void bb_stats_get(struct bb_db *db, struct bb_stats *stats);

/** Numbers of one database; what is not flushed yet is in none of those about segments. */
struct bb_database_stats {
    const char *name; /* borrowed for the call */
    uint64_t policies, measurements, fields, series;
    uint64_t partitions, segments, segment_bytes, segments_quarantined;
    uint64_t segment_values;    /* values in segments, overwritten ones until compaction too */
    bool has_times;             /* else the next two mean nothing */
    int64_t time_min, time_max; /* of what is in segments */
};

/** Told of each database, by name; not 0 ends it. */
typedef int (*bb_database_stats_fn)(void *arg, const struct bb_database_stats *stats);

/** Returns BB_OK, what fn returned, or BB_ENOMEM. */
int bb_stats_databases(struct bb_db *db, bb_database_stats_fn fn, void *arg,
                       struct bb_error *err) BB_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
