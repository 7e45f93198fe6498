/**
 * Which of our formats a client wants, by its Accept header.
 */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

enum accept_type {
    ACCEPT_JSON, /* also for a client that names nothing that we have */
    ACCEPT_APPLICATION_CSV,
    ACCEPT_TEXT_CSV,
    ACCEPT_MSGPACK
};

/** The format with the highest q; at equal ones the first that is named. RFC 9110, 12.5.1. */
enum accept_type accept_choose(const char *header);

/** The Content-Type. */
const char *accept_name(enum accept_type type);

#endif
