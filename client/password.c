#include "client/password.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

bool password_ask(const char *user, char *out, size_t size)
{
    struct termios shown, hidden;
    FILE *tty = fopen("/dev/tty", "r+");
    out[0] = '\0';
    if (tty == NULL)
        return false;
    bool ok = tcgetattr(fileno(tty), &shown) == 0;
    if (ok) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        ok = tcsetattr(fileno(tty), TCSAFLUSH, &hidden) == 0;
    }
    if (ok) {
        fprintf(tty, "Password of %s: ", user);
        fflush(tty);
        ok = fgets(out, (int)size, tty) != NULL;
        (void)tcsetattr(fileno(tty), TCSAFLUSH, &shown);
        fputc('\n', tty);
    }
    fclose(tty);
    if (ok)
        out[strcspn(out, "\n")] = '\0';
    return ok && out[0] != '\0';
}
