#ifndef CLIENT_REJECTS_H
#define CLIENT_REJECTS_H

/** busbar rejects; argv[0] is "rejects". Returns the exit code. */
int bbsh_rejects_main(int argc, char **argv);

#endif
