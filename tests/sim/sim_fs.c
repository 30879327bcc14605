#include "sim_fs.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sim_disk.h"

#define NOWHERE SIZE_MAX

struct sim_file {
    struct fl_file base;
    struct sim_fs *sim;
    size_t node;
    bool holds_lock;
    char path[]; /* for messages */
};

static struct sim_fs *sim_of(struct fl_fs *fs) {
    return (struct sim_fs *)(void *)fs;
}

static struct sim_file *file_of(struct fl_file *file) {
    return (struct sim_file *)(void *)file;
}

static struct sim_node *node_of(struct sim_file *file) {
    return &file->sim->nodes[file->node];
}

/* Writes the operation down and tells whoever waits for it; returns `status`. */
__attribute__((format(printf, 3, 4))) static flowdb_status
done(struct sim_fs *sim, flowdb_status status, const char *format, ...) {
    char *line = sim->log[sim->operations % SIM_LOG_LINES];
    sim->operations++;
    int at = snprintf(line, SIM_LOG_LINE, "#%" PRIu64 " ", sim->operations);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + at, SIM_LOG_LINE - (size_t)at, format, arguments);
    va_end(arguments);
    if (sim->after != NULL)
        sim->after(sim->after_context);
    return status;
}

/* ----------------------------------------------------------------------------------- paths -- */

/* The directory that holds the path's last part, and that part in `name`. */
static size_t find_parent(const struct sim_fs *sim, const char *path, char name[SIM_NAME]) {
    size_t node = 0;
    name[0] = '\0';
    while (*path != '\0') {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0 || length >= SIM_NAME)
            break;
        if (name[0] != '\0') {
            const struct sim_entry *entry =
                sim_directory_find(&sim->nodes[node].live_entries, name);
            if (entry == NULL || !sim->nodes[entry->node].is_directory)
                return NOWHERE;
            node = entry->node;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        path += length;
    }
    return node;
}

static size_t find(const struct sim_fs *sim, const char *path) {
    char name[SIM_NAME];
    size_t parent = find_parent(sim, path, name);
    if (parent == NOWHERE || name[0] == '\0')
        return parent;
    const struct sim_entry *entry = sim_directory_find(&sim->nodes[parent].live_entries, name);
    return entry != NULL ? entry->node : NOWHERE;
}

static flowdb_status fail_absent(const char *verb, const char *path) {
    return fl_fail(FLOWDB_NOT_FOUND, "cannot %s %s: no such file or directory", verb, path);
}

/* ----------------------------------------------------------------------------------- space -- */

uint64_t sim_fs_used(const struct sim_fs *sim) {
    uint64_t used = 0;
    bool *counted = calloc(sim->node_count, sizeof *counted);
    if (counted == NULL)
        abort();
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_directory *directory = &sim->nodes[i].live_entries;
        for (size_t k = 0; k < directory->count; k++)
            counted[directory->entries[k].node] = true;
    }
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (counted[i] || node->handles > 0)
            used += node->live.size > node->allocated ? node->live.size : node->allocated;
    }
    free(counted);
    return used;
}

static uint64_t free_bytes(const struct sim_fs *sim) {
    if (sim->capacity == UINT64_MAX)
        return UINT64_MAX;
    uint64_t used = sim_fs_used(sim);
    return used < sim->capacity ? sim->capacity - used : 0;
}

/* How many of the bytes up to `end` there is room for. */
static uint64_t room_up_to(struct sim_file *file, uint64_t end) {
    const struct sim_node *node = node_of(file);
    uint64_t has = node->live.size > node->allocated ? node->live.size : node->allocated;
    if (end <= has || file->sim->capacity == UINT64_MAX)
        return end;
    uint64_t left = free_bytes(file->sim);
    return end - has <= left ? end : has + left;
}

/* ----------------------------------------------------------------------------------- files -- */

static flowdb_status sim_read_at(struct fl_file *base, uint64_t offset, void *into, size_t size,
                                 size_t *got) {
    const struct sim_bytes *live = &node_of(file_of(base))->live;
    *got = 0;
    if (offset < live->size)
        *got = size < live->size - offset ? size : (size_t)(live->size - offset);
    sim_bytes_read(live, offset, into, *got);
    return FLOWDB_OK;
}

static size_t without_zeros(const uint8_t *bytes, size_t size) {
    static const uint8_t zeros[4096];
    while (size >= sizeof zeros && memcmp(bytes + size - sizeof zeros, zeros, sizeof zeros) == 0)
        size -= sizeof zeros;
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    return size;
}

/* What was made clean without reaching the disk gets there with the next change of its page. */
static void record_whole_pages(struct sim_node *node, struct sim_change *change) {
    uint64_t end = (change->offset + change->size + 4095) / 4096 * 4096;
    change->offset = change->offset / 4096 * 4096;
    change->size = (end < node->live.size ? end : node->live.size) - change->offset;
    change->used = 0;
    if (change->offset < node->live.used) {
        uint64_t used = node->live.used - change->offset;
        change->used = (size_t)(used < change->size ? used : change->size);
        change->data = node->live.data + change->offset;
    }
    sim_node_record(node, change);
}

static void write_part(struct sim_file *file, uint64_t offset, const uint8_t *data, size_t size) {
    struct sim_node *node = node_of(file);
    struct sim_change change = {.number = file->sim->next_number++,
                                .offset = offset,
                                .size = size,
                                .used = without_zeros(data, size)};
    sim_bytes_write(&node->live, offset, data, change.used, size);
    change.data = (uint8_t *)(uintptr_t)data;
    if (node->suspect)
        record_whole_pages(node, &change);
    else
        sim_node_record(node, &change);
}

static flowdb_status sim_write_at(struct fl_file *base, uint64_t offset, const struct iovec *parts,
                                  size_t count) {
    struct sim_file *file = file_of(base);
    uint64_t begin = offset;
    for (size_t i = 0; i < count; i++) {
        uint64_t end = offset + parts[i].iov_len, fits = room_up_to(file, end);
        if (fits > offset)
            write_part(file, offset, parts[i].iov_base, (size_t)(fits - offset));
        offset = fits > offset ? fits : offset;
        if (fits < end)
            return done(file->sim,
                        fl_fail(FLOWDB_NO_SPACE, "cannot write %s: no space left", file->path),
                        "write %s @%" PRIu64 ": no space", file->path, offset);
    }
    return done(file->sim, FLOWDB_OK, "write %s @%" PRIu64 "+%" PRIu64, file->path, begin,
                offset - begin);
}

static flowdb_status sim_sync(struct fl_file *base) {
    struct sim_file *file = file_of(base);
    struct sim_node *node = node_of(file);
    for (size_t i = 0; i < node->change_count; i++)
        sim_bytes_apply(&node->disk, &node->changes[i]);
    sim_node_forget(node);
    return done(file->sim, FLOWDB_OK, "sync %s", file->path);
}

void sim_file_lose(struct fl_file *base, struct seeded *random) {
    struct sim_file *file = file_of(base);
    struct sim_node *node = node_of(file);
    struct sim_bytes live;
    /* The size is kept: it belongs to the file's node, not to its pages. */
    uint64_t size = node->live.size;
    sim_bytes_copy(&node->live, &live);
    for (uint64_t at = 0; at < size; at += 4096) {
        size_t length = (size_t)(size - at < 4096 ? size - at : 4096);
        bool touched = false;
        for (size_t i = 0; i < node->change_count && !touched; i++) {
            const struct sim_change *change = &node->changes[i];
            touched = change->truncates
                          ? at + length > change->offset
                          : change->offset < at + length && at < change->offset + change->size;
        }
        uint8_t page[4096];
        if (touched && seeded_chance(random, 50)) {
            sim_bytes_read(&live, at, page, length);
            sim_bytes_write(&node->disk, at, page, length, length);
        }
    }
    sim_bytes_resize(&node->disk, size);
    sim_node_forget(node);
    node->suspect = true;
    free(live.data);
    done(file->sim, FLOWDB_OK, "sync %s: failed, pages lost", file->path);
}

static flowdb_status sim_truncate(struct fl_file *base, uint64_t size) {
    struct sim_file *file = file_of(base);
    struct sim_node *node = node_of(file);
    struct sim_change change = {
        .number = file->sim->next_number++, .truncates = true, .offset = size};
    sim_bytes_resize(&node->live, size);
    if (node->allocated > size)
        node->allocated = size;
    sim_node_record(node, &change);
    return done(file->sim, FLOWDB_OK, "truncate %s to %" PRIu64, file->path, size);
}

static flowdb_status sim_allocate(struct fl_file *base, uint64_t size) {
    struct sim_file *file = file_of(base);
    if (room_up_to(file, size) < size)
        return fl_fail(FLOWDB_NO_SPACE, "cannot allocate space for %s: no space left", file->path);
    struct sim_node *node = node_of(file);
    if (node->allocated < size)
        node->allocated = size;
    return done(file->sim, FLOWDB_OK, "allocate %s up to %" PRIu64, file->path, size);
}

static flowdb_status sim_size(struct fl_file *base, uint64_t *size) {
    *size = node_of(file_of(base))->live.size;
    return FLOWDB_OK;
}

static void sim_close(struct fl_file *base) {
    struct sim_file *file = file_of(base);
    struct sim_node *node = node_of(file);
    node->handles--;
    if (file->holds_lock)
        node->locked = false;
    file->sim->open_files--;
    free(file);
}

static const struct fl_file_ops file_ops = {
    .read_at = sim_read_at,
    .write_at = sim_write_at,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .size = sim_size,
    .close = sim_close,
};

/* ----------------------------------------------------------------------------------- names -- */

/* Does it to what readers see, and remembers that it is not on the disk. */
static void change_names(struct sim_fs *sim, size_t directory, const char *name,
                         size_t to_directory, const char *to_name, size_t node) {
    sim->namings =
        sim_grown(sim->namings, sim->naming_count, &sim->naming_room, sizeof *sim->namings);
    struct sim_naming *naming = &sim->namings[sim->naming_count++];
    *naming = (struct sim_naming){.number = sim->next_number++,
                                  .directory = directory,
                                  .to_directory = to_directory,
                                  .node = node};
    snprintf(naming->name, SIM_NAME, "%s", name);
    snprintf(naming->to_name, SIM_NAME, "%s", to_name);
    if (name[0] != '\0')
        sim_directory_remove(&sim->nodes[directory].live_entries, name);
    if (to_name[0] != '\0')
        sim_directory_set(&sim->nodes[to_directory].live_entries, to_name, node);
}

static struct fl_file *handle(struct sim_fs *sim, const char *path, size_t node) {
    size_t length = strlen(path);
    struct sim_file *file = calloc(1, sizeof *file + length + 1);
    if (file == NULL)
        abort();
    file->base.ops = &file_ops;
    file->sim = sim;
    file->node = node;
    memcpy(file->path, path, length + 1);
    sim->nodes[node].handles++;
    sim->open_files++;
    return &file->base;
}

static flowdb_status create(struct sim_fs *sim, const char *path, bool is_directory, size_t *node) {
    char name[SIM_NAME];
    size_t parent = find_parent(sim, path, name);
    if (parent == NOWHERE || name[0] == '\0')
        return fail_absent("create", path);
    if (sim_directory_find(&sim->nodes[parent].live_entries, name) != NULL)
        return fl_fail(FLOWDB_IO_ERROR, "cannot create %s: it exists", path);
    *node = sim_fs_add_node(sim, is_directory);
    change_names(sim, parent, "", parent, name, *node);
    return FLOWDB_OK;
}

static flowdb_status sim_open(struct fl_fs *fs, const char *path, enum fl_open_mode mode,
                              struct fl_file **file) {
    struct sim_fs *sim = sim_of(fs);
    size_t node = find(sim, path);
    if (mode != FL_OPEN_CREATE) {
        if (node == NOWHERE || sim->nodes[node].is_directory)
            return fail_absent("open", path);
        *file = handle(sim, path, node);
        return FLOWDB_OK;
    }
    flowdb_status status = create(sim, path, false, &node);
    if (status != FLOWDB_OK)
        return status;
    *file = handle(sim, path, node);
    return done(sim, FLOWDB_OK, "create %s", path);
}

static flowdb_status sim_lock(struct fl_fs *fs, const char *path, struct fl_file **lock) {
    struct sim_fs *sim = sim_of(fs);
    size_t node = find(sim, path);
    flowdb_status status = node == NOWHERE ? create(sim, path, false, &node) : FLOWDB_OK;
    if (status != FLOWDB_OK)
        return status;
    if (sim->nodes[node].locked)
        return fl_fail(FLOWDB_LOCKED, "%s is held: the database is open already", path);
    sim->nodes[node].locked = true;
    *lock = handle(sim, path, node);
    file_of(*lock)->holds_lock = true;
    return done(sim, FLOWDB_OK, "lock %s", path);
}

static flowdb_status sim_create_dir(struct fl_fs *fs, const char *path) {
    struct sim_fs *sim = sim_of(fs);
    size_t node = find(sim, path);
    if (node != NOWHERE && sim->nodes[node].is_directory)
        return FLOWDB_OK;
    flowdb_status status = create(sim, path, true, &node);
    return status == FLOWDB_OK ? done(sim, FLOWDB_OK, "create directory %s", path) : status;
}

static flowdb_status sim_remove(struct fl_fs *fs, const char *path) {
    struct sim_fs *sim = sim_of(fs);
    char name[SIM_NAME];
    size_t parent = find_parent(sim, path, name), node = find(sim, path);
    if (node == NOWHERE || name[0] == '\0')
        return fail_absent("remove", path);
    change_names(sim, parent, name, parent, "", node);
    return done(sim, FLOWDB_OK, "remove %s", path);
}

static flowdb_status sim_remove_dir(struct fl_fs *fs, const char *path) {
    struct sim_fs *sim = sim_of(fs);
    size_t node = find(sim, path);
    if (node != NOWHERE && sim->nodes[node].live_entries.count > 0)
        return fl_fail(FLOWDB_IO_ERROR, "cannot remove %s: it is not empty", path);
    return sim_remove(fs, path);
}

static flowdb_status sim_rename(struct fl_fs *fs, const char *from, const char *to) {
    struct sim_fs *sim = sim_of(fs);
    char name[SIM_NAME], to_name[SIM_NAME];
    size_t node = find(sim, from), parent = find_parent(sim, from, name);
    size_t to_parent = find_parent(sim, to, to_name);
    if (node == NOWHERE || to_parent == NOWHERE || to_name[0] == '\0')
        return fail_absent("rename", from);
    change_names(sim, parent, name, to_parent, to_name, node);
    return done(sim, FLOWDB_OK, "rename %s to %s", from, to);
}

static flowdb_status sim_link(struct fl_fs *fs, const char *from, const char *to) {
    struct sim_fs *sim = sim_of(fs);
    char to_name[SIM_NAME];
    size_t node = find(sim, from), to_parent = find_parent(sim, to, to_name);
    if (node == NOWHERE || to_parent == NOWHERE || to_name[0] == '\0')
        return fail_absent("link", from);
    if (find(sim, to) != NOWHERE)
        return fl_fail(FLOWDB_IO_ERROR, "cannot link %s: %s exists", from, to);
    change_names(sim, to_parent, "", to_parent, to_name, node);
    return done(sim, FLOWDB_OK, "link %s to %s", from, to);
}

static flowdb_status sim_list(struct fl_fs *fs, const char *path,
                              flowdb_status (*each)(void *context, const char *name),
                              void *context) {
    struct sim_fs *sim = sim_of(fs);
    size_t node = find(sim, path);
    if (node == NOWHERE || !sim->nodes[node].is_directory)
        return fail_absent("list", path);
    flowdb_status status = FLOWDB_OK;
    const struct sim_directory *directory = &sim->nodes[node].live_entries;
    for (size_t i = 0; i < directory->count && status == FLOWDB_OK; i++)
        status = each(context, directory->entries[i].name);
    return status;
}

/* Files that nothing leads to any more, whatever a crash leaves, need no memory. */
static void release_unreachable(struct sim_fs *sim) {
    bool *reached = calloc(sim->node_count, sizeof *reached);
    if (reached == NULL)
        abort();
    reached[0] = true;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *node = &sim->nodes[i];
        for (size_t k = 0; k < node->live_entries.count; k++)
            reached[node->live_entries.entries[k].node] = true;
        for (size_t k = 0; k < node->disk_entries.count; k++)
            reached[node->disk_entries.entries[k].node] = true;
    }
    for (size_t i = 0; i < sim->naming_count; i++)
        reached[sim->namings[i].node] = true;
    for (size_t i = 0; i < sim->node_count; i++) {
        if (!reached[i] && sim->nodes[i].handles == 0)
            sim_node_release(&sim->nodes[i]);
    }
    free(reached);
}

static flowdb_status sim_sync_dir(struct fl_fs *fs, const char *path) {
    struct sim_fs *sim = sim_of(fs);
    size_t directory = find(sim, path), kept = 0;
    if (directory == NOWHERE || !sim->nodes[directory].is_directory)
        return fail_absent("sync", path);
    for (size_t i = 0; i < sim->naming_count; i++) {
        const struct sim_naming *naming = &sim->namings[i];
        if (naming->directory == directory || naming->to_directory == directory)
            sim_fs_apply_naming(sim, naming);
        else
            sim->namings[kept++] = *naming;
    }
    sim->naming_count = kept;
    release_unreachable(sim);
    return done(sim, FLOWDB_OK, "sync directory %s", path);
}

static flowdb_status sim_exists(struct fl_fs *fs, const char *path, bool *exists) {
    *exists = find(sim_of(fs), path) != NOWHERE;
    return FLOWDB_OK;
}

static flowdb_status sim_free_space(struct fl_fs *fs, const char *path, uint64_t *bytes) {
    if (find(sim_of(fs), path) == NOWHERE)
        return fail_absent("look at the file system of", path);
    *bytes = free_bytes(sim_of(fs));
    return FLOWDB_OK;
}

/* --------------------------------------------------------------------------------- as a whole -- */

void sim_fs_init(struct sim_fs *sim) {
    static const struct fl_fs_ops ops = {
        .open = sim_open,
        .create_dir = sim_create_dir,
        .remove = sim_remove,
        .remove_dir = sim_remove_dir,
        .rename = sim_rename,
        .link = sim_link,
        .list = sim_list,
        .sync_dir = sim_sync_dir,
        .exists = sim_exists,
        .lock = sim_lock,
        .free_space = sim_free_space,
    };
    *sim = (struct sim_fs){.fs = {.ops = &ops}, .capacity = UINT64_MAX};
    sim_fs_add_node(sim, true);
}

void sim_fs_deinit(struct sim_fs *sim) {
    for (size_t i = 0; i < sim->node_count; i++)
        sim_node_release(&sim->nodes[i]);
    free(sim->nodes);
    free(sim->namings);
    *sim = (struct sim_fs){0};
}

void sim_fs_print_log(const struct sim_fs *sim, FILE *out) {
    uint64_t first = sim->operations > SIM_LOG_LINES ? sim->operations - SIM_LOG_LINES : 0;
    for (uint64_t i = first; i < sim->operations; i++)
        fprintf(out, "  %s\n", sim->log[i % SIM_LOG_LINES]);
}

static uint64_t fingerprint(const struct sim_fs *sim, size_t number) {
    const struct sim_node *node = &sim->nodes[number];
    uint64_t sum = fl_checksum(node->live.data, node->live.used, node->live.size, 0);
    for (size_t i = 0; i < node->live_entries.count; i++) {
        const struct sim_entry *entry = &node->live_entries.entries[i];
        sum += fl_checksum(entry->name, strlen(entry->name), fingerprint(sim, entry->node), 1);
    }
    return sum;
}

uint64_t sim_fs_fingerprint(const struct sim_fs *sim) {
    return fingerprint(sim, 0);
}
