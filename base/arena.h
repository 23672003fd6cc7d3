/**
 * Arena: scratch memory of one request or one step, freed as a whole. Threads: one owner at a time.
 */
#ifndef LP_BASE_ARENA_H
#define LP_BASE_ARENA_H

#include "base/err.h"

struct lp_arena;

struct lp_arena *lp_arena_new(void);
void lp_arena_free(struct lp_arena *arena);
/** Zeroed, aligned for any type; NULL when memory ran out. Dies with the arena or at
 * lp_arena_rewind. */
void *lp_arena_alloc(struct lp_arena *arena, size_t size);
/** count * size checked for overflow. */
void *lp_arena_array(struct lp_arena *arena, size_t count, size_t size);
char *lp_arena_strdup(struct lp_arena *arena, const char *text);
char *lp_arena_strndup(struct lp_arena *arena, const char *text, size_t len);
char *lp_arena_printf(struct lp_arena *arena, const char *fmt, ...) LP_PRINTF(2, 3);
/** A mark to go back to. */
size_t lp_arena_mark(const struct lp_arena *arena);
void lp_arena_rewind(struct lp_arena *arena, size_t mark);

#endif
