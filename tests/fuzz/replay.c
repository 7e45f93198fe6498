/*
 * The main program of a fuzz target in a build without libFuzzer: it feeds the files it is given,
 * and those in the folders it is given, to the target once each, in the order of their names, each
 * followed by BUSBAR_FUZZ_MUTATIONS (default 200) random variants of it. The seed is printed;
 * BUSBAR_SEED repeats a run. Arguments that start with '-' are libFuzzer's and are ignored.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;
static unsigned long mutations = 200;
static struct rng rng;

/* Room for what an edit adds. */
#define EDIT_MAX 16

/* Bytes that parsers look at. */
static const char spice[] = " ,=\"'\\\n\r\t/*-+.;:()<>!~$0159aeintfTuz#%|&^\0\x7f\x80\xff";

/* One random edit in place; data has room for EDIT_MAX more bytes. Returns the new size. */
static size_t edit(uint8_t *data, size_t size)
{
    size_t at = (size_t)rng_below(&rng, size + 1);
    size_t count = (size_t)rng_below(&rng, EDIT_MAX) + 1;

    switch (rng_below(&rng, 4)) {
    case 0: /* one byte becomes another */
        if (at < size) {
            data[at] = rng_one_in(&rng, 2) ? (uint8_t)rng_u64(&rng)
                                           : (uint8_t)spice[rng_below(&rng, sizeof(spice))];
        }
        return size;
    case 1: /* some bytes go */
        count = count > size - at ? size - at : count;
        memmove(data + at, data + at + count, size - at - count);
        return size - count;
    case 2: /* one byte comes in */
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)spice[rng_below(&rng, sizeof(spice))];
        return size + 1;
    default: /* some bytes come twice */
        count = count > size - at ? size - at : count;
        memmove(data + at + count, data + at, size - at);
        return size + count;
    }
}

/* A variant in a block of exactly its size, so that a sanitizer sees a read past its end. */
static int replay_variant(const uint8_t *data, size_t size)
{
    enum {
        EDITS = 4
    };
    uint8_t *wide = malloc(size + EDITS * EDIT_MAX);
    uint8_t *exact = NULL;
    int rc = -1;

    if (wide == NULL) {
        return rc;
    }
    memcpy(wide, data, size);
    for (uint64_t left = rng_below(&rng, EDITS) + 1; left > 0; left--) {
        size = edit(wide, size);
    }
    exact = malloc(size == 0 ? 1 : size);
    if (exact != NULL) {
        memcpy(exact, wide, size);
        (void)LLVMFuzzerTestOneInput(exact, size);
        rc = 0;
    }
    free(exact);
    free(wide);
    return rc;
}

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data = NULL;
    int rc = -1;

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        goto out;
    }
    /* An allocation of exactly the input's size lets a sanitizer see a read past its end. */
    size_t size = (size_t)st.st_size;
    data = malloc(size == 0 ? 1 : size);
    if (data == NULL || fread(data, 1, size, f) != size) {
        goto out;
    }
    printf("%s: %zu bytes\n", path, size);
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size);
    replayed++;
    rc = 0;
    for (unsigned long i = 0; i < mutations && rc == 0; i++) {
        rc = replay_variant(data, size);
    }
out:
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    free(data);
    if (f != NULL) {
        fclose(f);
    }
    return rc;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, visible, alphasort);
    int rc = 0;

    if (n < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    for (int i = 0; i < n; i++) {
        char file[PATH_MAX];
        int len = snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        if (len < 0 || (size_t)len >= sizeof(file) || replay_file(file) != 0) {
            rc = -1;
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = EXIT_SUCCESS;
    const char *set = getenv("BUSBAR_FUZZ_MUTATIONS");

    mutations = set != NULL ? strtoul(set, NULL, 10) : mutations;
    rng = rng_from_env();
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (argv[i][0] == '-') {
            continue;
        }
        bool is_folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        if ((is_folder ? replay_folder(argv[i]) : replay_file(argv[i])) != 0) {
            rc = EXIT_FAILURE;
        }
    }
    if (replayed == 0) {
        fprintf(stderr, "no input was replayed\n");
        rc = EXIT_FAILURE;
    }
    return rc;
}
