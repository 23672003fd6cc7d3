#include "products/csv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

/* Cells are unquoted in place into a copy of the text; lists of cells and rows grow beside it. */
struct parser {
    const char *in, *end;
    char *out; /* where the next cell's text goes */
    char delimiter;
    size_t row, column; /* of the cell being read, from 1 */
    const char **cells; /* all cells in order */
    size_t cell_count, cell_cap;
    struct lp_csv_row *rows;
    size_t row_count, row_cap;
};

struct memory {
    char *text;
    const char **cells;
};

static enum lp_code
fail_here(const struct parser *p, const char *reason, struct lp_err *err)
{
    char place[64];

    (void)snprintf(place, sizeof place, "row %zu, column %zu", p->row, p->column);
    return lp_fail_at(err, LP_INVALID, place, "%s: %s", place, reason);
}

static bool
at_line_end(const struct parser *p)
{
    return p->in == p->end || *p->in == '\n'
           || (*p->in == '\r' && p->in + 1 < p->end && p->in[1] == '\n');
}

static void
skip_line_end(struct parser *p)
{
    if (p->in < p->end && *p->in == '\r')
        p->in++;
    if (p->in < p->end)
        p->in++;
}

/* "...": doubled quotes are one; delimiters and line ends inside belong to the cell. */
static enum lp_code
read_quoted(struct parser *p, struct lp_err *err)
{
    for (p->in++; p->in < p->end; p->in++) {
        if (*p->in == '"' && (p->in + 1 == p->end || p->in[1] != '"')) {
            p->in++;
            if (!at_line_end(p) && *p->in != p->delimiter)
                return fail_here(p, "text follows a closing quote", err);
            return LP_OK;
        }
        if (*p->in == '"')
            p->in++;
        *p->out++ = *p->in;
    }
    return fail_here(p, "a quote is not closed", err);
}

static enum lp_code
read_plain(struct parser *p, struct lp_err *err)
{
    while (!at_line_end(p) && *p->in != p->delimiter) {
        if (*p->in == '"')
            return fail_here(p, "a quote stands inside an unquoted cell", err);
        if (*p->in == '\r')
            return fail_here(p, "a carriage return without a line feed", err);
        *p->out++ = *p->in++;
    }
    return LP_OK;
}

static enum lp_code
read_cell(struct parser *p, struct lp_err *err)
{
    const char **grown, *start = p->out;
    enum lp_code rc;

    if (p->column > LP_CSV_MAX_COLUMNS)
        return fail_here(p, "too many columns", err);
    rc = p->in < p->end && *p->in == '"' ? read_quoted(p, err) : read_plain(p, err);
    if (rc != LP_OK)
        return rc;
    if ((size_t)(p->out - start) > LP_CSV_MAX_CELL)
        return fail_here(p, "the cell is too long", err);
    *p->out++ = '\0';
    if (p->cell_count == p->cell_cap) {
        p->cell_cap = p->cell_cap == 0 ? 256 : p->cell_cap * 2;
        grown = reallocarray(p->cells, p->cell_cap, sizeof *grown);
        if (grown == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the CSV text");
        p->cells = grown;
    }
    p->cells[p->cell_count++] = start;
    return LP_OK;
}

static enum lp_code
push_row(struct parser *p, size_t cells, struct lp_err *err)
{
    struct lp_csv_row *grown;

    if (p->row_count > LP_CSV_MAX_ROWS)
        return fail_here(p, "too many rows", err);
    if (p->row_count == p->row_cap) {
        p->row_cap = p->row_cap == 0 ? 64 : p->row_cap * 2;
        grown = reallocarray(p->rows, p->row_cap, sizeof *grown);
        if (grown == NULL)
            return lp_fail(err, LP_NOMEM, "no memory for the CSV text");
        p->rows = grown;
    }
    p->rows[p->row_count++] = (struct lp_csv_row){.number = p->row, .count = cells};
    return LP_OK;
}

static enum lp_code
read_row(struct parser *p, struct lp_err *err)
{
    size_t first = p->cell_count;
    enum lp_code rc;

    p->column = 0;
    for (;;) {
        p->column++;
        rc = read_cell(p, err);
        if (rc != LP_OK)
            return rc;
        if (p->in == p->end || *p->in != p->delimiter)
            break;
        p->in++;
    }
    skip_line_end(p);
    return push_row(p, p->cell_count - first, err);
}

static enum lp_code
read_all(struct parser *p, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    for (p->row = 1; p->in < p->end && rc == LP_OK; p->row++) {
        if (at_line_end(p))
            skip_line_end(p);
        else
            rc = read_row(p, err);
    }
    if (rc == LP_OK && p->row_count == 0)
        return lp_fail(err, LP_INVALID, "the CSV text is empty");
    return rc;
}

/* The delimiter of the first line with text: ',' or ';', whichever comes first outside quotes. */
static char
find_delimiter(const char *in, const char *end)
{
    bool quoted = false;

    while (in < end && (*in == '\n' || *in == '\r'))
        in++;
    for (; in < end && (quoted || *in != '\n'); in++) {
        if (*in == '"')
            quoted = !quoted;
        else if (!quoted && (*in == ',' || *in == ';'))
            return *in;
    }
    return ',';
}

static enum lp_code
check_bytes(const char *text, size_t len, struct lp_err *err)
{
    size_t line = 1;

    if (len > LP_CSV_MAX_BYTES)
        return lp_fail(err, LP_TOO_LARGE, "the CSV text has %zu bytes; at most %u are read", len,
                       LP_CSV_MAX_BYTES);
    for (size_t i = 0, start = 0; i <= len; i++)
        if (i == len || text[i] == '\n') {
            if (!lp_utf8_valid(text + start, i - start))
                return lp_fail(err, LP_INVALID, "line %zu is not valid UTF-8 text", line);
            start = i + 1;
            line++;
        }
    return LP_OK;
}

static void
parser_free(struct parser *p, char *text)
{
    free(p->cells);
    free(p->rows);
    free(text);
}

enum lp_code
lp_csv_parse(const char *text, size_t len, struct lp_csv *out, struct lp_err *err)
{
    struct parser p = {.in = text, .end = text + len};
    struct memory *memory;
    char *copy;
    size_t next = 0;
    enum lp_code rc = check_bytes(text, len, err);

    if (rc != LP_OK)
        return rc;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        p.in += 3;
    /* a cell is never longer than what it was read from, and its NUL replaces a delimiter, a line
     * end or the end of the text */
    copy = malloc(len + 2);
    memory = malloc(sizeof *memory);
    p.out = copy;
    p.delimiter = find_delimiter(p.in, p.end);
    if (copy == NULL || memory == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for the CSV text");
    else
        rc = read_all(&p, err);
    if (rc != LP_OK) {
        free(memory);
        parser_free(&p, copy);
        return rc;
    }
    for (size_t i = 0; i < p.row_count; i++) {
        p.rows[i].cells = p.cells + next;
        next += p.rows[i].count;
    }
    *memory = (struct memory){.text = copy, .cells = p.cells};
    *out = (struct lp_csv){.delimiter = p.delimiter,
                           .header = p.rows[0],
                           .rows = p.rows,
                           .row_count = p.row_count - 1,
                           .memory = memory};
    memmove(out->rows, out->rows + 1, out->row_count * sizeof *out->rows);
    return LP_OK;
}

void
lp_csv_free(struct lp_csv *csv)
{
    struct memory *memory = csv->memory;

    if (memory == NULL)
        return;
    free(memory->text);
    free(memory->cells);
    free(memory);
    free(csv->rows);
    *csv = (struct lp_csv){.memory = NULL};
}

static bool
same_name(const char *cell, const char *name)
{
    size_t len;

    cell += strspn(cell, " \t");
    len = strlen(cell);
    while (len > 0 && (cell[len - 1] == ' ' || cell[len - 1] == '\t'))
        len--;
    return len == strlen(name) && strncasecmp(cell, name, len) == 0;
}

int
lp_csv_column(const struct lp_csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->header.count; i++)
        if (same_name(csv->header.cells[i], name))
            return (int)i;
    return -1;
}
