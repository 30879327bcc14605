/* What a crash leaves. */
#include <stdlib.h>
#include <string.h>

#include "sim_disk.h"

const char *sim_loss_name(enum sim_loss loss) {
    static const char *const names[SIM_LOSSES] = {"kill",  "drop",  "cut",  "files",
                                                  "pages", "holes", "sizes"};
    return names[loss];
}

/* One crash. */
struct crash {
    const struct sim_fs *from;
    struct sim_fs *into;
    enum sim_loss loss;
    struct seeded *random;
    uint64_t moment; /* SIM_CUT: changes before it are kept, this one is torn */
};

/* ----------------------------------------------------------------------------------- bytes -- */

/* Smaller than a sector nothing should tear, but who knows. */
static uint64_t choose_grain(struct seeded *random) {
    static const uint64_t grains[] = {1, 512, 4096};
    return grains[seeded_below(random, 3)];
}

/* Mostly one of the ends. */
static size_t choose_version(struct seeded *random, size_t count) {
    uint32_t dice = seeded_below(random, 4);
    if (dice == 0)
        return 0;
    return dice == 1 ? count : seeded_below(random, (uint32_t)count + 1);
}

/* The beginning of a change that was being made: of a write some of its bytes. */
static void apply_torn(struct sim_bytes *bytes, const struct sim_change *change,
                       struct seeded *random) {
    uint64_t grain = choose_grain(random);
    if (change->truncates || change->size == 0)
        return;
    uint64_t end = change->offset + seeded_next(random) % (change->size + 1);
    end = end / grain * grain;
    if (end <= change->offset)
        return;
    struct sim_change part = *change;
    part.size = end - change->offset;
    part.used = part.used < part.size ? part.used : (size_t)part.size;
    sim_bytes_apply(bytes, &part);
}

/* The first `count` changes, and some of the next. */
static void apply_first(const struct sim_node *node, size_t count, struct seeded *random,
                        struct sim_bytes *bytes) {
    for (size_t i = 0; i < count; i++)
        sim_bytes_apply(bytes, &node->changes[i]);
    if (count < node->change_count && seeded_chance(random, 70))
        apply_torn(bytes, &node->changes[count], random);
}

/* What a block that was never written may hold: zeros, noise, or what some other file held there. */
static void fill_unwritten(const struct crash *crash, uint64_t at, uint8_t *unit, size_t size) {
    struct seeded *random = crash->random;
    uint32_t dice = seeded_below(random, 4);
    memset(unit, dice == 1 ? 0xff : 0, size);
    if (dice == 2) {
        for (size_t i = 0; i < size; i++)
            unit[i] = (uint8_t)seeded_next(random);
    } else if (dice == 3) {
        size_t other = seeded_below(random, (uint32_t)crash->from->node_count);
        sim_bytes_read(&crash->from->nodes[other].live, at, unit, size);
    }
}

/* One page or sector as it was after the first `version` changes. */
static void write_unit(const struct sim_node *node, uint64_t at, size_t size, size_t version,
                       struct sim_bytes *bytes) {
    uint8_t unit[4096];
    sim_bytes_read(&node->disk, at, unit, size);
    for (size_t i = 0; i < version; i++) {
        const struct sim_change *change = &node->changes[i];
        uint64_t begin = change->offset > at ? change->offset : at;
        uint64_t end = change->truncates ? at + size : change->offset + change->size;
        end = end < at + size ? end : at + size;
        for (uint64_t k = begin; k < end; k++) {
            uint64_t in = k - change->offset;
            unit[k - at] = !change->truncates && in < change->used ? change->data[in] : 0;
        }
    }
    sim_bytes_write(bytes, at, unit, size, size);
}

static bool is_touched(const struct sim_node *node, uint64_t at, size_t size) {
    for (size_t i = 0; i < node->change_count; i++) {
        const struct sim_change *change = &node->changes[i];
        uint64_t end = change->truncates ? UINT64_MAX : change->offset + change->size;
        if (change->offset < at + size && at < end)
            return true;
    }
    return false;
}

static uint64_t size_after(const struct sim_node *node, size_t version) {
    uint64_t size = node->disk.size;
    for (size_t i = 0; i < version; i++) {
        const struct sim_change *change = &node->changes[i];
        uint64_t end = change->offset + change->size;
        size = change->truncates || end > size ? end : size;
    }
    return size;
}

/* Every unit has a fate of its own, and so has the size. */
static void mix_units(const struct crash *crash, const struct sim_node *node,
                      struct sim_bytes *bytes) {
    struct seeded *random = crash->random;
    size_t unit = seeded_chance(random, 50) ? 512 : 4096, last = node->change_count;
    bool sizes = crash->loss == SIM_SIZES, holes = crash->loss == SIM_HOLES;
    uint64_t size = size_after(node, sizes || holes ? last : choose_version(random, last));
    uint64_t units = (size + unit - 1) / unit;
    uint32_t one_in = 2 + seeded_below(random, 6);
    /* The bytes beyond lie in a region that is zeros whatever happens. */
    uint64_t used = node->disk.used > node->live.used ? node->disk.used : node->live.used;
    for (uint64_t i = 0; i < units && i * unit < used; i++) {
        uint64_t at = i * unit;
        size_t length = (size_t)(size - at < unit ? size - at : unit);
        if (!is_touched(node, at, length))
            continue;
        size_t version = choose_version(random, last);
        if (sizes || holes)
            version = seeded_below(random, one_in) == 0 ? 0 : last;
        if (sizes && seeded_chance(random, 50))
            version = 0;
        uint8_t filler[4096];
        if (version == 0 && at >= node->disk.size && sizes) {
            fill_unwritten(crash, at, filler, length);
            sim_bytes_write(bytes, at, filler, length, length);
        } else {
            write_unit(node, at, length, version, bytes);
        }
    }
    sim_bytes_resize(bytes, size);
}

static void crash_bytes(const struct crash *crash, const struct sim_node *node,
                        struct sim_bytes *bytes) {
    sim_bytes_copy(&node->disk, bytes);
    size_t count = 0;
    if (node->change_count == 0)
        return;
    switch (crash->loss) {
    case SIM_CUT:
        while (count < node->change_count && node->changes[count].number < crash->moment)
            count++;
        for (size_t i = 0; i < count; i++)
            sim_bytes_apply(bytes, &node->changes[i]);
        if (count < node->change_count && node->changes[count].number == crash->moment)
            apply_torn(bytes, &node->changes[count], crash->random);
        break;
    case SIM_FILES:
        apply_first(node, choose_version(crash->random, node->change_count), crash->random, bytes);
        break;
    case SIM_PAGES:
    case SIM_HOLES:
    case SIM_SIZES:
        mix_units(crash, node, bytes);
        break;
    default: /* SIM_DROP: what is on the disk */
        break;
    }
}

/* ----------------------------------------------------------------------------------- names -- */

static void copy_directory(const struct sim_directory *from, struct sim_directory *into) {
    for (size_t i = 0; i < from->count; i++)
        sim_directory_set(into, from->entries[i].name, from->entries[i].node);
}

/* Namings are done or not, in their order: of two that concern one name the later one wins. */
static void crash_namings(const struct crash *crash) {
    uint32_t fate = seeded_below(crash->random, 4);
    for (size_t i = 0; i < crash->from->naming_count; i++) {
        const struct sim_naming *naming = &crash->from->namings[i];
        bool kept = fate == 0 || (fate >= 2 && seeded_chance(crash->random, 50));
        if (crash->loss == SIM_DROP)
            kept = false;
        if (crash->loss == SIM_CUT)
            kept = naming->number < crash->moment;
        if (kept)
            sim_fs_apply_naming(crash->into, naming);
    }
}

/* The moment lies anywhere between the oldest change that is not on the disk and now. */
static uint64_t choose_moment(const struct sim_fs *sim, struct seeded *random) {
    uint64_t oldest = sim->next_number;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->change_count > 0 && node->changes[0].number < oldest)
            oldest = node->changes[0].number;
    }
    if (sim->naming_count > 0 && sim->namings[0].number < oldest)
        oldest = sim->namings[0].number;
    return oldest + seeded_next(random) % (sim->next_number - oldest + 1);
}

/* ----------------------------------------------------------------------------------- whole -- */

/* Another process finds what this one left, in the page cache and on the disk. */
static void copy_node(const struct sim_node *node, struct sim_node *copy) {
    sim_bytes_copy(&node->live, &copy->live);
    sim_bytes_copy(&node->disk, &copy->disk);
    for (size_t i = 0; i < node->change_count; i++)
        sim_node_record(copy, &node->changes[i]);
    copy->suspect = node->suspect;
    copy->allocated = node->allocated;
    copy_directory(&node->live_entries, &copy->live_entries);
    copy_directory(&node->disk_entries, &copy->disk_entries);
}

static void copy_namings(const struct sim_fs *sim, struct sim_fs *into) {
    for (size_t i = 0; i < sim->naming_count; i++) {
        into->namings =
            sim_grown(into->namings, into->naming_count, &into->naming_room, sizeof *into->namings);
        into->namings[into->naming_count++] = sim->namings[i];
    }
    into->next_number = sim->next_number;
}

/* What cannot be reached needs no bytes. */
static bool *reachable(const struct sim_fs *sim) {
    bool *reached = calloc(sim->node_count, sizeof *reached);
    if (reached == NULL)
        abort();
    reached[0] = true;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < sim->node_count; i++) {
            const struct sim_directory *entries = &sim->nodes[i].disk_entries;
            for (size_t k = 0; reached[i] && k < entries->count; k++) {
                more |= !reached[entries->entries[k].node];
                reached[entries->entries[k].node] = true;
            }
        }
    }
    return reached;
}

static void lose_power(struct crash *crash) {
    const struct sim_fs *sim = crash->from;
    struct sim_fs *into = crash->into;
    for (size_t i = 0; i < sim->node_count; i++)
        copy_directory(&sim->nodes[i].disk_entries, &into->nodes[i].disk_entries);
    if (crash->loss == SIM_CUT)
        crash->moment = choose_moment(sim, crash->random);
    crash_namings(crash);
    bool *reached = reachable(into);
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &into->nodes[i];
        copy_directory(&node->disk_entries, &node->live_entries);
        if (!reached[i] || node->is_directory)
            continue;
        crash_bytes(crash, &sim->nodes[i], &node->disk);
        sim_bytes_copy(&node->disk, &node->live);
    }
    free(reached);
}

void sim_fs_crash(const struct sim_fs *sim, enum sim_loss loss, struct seeded *random,
                  struct sim_fs *into) {
    struct crash crash = {.from = sim, .into = into, .loss = loss, .random = random};
    sim_fs_init(into);
    into->capacity = sim->capacity;
    for (size_t i = 1; i < sim->node_count; i++)
        sim_fs_add_node(into, sim->nodes[i].is_directory);
    if (loss != SIM_KILL) {
        lose_power(&crash);
        return;
    }
    for (size_t i = 0; i < sim->node_count; i++)
        copy_node(&sim->nodes[i], &into->nodes[i]);
    copy_namings(sim, into);
}
