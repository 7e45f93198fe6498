#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

/** busbar status; argv[0] is "status". Returns the exit code. */
int bbsh_status_main(int argc, char **argv);

#endif
