/**
 * The busbar shell: what its parts share.
 *
 * A result streams from the client library through one `struct bbsh_output` (a format or a plot)
 * to `out`. Everything that came from the server is printed with its control characters escaped,
 * so that a tag's value cannot command the terminal.
 *
 * Thread  one; SIGINT only sets a flag and cancels the running request.
 */
#ifndef CLIENT_SHELL_H
#define CLIENT_SHELL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/busbar_client.h"
#include "client/password.h"
#include "client/text.h"

/** Exit codes, of all that `busbar` does; documented in busbar(1). */
enum bbsh_exit {
    BBSH_EXIT_OK = 0,
    BBSH_EXIT_FAILED = 1,      /* the server refused a statement or failed in it */
    BBSH_EXIT_USAGE = 2,       /* the command line */
    BBSH_EXIT_UNREACHABLE = 3, /* nobody answers at the address */
    BBSH_EXIT_FILE = 4,        /* a file cannot be read */
    BBSH_EXIT_DENIED = 5,      /* 401 or 403 */
    BBSH_EXIT_LOST = 6,        /* the connection broke, or no reply came in time */
    BBSH_EXIT_PROTOCOL = 7,    /* what answers is no InfluxDB API */
    BBSH_EXIT_INTERRUPTED = 130,
};

struct bbsh_output;

struct shell {
    struct bb_client *client;
    struct bb_client_options options; /* its strings are argv's, the environment's, or these: */
    char url[512];
    char user[256];
    struct password password;
    char database[256]; /* "" for none */
    char policy[256];
    const struct bbsh_output *format;
    char zone[64];     /* "" for UTC */
    const char *epoch; /* times as numbers of this unit; NULL: as dates */
    bool timing;
    bool tags_as_columns; /* of a table; else each series is one of its own */
    bool color;
    bool utf8;
    bool interactive;
    unsigned fixed_width; /* 0: the terminal's */
    FILE *out;
    struct text last; /* the last query, for \plot and \watch */
    int exit_code;    /* the first failure's */
    bool quit;
};

/** What takes a result. All but `open` and `close` may be NULL. */
struct bbsh_output {
    const char *name;
    /* A state of its own for one query, NULL: out of memory. */
    void *(*open)(struct shell *shell, const char *argument);
    int (*statement)(void *state, unsigned statement);
    int (*series)(void *state, const struct bb_client_series *series);
    int (*row)(void *state, const struct bb_client_cell *cells, size_t n);
    int (*message)(void *state, const char *level, const char *text);
    /* NULL: the error goes to standard error. */
    int (*failed)(void *state, unsigned statement, const char *text);
    /* complete: the query came to its end. Frees the state. */
    void (*close)(void *state, bool complete);
};

extern const struct bbsh_output bbsh_table, bbsh_csv, bbsh_json, bbsh_line;
extern const struct bbsh_output bbsh_plot, bbsh_bars, bbsh_heat;

/** A format by its name; NULL: no such. */
const struct bbsh_output *bbsh_format_find(const char *name);

/** Set by SIGINT; cleared by whoever acts on it. */
extern volatile sig_atomic_t bbsh_interrupted;
void bbsh_catch_interrupts(void);

/** Run queries and hand the result to an output. Errors are told and recorded in exit_code. */
int bbsh_run_query(struct shell *shell, const char *text, const struct bbsh_output *output,
                   const char *argument);

/** Run statements and \commands in the order of the text; stops at a lost connection. */
int bbsh_run_text(struct shell *shell, const char *text);

/** A line that begins with a backslash, without it. */
void bbsh_command(struct shell *shell, const char *line);

/** A client of the options as they are now takes the place of the one that is there; false: there
 * can be none (told), the old one stays. */
bool bbsh_connect(struct shell *shell);

/** Make the database the current one; "db" or "db.rp", quoted or not. */
void bbsh_use(struct shell *shell, const char *name);

/** Tell an error on standard error and record its exit code. */
void bbsh_tell(struct shell *shell, const struct bb_client_error *error);
void bbsh_complain(struct shell *shell, int exit_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int bbsh_exit_code(const struct bb_client_error *error);

/** Read statements at the terminal until the end of input. */
void bbsh_interact(struct shell *shell);

/** `busbar [options]`; the exit code. */
int bbsh_main(int argc, char **argv);

#endif
