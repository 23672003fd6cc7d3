#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK = 4096, LARGEST_STEP = 256 * 1024, ALIGN = alignof(max_align_t) };

struct chunk {
    struct chunk *below; /* older chunk, NULL at the bottom */
    size_t base;         /* bytes of all older chunks: position of data[0] in marks */
    size_t size, used;
    alignas(ALIGN) unsigned char data[];
};

struct lp_arena {
    struct chunk *top; /* never NULL */
};

static struct chunk *
chunk_new(struct chunk *below, size_t size)
{
    struct chunk *chunk;

    if (size > SIZE_MAX - sizeof *chunk || (chunk = malloc(sizeof *chunk + size)) == NULL)
        return NULL;
    chunk->below = below;
    chunk->base = below == NULL ? 0 : below->base + below->size;
    chunk->size = size;
    chunk->used = 0;
    return chunk;
}

struct lp_arena *
lp_arena_new(void)
{
    struct lp_arena *arena = malloc(sizeof *arena);

    if (arena == NULL)
        return NULL;
    arena->top = chunk_new(NULL, FIRST_CHUNK);
    if (arena->top == NULL) {
        free(arena);
        return NULL;
    }
    return arena;
}

static void
pop(struct lp_arena *arena)
{
    struct chunk *below = arena->top->below;

    free(arena->top);
    arena->top = below;
}

void
lp_arena_free(struct lp_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->top != NULL)
        pop(arena);
    free(arena);
}

/* Chunks double, so that an arena of n bytes costs log n allocations. */
static bool
grow(struct lp_arena *arena, size_t need)
{
    size_t size = arena->top->size * 2;
    struct chunk *chunk;

    if (size > LARGEST_STEP)
        size = LARGEST_STEP;
    chunk = chunk_new(arena->top, size > need ? size : need);
    if (chunk == NULL)
        return false;
    arena->top = chunk;
    return true;
}

void *
lp_arena_alloc(struct lp_arena *arena, size_t size)
{
    size_t need;
    void *p;

    if (size > SIZE_MAX / 2)
        return NULL;
    need = size == 0 ? ALIGN : (size + ALIGN - 1) / ALIGN * ALIGN;
    if (need > arena->top->size - arena->top->used && !grow(arena, need))
        return NULL;
    p = arena->top->data + arena->top->used;
    arena->top->used += need;
    return memset(p, 0, need);
}

void *
lp_arena_array(struct lp_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return lp_arena_alloc(arena, count * size);
}

char *
lp_arena_strndup(struct lp_arena *arena, const char *text, size_t len)
{
    size_t n = strnlen(text, len);
    char *copy = lp_arena_alloc(arena, n + 1);

    return copy == NULL ? NULL : memcpy(copy, text, n); /* the memory came zeroed */
}

char *
lp_arena_strdup(struct lp_arena *arena, const char *text)
{
    return lp_arena_strndup(arena, text, SIZE_MAX);
}

char *
lp_arena_printf(struct lp_arena *arena, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || (text = lp_arena_alloc(arena, (size_t)len + 1)) == NULL)
        return NULL;
    va_start(args, fmt);
    len = vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return len < 0 ? NULL : text;
}

size_t
lp_arena_mark(const struct lp_arena *arena)
{
    return arena->top->base + arena->top->used;
}

void
lp_arena_rewind(struct lp_arena *arena, size_t mark)
{
    while (arena->top->below != NULL && arena->top->base >= mark)
        pop(arena);
    arena->top->used = mark - arena->top->base;
}
