#include "client/password.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool ask(const char *user, char *out, size_t size)
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

void password_complete(struct password *password, struct bb_client_options *options)
{
    const struct bb_client_options *o = options;
    password->text[0] = '\0';
    if (o->user != NULL && o->user[0] != '\0' && o->password == NULL && o->token == NULL &&
        isatty(STDIN_FILENO) && ask(o->user, password->text, sizeof(password->text)))
        options->password = password->text;
}

void password_forget(struct password *password, struct bb_client_options *options)
{
    if (options->password == password->text)
        options->password = NULL;
    explicit_bzero(password->text, sizeof(password->text));
}
