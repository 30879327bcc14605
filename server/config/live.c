#include "config/live.h"

#include <pthread.h>
#include <stdlib.h>

struct fl_live_config {
    const struct fl_config *started_with;
    pthread_mutex_t lock; /* of all below */
    struct fl_config renewed;
    bool is_renewed;
};

static const char *const reloaded[] = {"api_keys", "read_api_keys", "log_level"};

static bool is_reloaded(const char *name) {
    for (size_t i = 0; i < sizeof reloaded / sizeof reloaded[0]; i++)
        if (strcmp(reloaded[i], name) == 0)
            return true;
    return false;
}

struct fl_live_config *fl_live_config_create(const struct fl_config *started_with) {
    struct fl_live_config *live = calloc(1, sizeof *live);
    if (live == NULL)
        return NULL;
    live->started_with = started_with;
    if (pthread_mutex_init(&live->lock, NULL) == 0)
        return live;
    free(live);
    return NULL;
}

static void drop_renewed(struct fl_live_config *live) {
    if (live->is_renewed)
        fl_config_deinit(&live->renewed);
}

void fl_live_config_destroy(struct fl_live_config *live) {
    if (live == NULL)
        return;
    drop_renewed(live);
    pthread_mutex_destroy(&live->lock);
    free(live);
}

void fl_live_config_renew(struct fl_live_config *live, struct fl_config *config) {
    pthread_mutex_lock(&live->lock);
    drop_renewed(live);
    live->renewed = *config;
    live->is_renewed = true;
    pthread_mutex_unlock(&live->lock);
    *config = (struct fl_config){0};
}

void fl_live_config_visit(struct fl_live_config *live,
                          void (*visit)(void *context, const struct fl_live_setting *setting),
                          void *context) {
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < fl_config_count(); i++) {
        struct fl_live_setting setting = {.name = fl_config_name(i),
                                          .secret = fl_config_is_secret(i),
                                          .reloaded = is_reloaded(fl_config_name(i))};
        const struct fl_config *from =
            setting.reloaded && live->is_renewed ? &live->renewed : live->started_with;
        setting.origin = fl_config_origin(from, i);
        setting.value = fl_config_get(from, i);
        visit(context, &setting);
    }
    pthread_mutex_unlock(&live->lock);
}

bool fl_live_config_reveals(struct fl_live_config *live, const char *text) {
    pthread_mutex_lock(&live->lock);
    bool reveals = fl_config_reveals(live->started_with, text) ||
                   (live->is_renewed && fl_config_reveals(&live->renewed, text));
    pthread_mutex_unlock(&live->lock);
    return reveals;
}
