/* flowdb-server: a FlowDB database behind HTTP and UDP. */
#include "server.h"

int main(int argc, char **argv) {
    struct fl_options options = {argc, argv};
    struct fl_config config;
    int code = 2;
    switch (fl_options_parse(&options, &config)) {
    case FL_OPTIONS_RUN:
        code = fl_server_run(&options, &config);
        break;
    case FL_OPTIONS_DONE:
        code = 0;
        break;
    case FL_OPTIONS_BAD:
        break;
    }
    fl_config_deinit(&config);
    return code;
}
