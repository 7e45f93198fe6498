/**
 * What could stand at the cursor: \commands, keywords and functions, databases, measurements,
 * fields, tags and their values, the latter as the server knows them, kept for a minute.
 */
#ifndef CLIENT_SHELL_COMPLETE_H
#define CLIENT_SHELL_COMPLETE_H

#include "client/shell_schema.h"

enum bbsh_wanted {
    BBSH_WANT_COMMAND,
    BBSH_WANT_KEYWORD,
    BBSH_WANT_DATABASE,
    BBSH_WANT_MEASUREMENT,
    BBSH_WANT_FIELD, /* and functions */
    BBSH_WANT_TAG_OR_FIELD,
    BBSH_WANT_TAG_VALUE,
};

/** What the text before the cursor asks for. */
struct bbsh_place {
    int wanted;            /* enum bbsh_wanted */
    size_t word;           /* offset where the word at the cursor begins, its quote too */
    char measurement[256]; /* of the statement, "" if none is named yet */
    char tag[256];         /* whose value is wanted */
};

/** text: the statement so far, [cursor] bytes before the cursor; what follows may name the
 * measurement. */
void bbsh_place_find(const char *text, size_t cursor, struct bbsh_place *place);

struct bbsh_completer;

/** NULL: out of memory. */
struct bbsh_completer *bbsh_completer_create(struct shell *shell);
void bbsh_completer_destroy(struct bbsh_completer **completer);

/** Forget what the server said: another database is used, or something was created. */
void bbsh_completer_forget(struct bbsh_completer *completer);

/** What may replace text[place.word, cursor): as it is to be typed, sorted, none twice. */
void bbsh_complete(struct bbsh_completer *completer, const char *text, size_t cursor,
                   struct bbsh_place *place, struct bbsh_names *candidates);

#endif
