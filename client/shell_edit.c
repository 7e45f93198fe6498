/*
 * The prompt: libedit reads the lines, with history and completion. In its raw mode ^C is a key
 * that drops the line; while a query runs it is a signal that cancels it.
 */
#include <errno.h>
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/shell.h"
#include "client/shell_complete.h"
#include "client/shell_input.h"
#include "client/shell_term.h"
#include "client/shell_text.h"

#define HISTORY_LINES 5000
#define TYPED_MAX     ((size_t)64 << 20)
#define SHOWN_MAX     200

struct editor {
    struct shell *shell;
    EditLine *el;
    History *history;
    char path[1024];   /* of the history; "" if there is none */
    struct text typed; /* the statement so far, of several lines */
    char prompt[300];
    bool dropped; /* by ^C */
    struct bbsh_completer *completer;
};

static struct editor *editor_of(EditLine *el)
{
    void *data = NULL;
    el_get(el, EL_CLIENTDATA, &data);
    return data;
}

static char *prompt(EditLine *el)
{
    struct editor *e = editor_of(el);
    if (e->typed.len > 0)
        return (char *)(uintptr_t) "   ...> ";
    struct text safe;
    text_init(&safe, 1024);
    bbsh_put_safe(&safe, e->shell->database, strlen(e->shell->database));
    snprintf(e->prompt, sizeof(e->prompt), "%.250s> ", safe.len > 0 ? safe.data : "busbar");
    text_fini(&safe);
    return e->prompt;
}

static unsigned char on_drop(EditLine *el, int key)
{
    (void)key;
    editor_of(el)->dropped = true;
    fputs("^C\n", stdout);
    fflush(stdout);
    return CC_NEWLINE;
}

static unsigned char on_suspend(EditLine *el, int key)
{
    (void)key;
    el_set(el, EL_PREP_TERM, 0);
    kill(0, SIGTSTP);
    el_set(el, EL_PREP_TERM, 1);
    return CC_REFRESH;
}

/* How far all candidates agree. */
static size_t common(const struct bbsh_names *names)
{
    const char *first = text_get(&names->list), *name = first;
    size_t n = strlen(first);
    for (size_t i = 1; i < names->count; i++) {
        name += strlen(name) + 1;
        size_t same = 0;
        while (same < n && first[same] == name[same])
            same++;
        n = same;
    }
    /* Not in the middle of a character. */
    while (n > 0 && ((unsigned char)first[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static int count_characters(const char *s, size_t n)
{
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

static void list_candidates(const struct editor *e, const struct bbsh_names *names)
{
    struct text line;
    text_init(&line, (size_t)1 << 20);
    size_t widest = 0;
    const char *name = text_get(&names->list);
    for (size_t i = 0; i < names->count && i < SHOWN_MAX; i++, name += strlen(name) + 1) {
        size_t width = bbsh_width(name, strlen(name));
        widest = width > widest ? width : widest;
    }
    unsigned columns, rows;
    bbsh_term_size(e->shell, &columns, &rows);
    size_t per_line = columns / (widest + 2) > 0 ? columns / (widest + 2) : 1;
    text_putc(&line, '\n');
    name = text_get(&names->list);
    for (size_t i = 0; i < names->count && i < SHOWN_MAX; i++, name += strlen(name) + 1) {
        struct text safe;
        text_init(&safe, (size_t)1 << 16);
        bbsh_put_safe(&safe, name, strlen(name));
        bbsh_put_fitted(&line, text_get(&safe), safe.len, widest, false, e->shell->utf8);
        text_fini(&safe);
        text_puts(&line, (i + 1) % per_line == 0 ? "\n" : "  ");
    }
    if (names->count > SHOWN_MAX)
        text_printf(&line, "\n%zu more", names->count - SHOWN_MAX);
    if (line.len > 0 && line.data[line.len - 1] != '\n')
        text_putc(&line, '\n');
    fputs(text_get(&line), stdout);
    fflush(stdout);
    text_fini(&line);
}

static unsigned char on_complete(EditLine *el, int key)
{
    (void)key;
    struct editor *e = editor_of(el);
    const LineInfo *line = el_line(el);
    struct text whole;
    text_init(&whole, TYPED_MAX);
    text_put(&whole, text_get(&e->typed), e->typed.len);
    text_put(&whole, line->buffer, (size_t)(line->lastchar - line->buffer));
    size_t cursor = e->typed.len + (size_t)(line->cursor - line->buffer);
    struct bbsh_names names;
    bbsh_names_init(&names);
    struct bbsh_place place;
    bbsh_complete(e->completer, text_get(&whole), cursor, &place, &names);
    size_t have = cursor - place.word;
    unsigned char result = CC_ERROR;
    size_t n = names.count > 0 ? common(&names) : 0;
    if (names.count > 0 && place.word >= e->typed.len) {
        struct text insert;
        text_init(&insert, (size_t)1 << 16);
        text_put(&insert, text_get(&names.list), n);
        bool grew = n > have || (names.count == 1 && n == have);
        if (names.count == 1 && insert.len > 0 && insert.data[insert.len - 1] != '(')
            text_putc(&insert, ' ');
        if (grew && !insert.failed) {
            el_deletestr(el, count_characters(text_get(&whole) + place.word, have));
            el_insertstr(el, text_get(&insert));
            result = CC_REFRESH;
        }
        text_fini(&insert);
        if (names.count > 1 && !grew) {
            list_candidates(e, &names);
            result = CC_REDISPLAY;
        }
    }
    bbsh_names_fini(&names);
    text_fini(&whole);
    return result;
}

/* $XDG_STATE_HOME/busbar/history; what folders lack is made, for the user alone. */
static void find_history(struct editor *e)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (state != NULL && state[0] == '/')
        n = snprintf(e->path, sizeof(e->path), "%s/busbar/history", state);
    else if (home != NULL && home[0] == '/')
        n = snprintf(e->path, sizeof(e->path), "%s/.local/state/busbar/history", home);
    if (n < 0 || (size_t)n >= sizeof(e->path)) {
        e->path[0] = '\0';
        return;
    }
    for (char *s = e->path + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        if (mkdir(e->path, 0700) != 0 && errno != EEXIST)
            errno = 0;
        *s = '/';
    }
}

static void load_history(struct editor *e)
{
    HistEvent event;
    find_history(e);
    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    if (e->path[0] != '\0' && access(e->path, R_OK) == 0)
        history(e->history, &event, H_LOAD, e->path);
}

/* Saved with each statement, so that a kill loses none. What names a password is not kept. */
static void remember(struct editor *e, const char *text)
{
    HistEvent event;
    if (strcasestr(text, "password") != NULL)
        return;
    char *line = strdup(text);
    if (line == NULL)
        return;
    for (char *s = line; *s != '\0'; s++)
        if (*s == '\n')
            *s = s[1] == '\0' ? '\0' : ' ';
    history(e->history, &event, H_ENTER, line);
    free(line);
    if (e->path[0] == '\0')
        return;
    mode_t mask = umask(0077);
    history(e->history, &event, H_SAVE, e->path);
    umask(mask);
}

static void run_typed(struct editor *e)
{
    struct shell *shell = e->shell;
    char before[sizeof(shell->database)];
    snprintf(before, sizeof(before), "%s", shell->database);
    remember(e, text_get(&e->typed));
    bbsh_run_text(shell, text_get(&e->typed));
    if (strcmp(before, shell->database) != 0 || strcasestr(text_get(&e->typed), "select") == NULL)
        bbsh_completer_forget(e->completer);
    text_clear(&e->typed);
    /* At the prompt a failure is history once it was told. */
    shell->exit_code = BBSH_EXIT_OK;
}

static void read_statements(struct editor *e)
{
    while (!e->shell->quit) {
        int n = 0;
        e->dropped = false;
        bbsh_interrupted = 0;
        const char *line = el_gets(e->el, &n);
        if (e->dropped) {
            text_clear(&e->typed);
            continue;
        }
        if (line == NULL || n <= 0)
            break;
        text_put(&e->typed, line, (size_t)n);
        if (e->typed.failed) {
            fputs("error: the statement is too long\n", stderr);
            text_clear(&e->typed);
        } else if (strspn(text_get(&e->typed), " \t\r\n") == e->typed.len) {
            text_clear(&e->typed);
        } else if (e->typed.data[0] == '\\' || !bbsh_input_open(text_get(&e->typed))) {
            run_typed(e);
        }
    }
    if (!e->shell->quit)
        fputc('\n', stdout);
}

static bool set_up(struct editor *e)
{
    text_init(&e->typed, TYPED_MAX);
    e->el = el_init("busbar", stdin, stdout, stderr);
    e->history = history_init();
    e->completer = bbsh_completer_create(e->shell);
    if (e->el == NULL || e->history == NULL || e->completer == NULL)
        return false;
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_PROMPT, prompt);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_ADDFN, "busbar-complete", "Complete the word", on_complete);
    el_set(e->el, EL_ADDFN, "busbar-drop", "Drop the line", on_drop);
    el_set(e->el, EL_ADDFN, "busbar-suspend", "Suspend", on_suspend);
    el_set(e->el, EL_BIND, "^I", "busbar-complete", NULL);
    el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(e->el, NULL);
    el_set(e->el, EL_SETTY, "-d", "-isig", NULL);
    el_set(e->el, EL_BIND, "^C", "busbar-drop", NULL);
    el_set(e->el, EL_BIND, "^Z", "busbar-suspend", NULL);
    load_history(e);
    return true;
}

static bool greet(struct shell *shell)
{
    struct bb_client_server server;
    struct bb_client_error error;
    if (bb_client_ping(shell->client, &server, &error) != BB_CLIENT_OK) {
        bbsh_tell(shell, &error);
        return false;
    }
    struct text line;
    text_init(&line, 1024);
    text_printf(&line, "busbar %s at %s: ", bb_client_version(), bb_client_url(shell->client));
    bbsh_put_safe(&line, server.build, strlen(server.build));
    text_printf(&line, "%sInfluxDB API ", server.build[0] != '\0' ? ", " : "");
    bbsh_put_safe(&line, server.version, strlen(server.version));
    printf("%s; \\? for help\n", text_get(&line));
    text_fini(&line);
    return true;
}

void bbsh_interact(struct shell *shell)
{
    if (!greet(shell))
        return;
    struct editor e = {.shell = shell};
    if (set_up(&e))
        read_statements(&e);
    else
        bbsh_complain(shell, BBSH_EXIT_FAILED, "error: out of memory");
    if (e.el != NULL)
        el_end(e.el);
    if (e.history != NULL)
        history_end(e.history);
    bbsh_completer_destroy(&e.completer);
    text_fini(&e.typed);
}
