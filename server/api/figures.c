#include "api/figures.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t resident_bytes(void) {
    unsigned long long whole, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &whole, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static double cpu_seconds(void) {
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

void fl_figures_read(const struct fl_api *api, const struct fl_http_meters *meters,
                     struct fl_figures *figures) {
    /* What ended is read before what began, so that differences are never below zero. */
    uint64_t ended = fl_http_meter_read(&meters->ended);
    uint64_t gone = fl_http_meter_read(&meters->connections_ended);
    *figures = (struct fl_figures){.http_requests_total = fl_http_meter_read(&meters->begun),
                                   .http_requests_rejected = fl_http_meter_read(&meters->rejected),
                                   .http_connections =
                                       fl_http_meter_read(&meters->connections_begun) - gone,
                                   .http_bytes_in = fl_http_meter_read(&meters->bytes_in),
                                   .http_bytes_out = fl_http_meter_read(&meters->bytes_out),
                                   .resident_bytes = resident_bytes(),
                                   .cpu_seconds = cpu_seconds()};
    figures->http_requests_active = figures->http_requests_total - ended;
    if (api->receiver == NULL)
        return;
    fl_udp_receiver_counts(api->receiver, &figures->udp);
    figures->udp_packets_received = figures->udp.packets + figures->udp.dropped[FL_UDP_KERNEL];
    for (unsigned drop = 0; drop < FL_UDP_DROPS; drop++)
        figures->udp_packets_dropped += figures->udp.dropped[drop];
}

void fl_figures_name(const struct fl_figures *figures, struct fl_figure named[FL_FIGURES_NAMED]) {
    const struct fl_figure all[FL_FIGURES_NAMED] = {
        {"udp_packets_received", (double)figures->udp_packets_received},
        {"udp_packets_dropped", (double)figures->udp_packets_dropped},
        {"http_requests_total", (double)figures->http_requests_total},
        {"http_requests_rejected", (double)figures->http_requests_rejected},
        {"http_connections", (double)figures->http_connections},
        {"http_bytes_in", (double)figures->http_bytes_in},
        {"http_bytes_out", (double)figures->http_bytes_out},
        {"resident_bytes", (double)figures->resident_bytes},
        {"cpu_seconds", figures->cpu_seconds},
    };
    memcpy(named, all, sizeof all);
}
