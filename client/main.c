/*
 * busbar: the shell, or the command that its first argument names.
 */
#include <string.h>

#include "client/export.h"
#include "client/import.h"
#include "client/rejects.h"
#include "client/shell.h"
#include "client/status.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"export", bbsh_export_main},
    {"import", bbsh_import_main},
    {"rejects", bbsh_rejects_main},
    {"status", bbsh_status_main},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return bbsh_main(argc, argv);
}
