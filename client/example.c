/*
 * The client library in one page: create a database, write readings in batches, read a day back.
 *
 *   cc example.c $(pkg-config --cflags --libs busbar-client) && ./a.out http://127.0.0.1:8086
 *
 * A program of its own includes <busbar_client.h> instead.
 */
#include <inttypes.h>
#include <stdio.h>

#include "client/busbar_client.h"

#define FIRST_S 1710460800 /* 2024-03-15T00:00:00Z */

static void acknowledged(void *arg, const struct bb_client_ack *ack)
{
    uint64_t *done = arg;
    *done = ack->position;
    if (ack->error != NULL)
        fprintf(stderr, "lines up to %" PRIu64 ": %s\n", ack->position, ack->error->text);
}

static int write_day(struct bb_client_options *options, struct bb_client_error *error)
{
    uint64_t done = 0;
    struct bb_client_writer_options batches;
    bb_client_writer_options_init(&batches);
    batches.arg = &done;
    batches.acknowledged = acknowledged;
    struct bb_client_writer *writer;
    int rc = bb_client_writer_create(&writer, options, &batches, error);
    for (unsigned i = 0; i < 48 && rc == BB_CLIENT_OK; i++) {
        char line[128];
        int n = snprintf(line, sizeof(line), "reading,device_id=MTR-1 value=%u.%u %u\n", i / 10,
                         i % 10, FIRST_S + i * 1800);
        rc = bb_client_writer_put(writer, line, (size_t)n, i + 1, error);
    }
    if (rc == BB_CLIENT_OK)
        rc = bb_client_writer_flush(writer, error);
    if (rc == BB_CLIENT_OK)
        printf("%" PRIu64 " readings are on disk\n", done);
    bb_client_writer_destroy(&writer);
    return rc;
}

static int print_row(void *arg, const struct bb_client_cell *cells, size_t n)
{
    (void)arg;
    for (size_t i = 0; i < n; i++)
        printf("%s%s", cells[i].text, i + 1 < n ? " " : "\n");
    return 0;
}

static int print_error(void *arg, unsigned statement, const char *text)
{
    (void)arg;
    fprintf(stderr, "statement %u: %s\n", statement, text);
    return 1;
}

int main(int argc, char **argv)
{
    struct bb_client_options options;
    bb_client_options_init(&options);
    options.url = argc > 1 ? argv[1] : options.url;
    options.database = "example";
    options.precision = "s";
    struct bb_client_handler handler = {.row = print_row, .statement_error = print_error};
    struct bb_client_error error;
    struct bb_client *client;
    int rc = bb_client_create(&client, &options, &error);
    if (rc == BB_CLIENT_OK)
        rc = bb_client_query(client, "CREATE DATABASE example", NULL, &handler, &error);
    if (rc == BB_CLIENT_OK)
        rc = write_day(&options, &error);
    if (rc == BB_CLIENT_OK)
        rc = bb_client_query(client,
                             "SELECT sum(value) FROM reading WHERE time >= '2024-03-15' AND "
                             "time < '2024-03-16' GROUP BY time(6h), device_id",
                             NULL, &handler, &error);
    if (rc != BB_CLIENT_OK)
        fprintf(stderr, "%s\n", error.text);
    bb_client_destroy(&client);
    return rc == BB_CLIENT_OK ? 0 : 1;
}
