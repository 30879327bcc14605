#include "api/api.h"

void fl_api_log_failure(const struct fl_logger *logger, flowdb_status status) {
    fl_logger_write(logger, FLOWDB_LOG_ERROR, "the engine failed",
                    (const struct fl_log_pair[]){{"status", flowdb_status_name(status)},
                                                 {"reason", flowdb_last_error()},
                                                 {NULL, NULL}});
}

void fl_api_fail(struct fl_http_request *request, flowdb_status status) {
    struct fl_http_reply *reply = &request->reply;
    switch (status) {
    case FLOWDB_INVALID_ARGUMENT:
        fl_http_reply_fail(reply, 400, "%s", flowdb_last_error());
        return;
    case FLOWDB_NOT_FOUND:
        fl_http_reply_fail(reply, 404, "there is no such record");
        return;
    case FLOWDB_NO_SPACE:
        fl_api_log_failure(request->service->logger, status);
        fl_http_reply_fail(reply, 507, "the disk is full; nothing was changed");
        return;
    default:
        fl_api_log_failure(request->service->logger, status);
        fl_http_reply_fail(reply, 500, "the engine failed with %s; the server's log has more",
                           flowdb_status_name(status));
        return;
    }
}
