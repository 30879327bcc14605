// The same through C++: the header's inline functions and enums have to compile as C++11.
#include <flowdb/flowdb.h>

#include <iostream>
#include <stdexcept>
#include <string>

namespace {

void check(flowdb_status status) {
    if (status != FLOWDB_OK)
        throw std::runtime_error(flowdb_status_name(status) + std::string(": ") +
                                 flowdb_last_error());
}

void write_and_read(const char *directory) {
    flowdb_config config = flowdb_config_default();
    config.data_dir = directory;
    flowdb *db = nullptr;
    check(flowdb_open(&config, &db));

    const std::string value = "71.5";
    flowdb_record record = {flowdb_str("boiler.temp"), 1700000000000000, FLOWDB_NEVER,
                            flowdb_bytes(value.data(), value.size())};
    check(flowdb_write(db, &record, 1));

    flowdb_result found = {};
    check(flowdb_get_latest(db, record.key, &found));
    check(flowdb_close(db));
    const flowdb_slice &bytes = found.records[0].value;
    if (std::string(static_cast<const char *>(bytes.data), bytes.size) != value)
        throw std::runtime_error("read back something else");
    flowdb_result_free(&found);
}

} // namespace

// consumer DIRECTORY VERSION
int main(int argc, char **argv) {
    try {
        if (argc != 3 || flowdb_version() != std::string(argv[2]))
            throw std::runtime_error("version " + std::string(flowdb_version()));
        write_and_read(argv[1]);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
}
