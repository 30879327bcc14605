/*
 * What flowdb-load is made of: records in each form in which a server takes them, and a client that
 * does no more than it has to, so that what is measured is the server.
 */
#ifndef BENCH_SERVER_LOAD_H
#define BENCH_SERVER_LOAD_H

#include <flowdb/flowdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- feed.c ---- */

enum feed_form { FEED_BINARY, FEED_JSON, FEED_FORMS };

/*
 * Bodies of `records` records each, one of each of so many series, ten seconds after those of the body
 * before: what a collector sends. The values are decimal numbers with two digits after the point. A
 * few bodies are made ahead and only their timestamps are set anew, which costs next to nothing.
 */
struct feed;

struct feed *feed_create(enum feed_form form, unsigned records, unsigned first_series);
void feed_destroy(struct feed *feed);
/* The next body; valid until the next call. */
const char *feed_next(struct feed *feed, size_t *size);
/* The records of the next body as a batch, as a program has them that uses the library itself. */
flowdb_status feed_next_batch(struct feed *feed, flowdb_batch *batch);

/* ---- client.c ---- */

struct client {
    int fd;
    size_t at, size; /* of what is in the buffer */
    char buffer[256 << 10];
};

/* These end the program where the server does not do what is expected. */
void client_open(struct client *client, uint16_t port);
void client_close(struct client *client);
void client_post(struct client *client, const char *path, const char *body, size_t size);
/* Reads an answer in chunks to its end, and counts its bytes and lines. */
void client_get(struct client *client, const char *path, uint64_t *bytes, uint64_t *lines);

_Noreturn void fail(const char *what);
uint64_t now_ns(void);

#endif
