#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "store/internal.h"

/* A unit and everything it holds lives in a few chunks: no allocation per argument, one free per
 * chunk. */
struct lp_chunk {
    struct lp_chunk *next;
    size_t used, cap;
    _Alignas(max_align_t) char data[];
};

enum { FIRST_CHUNK = 8000, NEXT_CHUNK = 16000, FIRST_ITEMS = 8 };

static struct lp_chunk *
chunk_new(size_t cap)
{
    struct lp_chunk *chunk = malloc(sizeof *chunk + cap);

    if (chunk == NULL)
        lp_store_bug("no memory for a unit of %zu bytes", cap);
    chunk->next = NULL;
    chunk->used = 0;
    chunk->cap = cap;
    return chunk;
}

static void *
take(struct lp_chunk **chunks, size_t size, size_t align)
{
    struct lp_chunk *chunk = *chunks;
    size_t at = (chunk->used + align - 1) & ~(align - 1);

    if (at + size > chunk->cap) {
        chunk = chunk_new(size > NEXT_CHUNK ? size : NEXT_CHUNK);
        chunk->next = *chunks;
        *chunks = chunk;
        at = 0;
    }
    chunk->used = at + size;
    return chunk->data + at;
}

static const char *
copy_text(struct lp_unit *unit, const char *text, size_t len)
{
    char *copy = take(&unit->chunks, len + 1, 1);

    memcpy(copy, text, len + 1);
    return copy;
}

struct lp_unit *
lp_unit_new(void)
{
    struct lp_chunk *chunk = chunk_new(FIRST_CHUNK);
    struct lp_unit *unit = take(&chunk, sizeof *unit, _Alignof(struct lp_unit));

    *unit = (struct lp_unit){.key = "", .chunks = chunk, .cap = FIRST_ITEMS};
    unit->items = take(&unit->chunks, FIRST_ITEMS * sizeof *unit->items, _Alignof(struct lp_item));
    return unit;
}

void
lp_unit_reset(struct lp_unit *unit)
{
    for (size_t i = 0; i < unit->count; i++) {
        lp_rows_free(unit->items[i].rows);
        unit->items[i].rows = NULL;
        unit->items[i].changed = 0;
    }
}

void
lp_unit_free(struct lp_unit *unit)
{
    struct lp_chunk *chunk;

    if (unit == NULL)
        return;
    lp_unit_reset(unit);
    chunk = unit->chunks;
    while (chunk != NULL) {
        struct lp_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

static struct lp_item *
item_new(struct lp_unit *unit, size_t more)
{
    if (unit->count + more > unit->cap) {
        size_t cap = unit->cap * 2 > unit->count + more ? unit->cap * 2 : unit->count + more;
        struct lp_item *items = take(&unit->chunks, cap * sizeof *items, _Alignof(struct lp_item));

        memcpy(items, unit->items, unit->count * sizeof *items);
        unit->items = items;
        unit->cap = cap;
    }
    unit->count += more;
    return unit->items + unit->count - more;
}

size_t
lp_unit_add(struct lp_unit *unit, enum lp_stmt stmt, const struct lp_arg *args, size_t arg_count)
{
    struct lp_value *values = NULL;
    struct lp_err err = LP_ERR_INIT;

    if (arg_count > 0)
        values = take(&unit->chunks, arg_count * sizeof *values, _Alignof(struct lp_value));
    if (lp_bind(&lp_sql_table[stmt], args, arg_count, values, &err) != LP_OK) {
        /* Reported when the unit is submitted: adding never fails half-way. */
        if (unit->fault == LP_OK) {
            unit->fault = err.code;
            unit->fault_text = copy_text(unit, err.msg, strlen(err.msg));
        }
        memset(values, 0, arg_count * sizeof *values);
        lp_err_clear(&err);
    }
    for (size_t i = 0; i < arg_count; i++)
        if (values[i].kind == LP_VALUE_TEXT)
            values[i].s = copy_text(unit, values[i].s, (size_t)values[i].len);
    *item_new(unit, 1) = (struct lp_item){.stmt = stmt, .values = values};
    return unit->count - 1;
}

static struct lp_item *
item_of(const struct lp_unit *unit, size_t index)
{
    if (index >= unit->count)
        lp_store_bug("statement %zu of a unit with %zu", index, unit->count);
    return unit->items + index;
}

void
lp_unit_want_rows(struct lp_unit *unit, size_t index)
{
    struct lp_item *item = item_of(unit, index);

    if (!lp_sql_table[item->stmt].rows)
        lp_store_bug("statement %s returns no rows", lp_sql_table[item->stmt].name);
    item->want_rows = true;
}

const struct lp_rows *
lp_unit_rows(const struct lp_unit *unit, size_t index)
{
    return item_of(unit, index)->rows;
}

struct lp_rows *
lp_unit_rows_take(struct lp_unit *unit, size_t index)
{
    struct lp_item *item = item_of(unit, index);
    struct lp_rows *rows = item->rows;

    item->rows = NULL;
    return rows;
}

int64_t
lp_unit_changed(const struct lp_unit *unit, size_t index)
{
    return item_of(unit, index)->changed;
}

/* FNV-1a; 0 is kept for "no key". */
static uint64_t
hash_key(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return hash | 1;
}

void
lp_unit_key(struct lp_unit *unit, const char *key)
{
    if (key == NULL || *key == '\0') {
        unit->key = "";
        unit->key_hash = 0;
        return;
    }
    unit->key = copy_text(unit, key, strlen(key));
    unit->key_hash = hash_key(key);
}

const char *
lp_unit_key_get(const struct lp_unit *unit)
{
    return unit->key;
}

void
lp_unit_alone(struct lp_unit *unit)
{
    unit->alone = true;
}

bool
lp_unit_shared(const struct lp_unit *unit)
{
    return unit->shared;
}

size_t
lp_unit_size(const struct lp_unit *unit)
{
    return unit->count;
}

size_t
lp_unit_append(struct lp_unit *dst, struct lp_unit *src)
{
    size_t offset = dst->count;
    struct lp_chunk *last = src->chunks;

    if (src->count > 0)
        memcpy(item_new(dst, src->count), src->items, src->count * sizeof *src->items);
    dst->alone = dst->alone || src->alone;
    if (dst->fault == LP_OK) {
        dst->fault = src->fault;
        dst->fault_text = src->fault_text;
    }
    /* src and its texts live in its chunks, which dst now owns. They go behind dst's first chunk,
     * which stays the one filled. */
    while (last->next != NULL)
        last = last->next;
    last->next = dst->chunks->next;
    dst->chunks->next = src->chunks;
    return offset;
}
