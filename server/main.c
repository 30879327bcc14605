/* flowdb-server: a FlowDB database behind HTTP. */
#include "server.h"

int main(int argc, char **argv) {
    struct fl_options options;
    switch (fl_options_parse(argc, argv, &options)) {
    case FL_OPTIONS_RUN:
        return fl_server_run(&options);
    case FL_OPTIONS_DONE:
        return 0;
    case FL_OPTIONS_BAD:
        break;
    }
    return 2;
}
