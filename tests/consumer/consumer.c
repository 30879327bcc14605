/* A program as a user would write it: sees only the installed header and library. */
#include <flowdb/flowdb.h>

#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, flowdb_last_error());
    return EXIT_FAILURE;
}

/* consumer DIRECTORY VERSION */
int main(int argc, char **argv) {
    if (argc != 3)
        return EXIT_FAILURE;
    if (strcmp(flowdb_version(), argv[2]) != 0) {
        fprintf(stderr, "version %s, not %s\n", flowdb_version(), argv[2]);
        return EXIT_FAILURE;
    }

    flowdb_config config = flowdb_config_default();
    config.data_dir = argv[1];
    flowdb *db;
    if (flowdb_open(&config, &db) != FLOWDB_OK)
        return failed("open");
    flowdb_record record = {flowdb_str("boiler.temp"), 1700000000000000, FLOWDB_NEVER,
                            flowdb_str("71.5")};
    if (flowdb_write(db, &record, 1) != FLOWDB_OK)
        return failed("write");

    flowdb_result found = {0};
    if (flowdb_get(db, record.key, record.ts, &found) != FLOWDB_OK)
        return failed("get");
    if (flowdb_close(db) != FLOWDB_OK)
        return failed("close");
    if (found.count != 1 || found.records[0].value.size != 4 ||
        memcmp(found.records[0].value.data, "71.5", 4) != 0) {
        fprintf(stderr, "read back something else\n");
        return EXIT_FAILURE;
    }
    flowdb_result_free(&found);
    return EXIT_SUCCESS;
}
