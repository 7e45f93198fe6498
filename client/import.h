#ifndef CLIENT_IMPORT_H
#define CLIENT_IMPORT_H

/** busbar import; argv[0] is "import". Returns the exit code. */
int bbsh_import_main(int argc, char **argv);

#endif
