/*
 * The main program of a fuzz target in a build without libFuzzer: it feeds the files it is given,
 * and those in the folders it is given, to the target once each, in the order of their names.
 * Arguments that start with '-' are libFuzzer's and are ignored.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

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
