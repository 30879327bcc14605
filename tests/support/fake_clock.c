#include "support/fake_clock.h"

static int64_t fake_wall_us(void *context) {
    struct fake_clock *fake = context;
    return atomic_load(&fake->wall_us);
}

static int64_t fake_monotonic_us(void *context) {
    struct fake_clock *fake = context;
    return atomic_load(&fake->monotonic_us);
}

void fake_clock_init(struct fake_clock *fake, int64_t wall_us) {
    fake->clock = (struct fl_clock){
        .wall_us = fake_wall_us, .monotonic_us = fake_monotonic_us, .context = fake};
    atomic_init(&fake->wall_us, wall_us);
    atomic_init(&fake->monotonic_us, 0);
}
