/**
 * What is wrong with a JSON text, in the words of Go's encoding/json, which InfluxDB's clients see.
 */
#ifndef SERVER_JSON_CHECK_H
#define SERVER_JSON_CHECK_H

#include <stddef.h>

#define JSON_CHECK_TEXT_MAX 160

struct json_check {
    size_t end;                       /* behind the first value of the text */
    char kind;                        /* its first character */
    char why[JSON_CHECK_TEXT_MAX];    /* "": it is JSON; what follows it has not been looked at */
    char number[JSON_CHECK_TEXT_MAX]; /* "", or why a number among the members of the object at the
                                        * top is neither an int64 nor, with a point, a double */
};

/** Look at the first value of text [n]. Objects and arrays may be 1,000 deep. */
void json_check(const char *text, size_t n, struct json_check *check);

#endif
