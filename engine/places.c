/* A definition as a flat list of leaf steps: a position is an index, a stored key finds it again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec.h"

static size_t
leaves(const struct lp_step *const *steps, size_t count, size_t *groups)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (steps[i]->kind == LP_STEP_GROUP) {
            ++*groups;
            n += leaves(steps[i]->steps, steps[i]->step_count, groups);
        } else {
            n++;
        }
    return n;
}

static char *
join(const char *prefix, const char *key)
{
    char *text = NULL;

    if (prefix == NULL)
        return strdup(key);
    return asprintf(&text, "%s/%s", prefix, key) < 0 ? NULL : text;
}

static bool add(struct lp_places *out, const struct lp_step *const *steps, size_t count,
                const struct lp_group_at *outer);

static bool
add_group(struct lp_places *out, const struct lp_step *step, const struct lp_group_at *outer)
{
    struct lp_group_at *group = calloc(1, sizeof *group);

    if (group == NULL)
        return false;
    out->groups[out->group_count++] = group;
    group->step = step;
    group->outer = outer;
    group->key = join(outer == NULL ? NULL : outer->key, step->key);
    group->first = out->count;
    if (group->key == NULL || !add(out, step->steps, step->step_count, group))
        return false;
    group->end = out->count;
    return true;
}

static bool
add(struct lp_places *out, const struct lp_step *const *steps, size_t count,
    const struct lp_group_at *outer)
{
    for (size_t i = 0; i < count; i++) {
        struct lp_place *place;

        if (steps[i]->kind == LP_STEP_GROUP) {
            if (!add_group(out, steps[i], outer))
                return false;
            continue;
        }
        place = &out->rows[out->count++];
        place->step = steps[i];
        place->group = outer;
        place->key = join(outer == NULL ? NULL : outer->key, steps[i]->key);
        if (place->key == NULL)
            return false;
    }
    return true;
}

enum lp_code
lp_places_build(const struct lp_registered *reg, struct lp_places *out, struct lp_err *err)
{
    const struct lp_step *const *steps = (const struct lp_step *const *)reg->steps;
    size_t groups = 0, count = leaves(steps, reg->step_count, &groups);

    *out = (struct lp_places){.count = 0};
    out->rows = calloc(count + 1, sizeof *out->rows);
    out->times = calloc(count + 1, sizeof *out->times);
    out->groups = calloc(groups + 1, sizeof(struct lp_group_at *));
    if (out->rows != NULL && out->times != NULL && out->groups != NULL
        && add(out, steps, reg->step_count, NULL))
        return LP_OK;
    lp_places_free(out);
    return lp_fail(err, LP_NOMEM, "no memory for the steps of %s", reg->workflow->name);
}

void
lp_places_free(struct lp_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->rows[i].key);
    for (size_t i = 0; i < places->group_count; i++) {
        free(places->groups[i]->key);
        free(places->groups[i]);
    }
    free(places->rows);
    free(places->times);
    free((void *)places->groups);
    *places = (struct lp_places){.count = 0};
}

/** The number behind the last slash, or false. */
static bool
each_index(const char *key, size_t *prefix, size_t *n)
{
    const char *slash = strrchr(key, '/');
    char *end;
    unsigned long value;

    if (slash == NULL || slash[1] < '0' || slash[1] > '9')
        return false;
    value = strtoul(slash + 1, &end, 10);
    if (*end != '\0')
        return false;
    *prefix = (size_t)(slash - key);
    *n = value;
    return true;
}

size_t
lp_places_find(const struct lp_places *places, const char *key, size_t *each)
{
    size_t prefix = 0, n = 0;
    bool numbered = each_index(key, &prefix, &n);

    *each = 0;
    for (size_t i = 0; i < places->count; i++) {
        const struct lp_place *place = &places->rows[i];

        if (strcmp(place->key, key) == 0)
            return i;
        if (numbered && place->step->kind == LP_STEP_EACH && strlen(place->key) == prefix
            && memcmp(place->key, key, prefix) == 0) {
            *each = n;
            return i;
        }
    }
    return places->count;
}
