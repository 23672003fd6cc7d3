/* The words of the engine's vocabularies, as stored and as sent. */
#include <string.h>

#include "engine/internal.h"

static const char *const targets[] = {
    [LP_TARGET_CREATE] = "CREATE",       [LP_TARGET_MODIFY] = "MODIFY",
    [LP_TARGET_TERMINATE] = "TERMINATE", [LP_TARGET_SYSTEM] = "SYSTEM",
    [LP_TARGET_VALIDATE] = "VALIDATE",   [LP_TARGET_RECONCILE] = "RECONCILE",
};
static_assert(LP_COUNT(targets) == LP_TARGET_COUNT, "a name for every target");

static const char *const roles[] = {
    [LP_ROLE_NONE] = "none",
    [LP_ROLE_READ] = "read",
    [LP_ROLE_OPERATE] = "operate",
    [LP_ROLE_ADMIN] = "admin",
};

static const char *const kinds[] = {
    [LP_STEP_ACTION] = "action", [LP_STEP_INPUT] = "input", [LP_STEP_CALLBACK] = "callback",
    [LP_STEP_WAIT] = "wait",     [LP_STEP_GROUP] = "group", [LP_STEP_FANOUT] = "fanout",
    [LP_STEP_EACH] = "each",
};
static_assert(LP_COUNT(kinds) == LP_STEP_KIND_COUNT, "a name for every kind of step");

static const char *const effects[] = {
    [LP_EFFECT_NONE] = "none",
    [LP_EFFECT_DB] = "db",
    [LP_EFFECT_DB_RW] = "db_rw",
    [LP_EFFECT_EXTERNAL] = "external",
};

/* Index of a word in a table, or count when there is none. */
static size_t
find_word(const char *const *words, size_t count, const char *name)
{
    size_t i;

    for (i = 0; i < count && (name == NULL || strcmp(words[i], name) != 0); i++)
        ;
    return i;
}

const char *
lp_target_name(enum lp_target target)
{
    return targets[target];
}

bool
lp_target_from_name(const char *name, enum lp_target *out)
{
    size_t i = find_word(targets, LP_COUNT(targets), name);

    if (i == LP_COUNT(targets))
        return false;
    *out = (enum lp_target)i;
    return true;
}

const char *
lp_role_name(enum lp_role role)
{
    return roles[role];
}

bool
lp_role_from_name(const char *name, enum lp_role *out)
{
    size_t i = find_word(roles, LP_COUNT(roles), name);

    if (i == LP_COUNT(roles))
        return false;
    *out = (enum lp_role)i;
    return true;
}

const char *
lp_step_kind_name(enum lp_step_kind kind)
{
    return kinds[kind];
}

const char *
lp_effect_name(enum lp_effect effect)
{
    return effects[effect];
}
