/*
 * Lines that begin with a backslash.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/shell.h"
#include "client/shell_schema.h"
#include "client/shell_text.h"

struct command {
    const char *name;
    const char *argument;
    const char *help;
    void (*run)(struct shell *shell, const char *argument);
};

static void help(struct shell *shell, const char *argument);

static void use(struct shell *shell, const char *argument)
{
    bbsh_use(shell, argument);
}

static void list(struct shell *shell, const char *argument)
{
    (void)argument;
    bbsh_run_query(shell, "SHOW DATABASES", &bbsh_table, NULL);
}

static void describe(struct shell *shell, const char *argument)
{
    if (*argument == '\0') {
        bbsh_run_query(shell, "SHOW MEASUREMENTS", &bbsh_table, NULL);
        return;
    }
    struct text query;
    text_init(&query, (size_t)1 << 16);
    static const char *const what[] = {"FIELD KEYS", "TAG KEYS"};
    for (int i = 0; i < 2; i++) {
        text_printf(&query, "%sSHOW %s FROM ", i == 0 ? "" : "; ", what[i]);
        if (*argument == '"' || *argument == '/')
            text_puts(&query, argument);
        else
            bbsh_put_quoted(&query, argument, '"');
    }
    bbsh_run_query(shell, text_get(&query), &bbsh_table, NULL);
    text_fini(&query);
}

static void timing(struct shell *shell, const char *argument)
{
    shell->timing = *argument == '\0' ? !shell->timing : strcmp(argument, "on") == 0;
    fprintf(stderr, "timing is %s\n", shell->timing ? "on" : "off");
}

static void format(struct shell *shell, const char *argument)
{
    const struct bbsh_output *found = bbsh_format_find(argument);
    if (found == NULL)
        bbsh_complain(shell, BBSH_EXIT_USAGE,
                      "error: no format \"%s\"; there are table, csv, json and line", argument);
    else
        shell->format = found;
}

static void group(struct shell *shell, const char *argument)
{
    bool columns = strcmp(argument, "columns") == 0;
    if (!columns && strcmp(argument, "sections") != 0)
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: \\group sections or columns");
    else
        shell->tags_as_columns = columns;
}

static void zone(struct shell *shell, const char *argument)
{
    if (!bbsh_set_zone(argument))
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: no time zone \"%s\"", argument);
    else
        snprintf(shell->zone, sizeof(shell->zone), "%s", argument);
}

/* A query, or the last one. */
static const char *query_or_last(struct shell *shell, const char *argument)
{
    if (*argument == '\0' && shell->last.len == 0)
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: no query has run yet that could be drawn");
    if (*argument == '\0')
        return shell->last.len > 0 ? text_get(&shell->last) : NULL;
    text_clear(&shell->last);
    text_puts(&shell->last, argument);
    return text_get(&shell->last);
}

static void plot(struct shell *shell, const char *argument)
{
    const struct bbsh_output *output = &bbsh_plot;
    size_t word = strcspn(argument, " ");
    if (bbsh_same_word(argument, word, "bar"))
        output = &bbsh_bars;
    if (output == &bbsh_bars || bbsh_same_word(argument, word, "line"))
        argument += word + strspn(argument + word, " ");
    const char *query = query_or_last(shell, argument);
    if (query != NULL)
        bbsh_run_query(shell, query, output, NULL);
}

static void heat(struct shell *shell, const char *argument)
{
    const char *query = query_or_last(shell, argument);
    if (query != NULL)
        bbsh_run_query(shell, query, &bbsh_heat, NULL);
}

static void watch(struct shell *shell, const char *argument)
{
    char *end;
    double every = strtod(argument, &end);
    if (end == argument)
        every = 2;
    const char *query = query_or_last(shell, end + strspn(end, " "));
    if (query == NULL)
        return;
    if (!(every >= 0.1 && every <= 86400)) {
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: \\watch every 0.1 to 86400 seconds");
        return;
    }
    struct timespec pause = {(time_t)every, (long)((every - (double)(time_t)every) * 1e9)};
    /* An interrupt ends the pause too. */
    do {
        if (shell->interactive)
            fputs("\033[H\033[2J", shell->out);
    } while (bbsh_run_query(shell, query, shell->format, NULL) == BB_CLIENT_OK && !shell->quit &&
             nanosleep(&pause, NULL) == 0);
    if (shell->interactive && !shell->quit)
        fputc('\n', shell->out); /* behind the ^C */
}

static void quit(struct shell *shell, const char *argument)
{
    (void)argument;
    shell->quit = true;
}

static const struct command commands[] = {
    {"?", "", "this list", help},
    {"use", "DB[.RP]", "make it the database of the next statements", use},
    {"l", "", "list the databases", list},
    {"d", "[MEASUREMENT]", "list measurements, or the fields and tags of one", describe},
    {"format", "NAME", "print results as table, csv, json or line", format},
    {"group", "sections|columns", "tables: one for each series, or tags as columns", group},
    {"tz", "[ZONE]", "show times in this zone; local; the query's tz(), or UTC, without", zone},
    {"timing", "[on|off]", "tell how long each query took", timing},
    {"plot", "[line|bar] [QUERY]", "draw a result; the last query's without one", plot},
    {"heat", "[QUERY]", "mean by hour and weekday", heat},
    {"watch", "[SECONDS] [QUERY]", "run it again and again until ^C", watch},
    {"q", "", "leave; so does ^D", quit},
};

static void help(struct shell *shell, const char *argument)
{
    (void)argument;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(shell->out, "  \\%-7s%-20s%s\n", commands[i].name, commands[i].argument,
                commands[i].help);
    fputs("Everything else is InfluxQL. A line that is complete runs; one that is not goes on,\n"
          "up to a semicolon. INSERT LINE writes a line of line protocol.\n",
          shell->out);
}

void bbsh_command(struct shell *shell, const char *line)
{
    size_t word = strcspn(line, " \t");
    const char *argument = line + word + strspn(line + word, " \t");
    char *copy = strdup(argument);
    if (copy == NULL)
        return;
    size_t n = strlen(copy);
    while (n > 0 && (isspace((unsigned char)copy[n - 1]) || copy[n - 1] == ';'))
        copy[--n] = '\0';
    const struct command *found = NULL;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && found == NULL; i++)
        if (bbsh_same_word(line, word, commands[i].name))
            found = &commands[i];
    if (found == NULL)
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: no command \"\\%.*s\"; \\? lists them",
                      (int)word, line);
    else
        found->run(shell, copy);
    free(copy);
}
