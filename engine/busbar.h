#ifndef BUSBAR_H
#define BUSBAR_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The version of the library that runs, which may be newer than the header compiled against.
 *
 * Returns "MAJOR.MINOR.PATCH", static storage.
 * Thread  any.
 */
const char *bb_version(void);

#ifdef __cplusplus
}
#endif

#endif
