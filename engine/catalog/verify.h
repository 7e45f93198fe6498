/**
 * Checking catalog.mdb before LMDB opens it.
 *
 * LMDB trusts its file: a flipped bit in a page number or a size makes it read or write where it
 * should not. This walks the file's newest snapshot with its own bounds-checked reader: meta pages;
 * every page reachable from them, each exactly once; node places, sizes and order of keys; overflow
 * pages; the list of free pages, which with the others must make up the file; and the checksum
 * behind each value. What passes is safe to open and says what was written.
 *
 * Source  the page format of LMDB 0.9, libraries/liblmdb/mdb.c, data version 1.
 */
#ifndef BBI_CATALOG_VERIFY_H
#define BBI_CATALOG_VERIFY_H

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/fs/fs.h"

/**
 * Check the file, which exists.
 *
 * Returns BB_OK; BB_ENOTFOUND nothing was ever committed to it (it is empty, or its making was cut
 * short); BB_ECORRUPT with what and where; BB_EIO it cannot be read; BB_ENOMEM.
 */
int bbi_verify(const struct bbi_fs *fs, const char *path, struct bbi_account *acct,
               struct bb_error *err) BB_CHECKED;

#endif
