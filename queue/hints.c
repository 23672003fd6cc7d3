#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "queue/internal.h"

/* ---- hints ---- */

bool
lp_hint_id_ok(const char *text, size_t len)
{
    if (len != LP_UUID_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

enum lp_code
lp_hint_make(struct lp_hint *hint, const char *id, int priority, const char *label,
             struct lp_err *err)
{
    size_t len = label == NULL ? 0 : strlen(label);

    if (!lp_hint_id_ok(id, strlen(id)))
        return lp_fail(err, LP_INVALID, "'%.40s' is not a process id", id);
    if (len >= sizeof hint->label)
        return lp_fail(err, LP_INVALID, "the executor label '%.70s' is too long", label);
    *hint = (struct lp_hint){.task = priority > 0};
    memcpy(hint->id, id, LP_UUID_LEN + 1);
    if (len > 0)
        memcpy(hint->label, label, len + 1);
    return LP_OK;
}

/* ---- outbox ---- */

enum lp_code
lp_outbox_open(struct lp_outbox *outbox, size_t bound, struct lp_err *err)
{
    *outbox = (struct lp_outbox){.bound = bound > 0 ? bound : 1};
    outbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (outbox->wake_fd < 0)
        return lp_fail(err, LP_INTERNAL, "cannot make an eventfd: %s", strerror(errno));
    pthread_mutex_init(&outbox->lock, NULL);
    return LP_OK;
}

void
lp_outbox_close(struct lp_outbox *outbox)
{
    if (outbox->bound == 0 || outbox->wake_fd < 0)
        return;
    close(outbox->wake_fd);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->items);
    *outbox = (struct lp_outbox){.wake_fd = -1};
}

static bool
grow(struct lp_outbox *outbox)
{
    size_t cap = outbox->cap == 0 ? 64 : outbox->cap * 2;
    struct lp_hint *items;

    if (outbox->count < outbox->cap)
        return true;
    if (outbox->count >= outbox->bound)
        return false;
    items = reallocarray(outbox->items, cap, sizeof *items);
    if (items == NULL)
        return false;
    outbox->items = items;
    outbox->cap = cap;
    return true;
}

bool
lp_outbox_add(struct lp_outbox *outbox, const struct lp_hint *hint)
{
    bool added, first;

    pthread_mutex_lock(&outbox->lock);
    first = outbox->count == 0;
    added = grow(outbox);
    if (added)
        outbox->items[outbox->count++] = *hint;
    pthread_mutex_unlock(&outbox->lock);
    if (added && first)
        lp_outbox_wake(outbox);
    return added;
}

size_t
lp_outbox_take(struct lp_outbox *outbox, struct lp_hint **items)
{
    size_t count;

    pthread_mutex_lock(&outbox->lock);
    count = outbox->count;
    *items = count > 0 ? outbox->items : NULL;
    if (count > 0) {
        outbox->items = NULL;
        outbox->count = outbox->cap = 0;
    }
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

void
lp_outbox_wake(struct lp_outbox *outbox)
{
    uint64_t one = 1;

    while (write(outbox->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void
lp_outbox_calm(struct lp_outbox *outbox)
{
    uint64_t count;

    while (read(outbox->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* ---- small things ---- */

int
lp_backoff_next(int *backoff_ms)
{
    uint32_t dice;
    int now;

    lp_random(&dice, sizeof dice);
    if (*backoff_ms <= 0)
        *backoff_ms = LP_BACKOFF_FIRST_MS;
    now = *backoff_ms / 2 + (int)(dice % (uint32_t)(*backoff_ms / 2 + 1));
    *backoff_ms = *backoff_ms * 2 > LP_BACKOFF_MOST_MS ? LP_BACKOFF_MOST_MS : *backoff_ms * 2;
    return now;
}

void
lp_counts_read(const struct lp_counts *counts, struct lp_queue_stats *out)
{
    *out = (struct lp_queue_stats){.connected = atomic_load(&counts->connected),
                                   .pushed = atomic_load(&counts->pushed),
                                   .popped = atomic_load(&counts->popped),
                                   .lost = atomic_load(&counts->lost),
                                   .garbage = atomic_load(&counts->garbage),
                                   .reconnects = atomic_load(&counts->reconnects)};
}

void
lp_words(const char *list, void (*fn)(void *arg, const char *word), void *arg)
{
    char word[LP_LABEL_MAX];

    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ","), from = strspn(list, " \t");
        size_t end = len;

        while (end > from && (list[end - 1] == ' ' || list[end - 1] == '\t'))
            end--;
        if (end > from && end - from < sizeof word) {
            memcpy(word, list + from, end - from);
            word[end - from] = '\0';
            fn(arg, word);
        }
        list += len + (list[len] == ',');
    }
}
