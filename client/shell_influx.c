/* Words of the `influx` shell that are no statements, for fingers that know them. */
#include "client/shell_influx.h"
#include "client/shell.h"

#include <stdio.h>
#include <string.h>

#include "client/shell_text.h"

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t\n");
}

static void precision(struct shell *shell, const char *unit)
{
    static const char *const units[] = {"ns", "u", "ms", "s", "m", "h"};
    if (bbsh_same_word(unit, strlen(unit), "rfc3339")) {
        shell->epoch = NULL;
        return;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bbsh_same_word(unit, strlen(unit), units[i])) {
            shell->epoch = units[i];
            return;
        }
    }
    bbsh_complain(shell, BBSH_EXIT_USAGE,
                  "error: no precision \"%s\"; there are rfc3339, ns, u, ms, s, m and h", unit);
}

static void format(struct shell *shell, const char *name)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "format %.40s",
                   bbsh_same_word(name, strlen(name), "column") ? "table" : name);
    bbsh_command(shell, command);
}

size_t bbsh_influx_target(const char *text)
{
    size_t word = strcspn(text, " \t\n");
    const char *s = skip_blanks(text + word);
    if (!bbsh_same_word(text, word, "into")) {
        return 0;
    }
    while (*s != '\0' && *s != ' ' && *s != '\t') {
        if (*s++ != '"') {
            continue;
        }
        while (*s != '\0' && *s != '"')
            s += *s == '\\' && s[1] != '\0' ? 2 : 1;
        s += *s == '"';
    }
    return (size_t)(s - text);
}

static void help(struct shell *shell, const char *argument)
{
    (void)argument;
    bbsh_command(shell, "?");
}

static void settings(struct shell *shell, const char *argument)
{
    const char *user = shell->options.user;
    (void)argument;
    const char *const rows[][2] = {
        {"url", bb_client_url(shell->client)},
        {"user", user == NULL ? "" : user},
        {"database", shell->database},
        {"retention policy", shell->policy},
        {"format", shell->format->name},
        {"precision", shell->epoch == NULL ? "rfc3339" : shell->epoch},
        {"time zone", shell->zone},
        {"timing", shell->timing ? "on" : "off"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        fprintf(shell->out, "%-18s%s\n", rows[i][0], rows[i][1]);
}

static void clear(struct shell *shell, const char *what)
{
    struct bb_client_error error;
    size_t n = strlen(what);
    bool database = bbsh_same_word(what, n, "db") || bbsh_same_word(what, n, "database");
    if (!database && !bbsh_same_word(what, n, "rp") &&
        !bbsh_same_word(what, n, "retention policy")) {
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: clear database, or clear retention policy");
        return;
    }
    if (database)
        shell->database[0] = '\0';
    shell->policy[0] = '\0';
    if (bb_client_use(shell->client, shell->database, "", &error) != BB_CLIENT_OK)
        bbsh_tell(shell, &error);
}

static void connect_to(struct shell *shell, const char *url)
{
    char before[sizeof(shell->url)];
    const char *was = shell->options.url;
    memcpy(before, shell->url, sizeof(before));
    if (strlen(url) >= sizeof(shell->url)) {
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: the address is too long");
        return;
    }
    strcpy(shell->url, url);
    shell->options.url = shell->url;
    if (!bbsh_connect(shell)) {
        memcpy(shell->url, before, sizeof(before));
        shell->options.url = was;
    }
}

/* Who asks from now on; nobody without a name. */
static void auth(struct shell *shell, const char *user)
{
    if (strlen(user) >= sizeof(shell->user)) {
        bbsh_complain(shell, BBSH_EXIT_USAGE, "error: the name is too long");
        return;
    }
    password_forget(&shell->password, &shell->options);
    strcpy(shell->user, user);
    shell->options.user = user[0] == '\0' ? NULL : shell->user;
    shell->options.password = shell->options.token = NULL;
    password_complete(&shell->password, &shell->options);
    (void)bbsh_connect(shell);
}

static void without_effect(struct shell *shell, const char *argument)
{
    (void)shell;
    (void)argument;
    fputs("of no effect here\n", stderr);
}

/* For each, whether it is one with, and without, something behind it. */
static const struct word {
    const char *name;
    bool with, without;
    void (*run)(struct shell *shell, const char *argument);
} words[] = {
    {"help", false, true, help},
    {"format", true, false, format},
    {"precision", true, false, precision},
    {"settings", false, true, settings},
    {"clear", true, true, clear},
    {"connect", true, false, connect_to},
    {"auth", true, true, auth},
    {"pretty", false, true, without_effect},
    {"chunked", false, true, without_effect},
    {"chunk", true, false, without_effect},
    {"consistency", true, false, without_effect},
    {"node", true, false, without_effect},
};

bool bbsh_influx_word(struct shell *shell, const char *text)
{
    size_t n = strcspn(text, " \t\n");
    const char *rest = skip_blanks(text + n);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (bbsh_same_word(text, n, words[i].name) &&
            (*rest == '\0' ? words[i].without : words[i].with)) {
            words[i].run(shell, rest);
            return true;
        }
    }
    return false;
}
