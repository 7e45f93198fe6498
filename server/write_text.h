/**
 * The lines of one request on their way into the log, as they come in.
 *
 * A text up to the setting write-piece is one batch: visible together, or not at all. A longer one
 * is stored in pieces of about that size, cut where the parser says that a line has ended, so that
 * what a request holds in memory does not depend on how long it is. A gzip body is decompressed
 * piece by piece.
 *
 * Thread  one at a time; put blocks.
 */
#ifndef SERVER_WRITE_TEXT_H
#define SERVER_WRITE_TEXT_H

#include "server/gunzip.h"
#include "server/reject.h"

struct write_text {
    struct server *server;
    struct buf database, policy;
    int64_t precision_ns;
    bool compressed;
    struct gunzip gunzip;
    struct buf plain;     /* what a gzip body has told and is not stored */
    uint64_t bytes_taken; /* of the text, decompressed */
    size_t rest;          /* bytes that the last piece left over */
    struct bb_write_text at;
    struct bb_write_result total; /* of all pieces so far */
    struct rejects rejects;
    struct bb_error wrong; /* told, and nothing stored, once a line parses; BB_OK: nothing is */
};

/** To be ended by write_text_fini whatever is done with it. */
void write_text_init(struct write_text *text, struct server *server, bool compressed);
void write_text_fini(struct write_text *text);

/** What a buffer may have to hold of a text: the piece and an unfinished line before it. */
size_t write_text_max_bytes(const struct settings *settings);

/** A piece is due when more bytes than these are there, `rest` of which the last piece left. */
size_t write_text_piece_bytes(const struct settings *settings, size_t rest);

/** The same of a gzip body's own bytes. */
size_t write_text_packed_bytes(const struct settings *settings);

/**
 * Store what body holds, as far as lines are finished.
 *
 * body  what has come behind what earlier calls took; out: what is to stand in front of the rest
 * last  nothing follows
 * Returns BB_OK when it is in the log's buffer: text->at.lsn says how far. BB_EPARSE a damaged gzip
 * body; BB_ELIMIT it is longer than max-body when decompressed; others as bb_write. After an error
 * the text is at its end; text->total tells what was stored before.
 */
int write_text_put(struct write_text *text, struct buf *body, bool last,
                   struct bb_error *err) BB_CHECKED;

#endif
