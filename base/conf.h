/**
 * Configuration: one table (base/conf.def), one struct, YAML file through libcyaml, environment on
 * top. Every problem of a file is reported, not only the first; each names key, value and what is
 * allowed. Ownership: strings belong to the struct. Threads: read-only after lp_conf_load; a reload
 * makes a new struct.
 */
#ifndef LP_BASE_CONF_H
#define LP_BASE_CONF_H

#include <stdint.h>

#include "base/err.h"

struct lp_conf {
#define LP_CONF_STR(section, key, value, reload, text)                 char *section##_##key;
#define LP_CONF_INT(section, key, value, min, max, unit, reload, text) int64_t section##_##key;
#define LP_CONF_BOOL(section, key, value, reload, text)                bool section##_##key;
#include "base/conf.def"
#undef LP_CONF_STR
#undef LP_CONF_INT
#undef LP_CONF_BOOL
    char *path; /* file read, or NULL */
};

/** Values of reloadable keys change while threads read them (one at a time, in place; an old text
 * stays alive): read them through these. lp_conf_live_int(&conf->api_max_body),
 * lp_conf_live_text(&conf->api_hosts). */
static inline int64_t
lp_conf_live_int(const int64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static inline bool
lp_conf_live_bool(const bool *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static inline const char *
lp_conf_live_text(char *const *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

enum lp_conf_type { LP_CONF_TYPE_STR, LP_CONF_TYPE_INT, LP_CONF_TYPE_BOOL };

struct lp_conf_key {
    const char *section, *key;
    enum lp_conf_type type;
    const char *default_text;
    int64_t min, max; /* integers */
    const char *unit;
    bool reloadable;
    const char *text;
    size_t offset; /* in struct lp_conf */
};

/** The table, for manual page, sample file and settings overview. */
const struct lp_conf_key *lp_conf_keys(size_t *count);

/**
 * Defaults, then the file (NULL: none; a given file must be readable), then environment variables,
 * then `overrides`
 * ("section.key=value" strings, may be NULL). LP_INVALID lists every problem in err->detail
 * {"problems": [text...]} and the first in msg.
 */
enum lp_code lp_conf_load(const char *path, const char *const *overrides, size_t override_count,
                          struct lp_conf **out, struct lp_err *err) LP_MUST_CHECK;
void lp_conf_free(struct lp_conf *conf);
/** A commented sample file holding every key with its default. malloc'ed. */
char *lp_conf_sample(void);

#endif
