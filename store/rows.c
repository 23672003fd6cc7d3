#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "store/internal.h"

struct lp_rows *
lp_rows_new(size_t columns)
{
    struct lp_rows *rows = calloc(1, sizeof *rows);

    if (rows == NULL)
        return NULL;
    rows->columns = columns;
    rows->names = calloc(columns + 1, sizeof *rows->names);
    if (rows->names == NULL) {
        free(rows);
        return NULL;
    }
    return rows;
}

struct lp_cell *
lp_rows_add(struct lp_rows *rows)
{
    struct lp_cell *row;

    if (rows->count == rows->cap) {
        size_t cap = rows->cap == 0 ? 4 : rows->cap * 2;
        struct lp_cell *cells =
            reallocarray(rows->cells, cap, (rows->columns + 1) * sizeof *rows->cells);

        if (cells == NULL)
            return NULL;
        rows->cells = cells;
        rows->cap = cap;
    }
    row = rows->cells + rows->count * rows->columns;
    memset(row, 0, rows->columns * sizeof *row);
    rows->count++;
    return row;
}

void
lp_rows_free(struct lp_rows *rows)
{
    if (rows == NULL)
        return;
    if (rows->drop != NULL)
        rows->drop(rows->owner);
    lp_arena_free(rows->arena);
    free(rows->cells);
    free(rows->names);
    free(rows);
}

size_t
lp_rows_count(const struct lp_rows *rows)
{
    return rows == NULL ? 0 : rows->count;
}

static const struct lp_cell *
cell_of(const struct lp_rows *rows, size_t row, const char *column)
{
    if (row >= rows->count)
        lp_store_bug("row %zu of a result with %zu rows", row, rows->count);
    for (size_t i = 0; i < rows->columns; i++)
        if (strcmp(rows->names[i], column) == 0)
            return rows->cells + row * rows->columns + i;
    lp_store_bug("no column '%s' in this result", column);
}

bool
lp_rows_null(const struct lp_rows *rows, size_t row, const char *column)
{
    return cell_of(rows, row, column)->text == NULL;
}

const char *
lp_rows_text(const struct lp_rows *rows, size_t row, const char *column)
{
    return cell_of(rows, row, column)->text;
}

int64_t
lp_rows_int(const struct lp_rows *rows, size_t row, const char *column)
{
    return cell_of(rows, row, column)->i;
}

void
lp_rows_cut(struct lp_rows *rows, size_t count)
{
    if (count < rows->count)
        rows->count = count;
}
