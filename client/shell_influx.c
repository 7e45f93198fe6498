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

bool bbsh_influx_word(struct shell *shell, const char *text)
{
    size_t word = strcspn(text, " \t\n");
    const char *rest = skip_blanks(text + word);
    if (bbsh_same_word(text, word, "help") && *rest == '\0')
        bbsh_command(shell, "?");
    else if (bbsh_same_word(text, word, "format") && *rest != '\0')
        format(shell, rest);
    else if (bbsh_same_word(text, word, "precision") && *rest != '\0')
        precision(shell, rest);
    else
        return false;
    return true;
}
