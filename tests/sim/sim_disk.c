#include "sim_disk.h"

#include <stdlib.h>
#include <string.h>

void *sim_grown(void *array, size_t count, size_t *room, size_t element) {
    if (count < *room)
        return array;
    *room = *room * 2 + 8;
    void *grown = realloc(array, *room * element);
    if (grown == NULL)
        abort();
    return grown;
}

/* ----------------------------------------------------------------------------------- bytes -- */

static void reserve(struct sim_bytes *bytes, size_t used) {
    if (used > bytes->room) {
        bytes->room = used + used / 2 + 64;
        bytes->data = realloc(bytes->data, bytes->room);
        if (bytes->data == NULL)
            abort();
    }
    if (used > bytes->used) {
        memset(bytes->data + bytes->used, 0, used - bytes->used);
        bytes->used = used;
    }
}

void sim_bytes_copy(const struct sim_bytes *from, struct sim_bytes *into) {
    *into = (struct sim_bytes){.size = from->size};
    reserve(into, from->used);
    if (from->used > 0)
        memcpy(into->data, from->data, from->used);
}

void sim_bytes_resize(struct sim_bytes *bytes, uint64_t size) {
    bytes->size = size;
    if (bytes->used > size)
        bytes->used = (size_t)size;
}

void sim_bytes_write(struct sim_bytes *bytes, uint64_t offset, const uint8_t *data, size_t used,
                     uint64_t size) {
    if (used > 0) {
        reserve(bytes, (size_t)offset + used);
        memcpy(bytes->data + offset, data, used);
    }
    if (offset + used < bytes->used) {
        uint64_t end = offset + size < bytes->used ? offset + size : bytes->used;
        memset(bytes->data + offset + used, 0, (size_t)(end - offset - used));
    }
    if (offset + size > bytes->size)
        bytes->size = offset + size;
}

void sim_bytes_read(const struct sim_bytes *bytes, uint64_t offset, uint8_t *into, size_t size) {
    size_t there = 0;
    if (offset < bytes->used)
        there = size < bytes->used - offset ? size : (size_t)(bytes->used - offset);
    if (there > 0)
        memcpy(into, bytes->data + offset, there);
    memset(into + there, 0, size - there);
}

void sim_bytes_apply(struct sim_bytes *bytes, const struct sim_change *change) {
    if (change->truncates)
        sim_bytes_resize(bytes, change->offset);
    else
        sim_bytes_write(bytes, change->offset, change->data, change->used, change->size);
}

/* --------------------------------------------------------------------------------- changes -- */

void sim_node_record(struct sim_node *node, const struct sim_change *change) {
    node->changes =
        sim_grown(node->changes, node->change_count, &node->change_room, sizeof *node->changes);
    struct sim_change *kept = &node->changes[node->change_count++];
    *kept = *change;
    kept->data = malloc(change->used + 1);
    if (kept->data == NULL)
        abort();
    if (change->used > 0)
        memcpy(kept->data, change->data, change->used);
}

void sim_node_forget(struct sim_node *node) {
    for (size_t i = 0; i < node->change_count; i++)
        free(node->changes[i].data);
    node->change_count = 0;
}

void sim_node_release(struct sim_node *node) {
    sim_node_forget(node);
    free(node->changes);
    free(node->live.data);
    free(node->disk.data);
    free(node->live_entries.entries);
    free(node->disk_entries.entries);
    *node = (struct sim_node){0};
}

/* ----------------------------------------------------------------------------------- names -- */

struct sim_entry *sim_directory_find(const struct sim_directory *directory, const char *name) {
    for (size_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->entries[i].name, name) == 0)
            return &directory->entries[i];
    }
    return NULL;
}

void sim_directory_set(struct sim_directory *directory, const char *name, size_t node) {
    struct sim_entry *entry = sim_directory_find(directory, name);
    if (entry == NULL) {
        directory->entries = sim_grown(directory->entries, directory->count, &directory->room,
                                       sizeof *directory->entries);
        entry = &directory->entries[directory->count++];
        snprintf(entry->name, sizeof entry->name, "%s", name);
    }
    entry->node = node;
}

void sim_directory_remove(struct sim_directory *directory, const char *name) {
    struct sim_entry *entry = sim_directory_find(directory, name);
    if (entry != NULL)
        *entry = directory->entries[--directory->count];
}

void sim_fs_apply_naming(struct sim_fs *sim, const struct sim_naming *naming) {
    if (naming->name[0] != '\0')
        sim_directory_remove(&sim->nodes[naming->directory].disk_entries, naming->name);
    if (naming->to_name[0] != '\0')
        sim_directory_set(&sim->nodes[naming->to_directory].disk_entries, naming->to_name,
                          naming->node);
}

size_t sim_fs_add_node(struct sim_fs *sim, bool is_directory) {
    sim->nodes = sim_grown(sim->nodes, sim->node_count, &sim->node_room, sizeof *sim->nodes);
    sim->nodes[sim->node_count] = (struct sim_node){.is_directory = is_directory};
    return sim->node_count++;
}
