#include "bench/batches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(void)
{
    fprintf(stderr, "busbar-bench: out of memory\n");
    return -1;
}

static void render(const struct batches *b, uint64_t i, struct batch *batch)
{
    uint64_t first = i * b->lines;
    uint64_t end = first + b->lines < b->total_lines ? first + b->lines : b->total_lines;
    batch->len = 0;
    batch->lines = end - first;
    for (uint64_t n = first; n < end; n++)
        batch->len += workload_line(b->workload, n, batch->data + batch->len);
}

int batches_generate(struct batches *b, const struct workload *w, uint64_t lines,
                     uint64_t max_bytes)
{
    struct batch scratch = {.data = malloc(lines * WORKLOAD_LINE_MAX)};
    uint64_t bytes = 0;
    *b = (struct batches){.workload = w, .lines = lines, .total_lines = workload_lines(w)};
    b->count = (b->total_lines + lines - 1) / lines;
    b->batch = calloc(b->count, sizeof(b->batch[0]));
    if (b->batch == NULL || scratch.data == NULL) {
        free(scratch.data);
        return no_memory();
    }
    for (; b->prepared < b->count && bytes < max_bytes; b->prepared++) {
        struct batch *batch = &b->batch[b->prepared];
        render(b, b->prepared, &scratch);
        *batch = scratch;
        batch->data = malloc(scratch.len);
        if (batch->data == NULL)
            break; /* the others are made when they are sent */
        memcpy(batch->data, scratch.data, scratch.len);
        bytes += scratch.len;
    }
    free(scratch.data);
    return 0;
}

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    if (f == NULL) {
        perror(path);
        return NULL;
    }
    do {
        if (*len == cap) {
            cap = cap == 0 ? 1 << 20 : cap * 2;
            char *more = realloc(text, cap);
            if (more == NULL) {
                no_memory();
                break;
            }
            text = more;
        }
        *len += fread(text + *len, 1, cap - *len, f);
    } while (!feof(f) && !ferror(f));
    if (ferror(f) || !feof(f)) {
        if (ferror(f))
            perror(path);
        free(text);
        text = NULL;
    }
    fclose(f);
    return text;
}

int batches_load(struct batches *b, const char *path, uint64_t lines)
{
    size_t len;
    *b = (struct batches){.lines = lines, .text = read_file(path, &len)};
    if (b->text == NULL)
        return -1;
    const char *end = b->text + len;
    uint64_t cap = 0;
    for (char *at = b->text; at < end;) {
        if (b->count == cap) {
            cap = cap == 0 ? 1024 : cap * 2;
            struct batch *more = realloc(b->batch, cap * sizeof(*more));
            if (more == NULL)
                return no_memory();
            b->batch = more;
        }
        struct batch *batch = &b->batch[b->count++];
        *batch = (struct batch){.data = at};
        for (; at < end && batch->lines < lines; batch->lines++) {
            char *newline = memchr(at, '\n', (size_t)(end - at));
            at = newline == NULL ? b->text + len : newline + 1;
        }
        batch->len = (size_t)(at - batch->data);
        b->total_lines += batch->lines;
    }
    b->prepared = b->count;
    return 0;
}

void batches_free(struct batches *b)
{
    for (uint64_t i = 0; i < b->prepared && b->text == NULL; i++)
        free(b->batch[i].data);
    free(b->batch);
    free(b->text);
}

const struct batch *batches_get(const struct batches *b, uint64_t i, struct batch *scratch)
{
    if (i < b->prepared)
        return &b->batch[i];
    if (scratch->data == NULL)
        scratch->data = malloc(b->lines * WORKLOAD_LINE_MAX);
    if (scratch->data == NULL)
        return NULL;
    render(b, i, scratch);
    return scratch;
}
