/*
 * Whether libmicrohttpd has seen all of a request's head. It takes a NUL for a text's end, and the rest of
 * that line gets lost; it takes one that begins a line for the head's end. What it read it leaves where it
 * was: the CR and LF behind each line became NUL, and the next line begins behind them.
 *
 * A NUL in a CR's place cannot be told from it. So a bare LF, which would be as good an end, is refused.
 */
#ifndef FL_HTTP_LINES_H
#define FL_HTTP_LINES_H

#include <microhttpd.h>

#include "http/request.h"

/* `target_size`: the target's, up to a NUL, before anything was cut off. */
bool fl_http_lines_are_whole(struct MHD_Connection *connection, const struct fl_http_head *head,
                             size_t target_size);

#endif
