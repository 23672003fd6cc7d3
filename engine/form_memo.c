/* Accepted page prefixes, so that page n of a form costs one page and not n (W34). Only what is
 * *shown* comes from here: a start or resume that would be accepted is always replayed in full on a
 * fresh snapshot. An entry is taken out while it is used, because the JSON values of a page must
 * not be touched by two threads; a second request for the same prefix then simply misses. */
#include <stdlib.h>
#include <string.h>

#include "engine/form.h"

#define ENTRIES 64
#define TTL_US  15000000

struct slot {
    char key[65];
    struct lp_form_prefix prefix;
    int64_t made_us, used_us;
    bool full;
};

struct lp_form_memo {
    pthread_mutex_t lock; /* guards slots */
    struct slot slots[ENTRIES];
};

enum lp_code
lp_form_memo_new(struct lp_form_memo **out, struct lp_err *err)
{
    struct lp_form_memo *memo = calloc(1, sizeof *memo);

    if (memo == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the form memo");
    pthread_mutex_init(&memo->lock, NULL);
    *out = memo;
    return LP_OK;
}

void
lp_form_prefix_clear(struct lp_form_prefix *prefix)
{
    json_decref(prefix->answers);
    lp_form_page_free(prefix->page);
    *prefix = (struct lp_form_prefix){.page = NULL};
}

void
lp_form_memo_free(struct lp_form_memo *memo)
{
    if (memo == NULL)
        return;
    for (size_t i = 0; i < ENTRIES; i++)
        lp_form_prefix_clear(&memo->slots[i].prefix);
    pthread_mutex_destroy(&memo->lock);
    free(memo);
}

bool
lp_form_memo_take(struct lp_form_memo *memo, const char *key, int64_t now_us,
                  struct lp_form_prefix *out)
{
    struct lp_form_prefix old = {.page = NULL};
    bool found = false;

    pthread_mutex_lock(&memo->lock);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct slot *slot = &memo->slots[i];

        if (!slot->full || strcmp(slot->key, key) != 0)
            continue;
        found = now_us - slot->made_us <= TTL_US && now_us >= slot->made_us;
        *(found ? out : &old) = slot->prefix;
        if (found)
            out->made_us = slot->made_us;
        slot->prefix = (struct lp_form_prefix){.page = NULL};
        slot->full = false;
        break;
    }
    pthread_mutex_unlock(&memo->lock);
    lp_form_prefix_clear(&old);
    return found;
}

/* The slot with this key, else a free one, else the one used longest ago. */
static struct slot *
slot_for(struct lp_form_memo *memo, const char *key)
{
    struct slot *best = &memo->slots[0];

    for (size_t i = 0; i < ENTRIES; i++) {
        struct slot *slot = &memo->slots[i];

        if (slot->full && strcmp(slot->key, key) == 0)
            return slot;
        if (best->full && (!slot->full || slot->used_us < best->used_us))
            best = slot;
    }
    return best;
}

void
lp_form_memo_put(struct lp_form_memo *memo, const char *key, int64_t now_us,
                 struct lp_form_prefix *prefix)
{
    struct lp_form_prefix old;
    struct slot *slot;

    pthread_mutex_lock(&memo->lock);
    slot = slot_for(memo, key);
    old = slot->prefix;
    slot->prefix = *prefix;
    slot->made_us = prefix->made_us != 0 ? prefix->made_us : now_us; /* use does not renew it */
    slot->used_us = now_us;
    slot->full = true;
    memcpy(slot->key, key, sizeof slot->key);
    pthread_mutex_unlock(&memo->lock);
    *prefix = (struct lp_form_prefix){.page = NULL};
    lp_form_prefix_clear(&old);
}
