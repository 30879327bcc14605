/* Making, listing and removing checkpoints: /admin/checkpoint and /admin/checkpoints. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/checkpoint_dir.h"
#include "api/members.h"
#include "api/precision.h"

#define LISTED_MAX 1000

static const struct fl_member wanted[] = {{.name = "name", .is_text = true}, {.name = NULL}};

static void fail_with_errno(struct fl_http_request *request, const char *what) {
    fl_logger_write(request->service->logger, FLOWDB_LOG_ERROR, what,
                    (const struct fl_log_pair[]){{"reason", strerror(errno)}, {NULL, NULL}});
    fl_http_reply_fail(&request->reply, 500, "%s; the server's log has more", what);
}

static bool check_name(struct fl_http_request *request, const char *name) {
    return fl_checkpoint_name_valid(name) ||
           fl_http_reply_fail(&request->reply, 400,
                              "name must have 1 to %d letters, digits, '.', '_' or '-', not begin "
                              "with a dot, and not end in .partial-checkpoint",
                              FL_CHECKPOINT_NAME);
}

static void write_checkpoint(struct fl_json_writer *writer, const struct fl_checkpoint *checkpoint,
                             enum fl_precision precision) {
    fl_json_begin_object(writer);
    fl_json_member(writer, "name");
    fl_json_string(writer, flowdb_str(checkpoint->name));
    fl_json_member(writer, "made_at");
    fl_json_int(writer, fl_time_write(precision, checkpoint->made_us));
    fl_json_member(writer, "bytes");
    fl_json_uint(writer, checkpoint->bytes);
    fl_json_member(writer, "files");
    fl_json_uint(writer, checkpoint->files);
    fl_json_end_object(writer);
}

/* ------------------------------------------------------------------------------------ making -- */

static bool begin_make(struct fl_http_request *request) {
    return fl_members_begin(request, wanted);
}

/* Refused here, so that the client is not told where the database lies. */
static bool is_free(struct fl_http_request *request, const char *path) {
    return access(path, F_OK) != 0 ||
           fl_http_reply_fail(&request->reply, 400, "there is something of this name already");
}

static void finish_make(struct fl_http_request *request) {
    char path[4096];
    const char *data_dir = fl_api_of(request)->config->data_dir;
    const struct fl_member *members = fl_members_take(request);
    if (members == NULL || !check_name(request, members[0].text))
        return;
    int size = snprintf(path, sizeof path, "%s/checkpoints/%s", data_dir, members[0].text);
    if (size >= (int)sizeof path) {
        fl_http_reply_fail(&request->reply, 400, "name is too long for this data_dir");
        return;
    }
    if (!is_free(request, path))
        return;
    flowdb_status status = flowdb_checkpoint(fl_api_db(request), path);
    if (status == FLOWDB_OK)
        fl_http_reply_ok(&request->reply, "checkpoint made");
    else
        fl_api_fail(request, status);
}

const struct fl_http_handler fl_api_checkpoint_make = {.begin = begin_make,
                                                       .body = fl_members_body,
                                                       .finish = finish_make,
                                                       .release = fl_members_release,
                                                       .slow = true};

/* ----------------------------------------------------------------------------------- listing -- */

static int by_age(const void *a, const void *b) {
    const struct fl_checkpoint *first = a, *second = b;
    if (first->made_us != second->made_us)
        return first->made_us < second->made_us ? 1 : -1;
    return strcmp(first->name, second->name);
}

/* How many of them there are in the directory, which it closes; at most LISTED_MAX. */
static size_t list(int dir, struct fl_checkpoint *into) {
    size_t count = 0;
    DIR *listing = fdopendir(dir);
    const struct dirent *entry;
    if (listing == NULL) {
        close(dir);
        return 0;
    }
    while (count < LISTED_MAX && (entry = readdir(listing)) != NULL)
        count +=
            fl_checkpoint_look(dirfd(listing), entry->d_name, &into[count]) == FL_CHECKPOINT_OK;
    closedir(listing);
    qsort(into, count, sizeof *into, by_age);
    return count;
}

static void finish_list(struct fl_http_request *request) {
    int dir = fl_checkpoint_dir_open(fl_api_of(request)->config->data_dir);
    if (dir < 0 && errno != ENOENT) {
        fail_with_errno(request, "the checkpoints cannot be listed");
        return;
    }
    struct fl_checkpoint *found = calloc(LISTED_MAX, sizeof *found);
    if (found == NULL) {
        if (dir >= 0)
            close(dir);
        fl_http_reply_fail(&request->reply, 500, "out of memory");
        return;
    }
    size_t count = dir >= 0 ? list(dir, found) : 0;
    struct fl_json_writer writer = {.output = &request->reply.body};
    request->reply.status = 200;
    fl_json_begin_object(&writer);
    fl_json_member(&writer, "checkpoints");
    fl_json_begin_array(&writer);
    for (size_t i = 0; i < count; i++)
        write_checkpoint(&writer, &found[i], fl_precision_of(&request->params));
    fl_json_end_array(&writer);
    fl_json_member(&writer, "count");
    fl_json_uint(&writer, count);
    fl_json_end_object(&writer);
    free(found);
}

const struct fl_http_handler fl_api_checkpoint_list = {.finish = finish_list, .slow = true};

/* ---------------------------------------------------------------------------------- removing -- */

static void finish_remove(struct fl_http_request *request) {
    struct fl_http_reply *reply = &request->reply;
    flowdb_slice given = fl_http_params_bytes(&request->params, FL_PARAM_NAME);
    char name[FL_CHECKPOINT_NAME + 2];
    snprintf(name, sizeof name, "%.*s", (int)given.size, (const char *)given.data);
    if (strlen(name) != given.size)
        name[0] = '\0'; /* too long, or with a NUL in it */
    if (!check_name(request, name))
        return;
    int dir = fl_checkpoint_dir_open(fl_api_of(request)->config->data_dir);
    enum fl_checkpoint_status status = FL_CHECKPOINT_ABSENT;
    if (dir >= 0)
        status = fl_checkpoint_remove(dir, name);
    int error = errno;
    if (dir >= 0)
        close(dir);
    errno = error;
    switch (status) {
    case FL_CHECKPOINT_OK:
        fl_http_reply_ok(reply, "checkpoint removed");
        break;
    case FL_CHECKPOINT_ABSENT:
        fl_http_reply_fail(reply, 404, "there is no such checkpoint");
        break;
    case FL_CHECKPOINT_IN_USE:
        fl_http_reply_fail(reply, 400, "the checkpoint is open in some process");
        break;
    case FL_CHECKPOINT_FAILED:
        fail_with_errno(request, "the checkpoint cannot be removed");
        break;
    }
}

const struct fl_http_handler fl_api_checkpoint_remove = {.finish = finish_remove, .slow = true};
