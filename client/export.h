#ifndef CLIENT_EXPORT_H
#define CLIENT_EXPORT_H

/** busbar export; argv[0] is "export". Returns the exit code. */
int bbsh_export_main(int argc, char **argv);

#endif
