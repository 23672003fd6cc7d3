/* Reload. All rooms hold one struct lp_conf and read it whenever they need a value. Numbers and
   switches that may change while running are stored into it in place (aligned words: a reader sees
   the old or the new value); of texts the pointer is exchanged and the old text kept until the
   program ends, because a reader may still hold it. A reload is a rare act of an operator: what is
   kept is small. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"

static bool
same(const struct lp_conf_key *key, const void *a, const void *b)
{
    switch (key->type) {
    case LP_CONF_TYPE_INT:
        return *(const int64_t *)a == *(const int64_t *)b;
    case LP_CONF_TYPE_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case LP_CONF_TYPE_STR:
        break;
    }
    a = *(const char *const *)a;
    b = *(const char *const *)b;
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static enum lp_code
take(struct lp_daemon *daemon, const struct lp_conf_key *key, void *to, void *from,
     struct lp_err *err)
{
    char **grown;

    switch (key->type) {
    case LP_CONF_TYPE_INT:
        __atomic_store_n((int64_t *)to, *(const int64_t *)from, __ATOMIC_RELAXED);
        return LP_OK;
    case LP_CONF_TYPE_BOOL:
        __atomic_store_n((bool *)to, *(const bool *)from, __ATOMIC_RELAXED);
        return LP_OK;
    case LP_CONF_TYPE_STR:
        break;
    }
    grown = reallocarray(daemon->retired, daemon->retired_count + 1, sizeof *grown);
    if (grown == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the reload");
    daemon->retired = grown;
    daemon->retired[daemon->retired_count++] = *(char **)to;
    __atomic_store_n((char **)to, *(char **)from, __ATOMIC_RELEASE);
    *(char **)from = NULL;
    return LP_OK;
}

static enum lp_code
take_all(struct lp_daemon *daemon, struct lp_conf *fresh, struct lp_err *err)
{
    size_t count;
    const struct lp_conf_key *keys = lp_conf_keys(&count);

    for (size_t i = 0; i < count; i++) {
        char *to = (char *)daemon->conf + keys[i].offset;
        char *from = (char *)fresh + keys[i].offset;
        char name[96];
        enum lp_code rc = LP_OK;

        if (same(&keys[i], to, from))
            continue;
        snprintf(name, sizeof name, "%s.%s", keys[i].section, keys[i].key);
        if (keys[i].reloadable)
            rc = take(daemon, &keys[i], to, from, err);
        if (rc != LP_OK)
            return rc;
        lp_logf(daemon->log, LP_LOG_INFO,
                keys[i].reloadable ? "config.changed" : "config.needs_restart", "s:s", "setting",
                name);
    }
    return LP_OK;
}

enum lp_code
lp_daemon_reload(struct lp_daemon *daemon, struct lp_err *err)
{
    struct lp_conf *fresh = NULL;
    bool ok = true;
    enum lp_level level;
    enum lp_code rc = lp_conf_load(daemon->line->config, daemon->line->overrides,
                                   daemon->line->override_count, &fresh, err);

    if (rc != LP_OK)
        return rc; /* the old configuration stays, whole */
    rc = take_all(daemon, fresh, err);
    lp_conf_free(fresh);
    level = lp_level_from_name(daemon->conf->log_level, &ok);
    if (ok)
        lp_log_set_level(daemon->log, level);
    return rc;
}
