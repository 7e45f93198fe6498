/**
 * The "params" of a query: a JSON object of values for $name, as InfluxDB takes it.
 *
 *     {"id":"MTR-1","n":5,"x":0.5,"yes":true,"m":{"identifier":"reading"},"r":{"regex":"^a"}}
 */
#ifndef SERVER_PARAMS_H
#define SERVER_PARAMS_H

#include "engine/busbar.h"

struct params {
    struct bb_param *list; /* borrows from the document */
    size_t count;
    void *document, *texts;
};

/**
 * Read n bytes of JSON; none of them, or null: no parameters. What follows the object is not looked
 * at. A value that cannot be bound becomes a BB_PARAM_ERROR, which fails where it is used.
 *
 * Returns BB_OK; BB_EPARSE it is no JSON object, or has a number that cannot be taken; BB_ELIMIT
 * too many; BB_ENOMEM. err says why.
 */
int params_parse(const char *text, size_t n, struct params *params,
                 struct bb_error *err) BB_CHECKED;

/** Also of zeroed params. */
void params_fini(struct params *params);

#endif
