#include "api/api.h"

flowdb_status fl_api_commit(const struct fl_http_request *request, flowdb_batch **batch,
                            bool tries) {
    flowdb *db = fl_api_db(request);
    flowdb_status status =
        tries ? flowdb_try_write_batch_owned(db, *batch) : flowdb_write_batch_owned(db, *batch);
    if (status != FLOWDB_WOULD_WAIT)
        *batch = NULL;
    return status;
}
