#include "client/shell_term.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/shell_text.h"

unsigned bbsh_term_width(const struct shell *shell)
{
    if (shell->fixed_width > 0)
        return shell->fixed_width;
    struct winsize size;
    int fd = fileno(shell->out);
    if (fd < 0 || !isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

void bbsh_term_size(const struct shell *shell, unsigned *columns, unsigned *rows)
{
    *columns = bbsh_term_width(shell);
    *rows = 24;
    struct winsize size;
    if (isatty(fileno(shell->out)) && ioctl(fileno(shell->out), TIOCGWINSZ, &size) == 0 &&
        size.ws_row > 0)
        *rows = size.ws_row;
    if (*columns == 0)
        *columns = 80;
    if (*columns < 30)
        *columns = 30;
    if (*columns > 400)
        *columns = 400;
    if (*rows < 12)
        *rows = 12;
    if (*rows > 40)
        *rows = 40;
}

static int64_t unit_ns(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ns", 1},       {"n", 1},          {"u", 1000},        {"us", 1000},
                 {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(units[i].name, unit) == 0)
            return units[i].ns;
    return 1;
}

bool bbsh_put_cell_time(const struct shell *shell, struct text *t,
                        const struct bb_client_cell *cell)
{
    int64_t time_ns;
    if (!bbsh_parse_ns(cell->text, cell->len, &time_ns))
        return false;
    if (shell->epoch != NULL)
        text_printf(t, "%lld", (long long)(time_ns / unit_ns(shell->epoch)));
    else
        bbsh_put_time(t, time_ns, bbsh_is_utc(shell->zone));
    return true;
}
