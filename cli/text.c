#include "cli/text.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "base/json.h"

/* ---- memory ---- */

_Noreturn void
cli_no_memory(void)
{
    fputs("lightpath: out of memory\n", stderr);
    exit(lp_code_info(LP_NOMEM)->exit);
}

void *
cli_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL)
        cli_no_memory();
    return memory;
}

char *
cli_strdup(const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        cli_no_memory();
    return copy;
}

static char *LP_PRINTF(1, 0) format_text(const char *fmt, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, args) < 0)
        cli_no_memory();
    return text;
}

char *
cli_strfmt(const char *fmt, ...)
{
    char *text;
    va_list args;

    va_start(args, fmt);
    text = format_text(fmt, args);
    va_end(args);
    return text;
}

/* ---- characters ---- */

/* Decodes one character; bytes that are no UTF-8 count as one character U+FFFD. Returns the bytes
 * used. */
static size_t
decode(const char *text, uint32_t *c)
{
    const unsigned char *p = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80             ? 1
                 : (p[0] & 0xe0) == 0xc0 ? 2
                 : (p[0] & 0xf0) == 0xe0 ? 3
                 : (p[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    uint32_t value = len > 1 ? p[0] & (0xffu >> (len + 1)) : p[0];

    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *c = 0xfffd;
            return 1;
        }
        value = value << 6 | (p[i] & 0x3fu);
    }
    *c = len == 0 || value < least[len] || value > 0x10ffff ? 0xfffd : value;
    return len == 0 ? 1 : len;
}

/* Characters that move the cursor, change colours or turn the direction of text. */
static bool
steers(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0x061c
           || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e)
           || (c >= 0x2066 && c <= 0x2069) || c == 0xfffd;
}

static size_t
columns_of(uint32_t c)
{
    int width = wcwidth((wchar_t)c);

    return width < 0 ? 1 : (size_t)width;
}

char *
cli_clean(const char *text, bool keep_lines)
{
    struct lp_buf out = LP_BUF_INIT;

    lp_buf_str(&out, "");
    for (const char *p = text; *p != '\0';) {
        uint32_t c = 0;
        size_t len = decode(p, &c);

        if (c == '\n' && keep_lines)
            lp_buf_char(&out, '\n');
        else if (c == '\n' || c == '\t')
            lp_buf_char(&out, ' ');
        else if (steers(c))
            lp_buf_char(&out, '?');
        else
            lp_buf_add(&out, p, len);
        p += len;
    }
    if (out.failed)
        cli_no_memory();
    return out.data != NULL ? lp_buf_take(&out) : cli_strdup("");
}

size_t
cli_columns(const char *text)
{
    size_t columns = 0;

    while (*text != '\0') {
        uint32_t c = 0;

        text += decode(text, &c);
        columns += columns_of(c);
    }
    return columns;
}

char *
cli_cut(const char *text, size_t columns)
{
    size_t used = 0;
    const char *p = text;

    if (cli_columns(text) <= columns)
        return cli_strdup(text);
    while (*p != '\0') {
        uint32_t c = 0;
        size_t len = decode(p, &c);

        if (used + columns_of(c) + 1 > columns)
            break;
        used += columns_of(c);
        p += len;
    }
    return columns == 0 ? cli_strdup("") : cli_strfmt("%.*s…", (int)(p - text), text);
}

/* ---- screen ---- */

static const char *const escapes[] = {
    [CLI_PLAIN] = "",        [CLI_GOOD] = "\033[32m", [CLI_BAD] = "\033[31m",
    [CLI_WARN] = "\033[33m", [CLI_INFO] = "\033[36m", [CLI_DIM] = "\033[2m",
    [CLI_BOLD] = "\033[1m",
};
static_assert(LP_COUNT(escapes) == CLI_COLOR_COUNT, "an escape for every colour");

void
cli_put(const struct cli_screen *screen, enum cli_color color, const char *text)
{
    bool colored = screen->color && color != CLI_PLAIN && *text != '\0';

    fprintf(screen->file, "%s%s%s", colored ? escapes[color] : "", text, colored ? "\033[0m" : "");
}

void
cli_putf(const struct cli_screen *screen, enum cli_color color, const char *fmt, ...)
{
    char *text;
    va_list args;

    va_start(args, fmt);
    text = format_text(fmt, args);
    va_end(args);
    cli_put(screen, color, text);
    free(text);
}

/* Prints one line's worth of words; returns where the rest begins. */
static const char *
wrap_line(const struct cli_screen *screen, const char *text, size_t room)
{
    size_t used = 0;
    const char *p = text, *last_blank = NULL;

    while (*p != '\0' && *p != '\n') {
        uint32_t c = 0;
        size_t len = decode(p, &c);

        if (*p == ' ')
            last_blank = p;
        if (used + columns_of(c) > room && last_blank != NULL) {
            p = last_blank;
            break;
        }
        used += columns_of(c);
        p += len;
    }
    fprintf(screen->file, "%.*s\n", (int)(p - text), text);
    while (*p == ' ')
        p++;
    return *p == '\n' ? p + 1 : p;
}

void
cli_wrap(const struct cli_screen *screen, const char *text, int indent)
{
    int width = screen->width > 20 ? screen->width : 80;
    size_t room = (size_t)(width > indent + 10 ? width - indent : 10);

    while (*text != '\0') {
        fprintf(screen->file, "%*s", indent, "");
        text = wrap_line(screen, text, room);
    }
}

/* ---- words ---- */

char *
cli_time(double unix_seconds)
{
    bool sane = unix_seconds > 0 && unix_seconds < 1e11; /* no NaN, nothing a time_t cannot hold */
    time_t seconds = sane ? (time_t)unix_seconds : 0;
    struct tm parts;
    char text[32];

    if (!sane || localtime_r(&seconds, &parts) == NULL
        || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        return cli_strdup("");
    return cli_strdup(text);
}

char *
cli_duration(double seconds)
{
    if (!(seconds >= 0)) /* also catches NaN from a hostile server */
        return cli_strdup("");
    if (seconds < 0.01)
        return cli_strfmt("%.1f ms", seconds * 1000);
    if (seconds < 1)
        return cli_strfmt("%.0f ms", seconds * 1000);
    if (seconds < 60)
        return cli_strfmt("%.1f s", seconds);
    if (seconds < 3600)
        return cli_strfmt("%.0f min %02.0f s", floor(seconds / 60), floor(fmod(seconds, 60)));
    return cli_strfmt("%.0f h %02.0f min", floor(seconds / 3600), floor(fmod(seconds / 60, 60)));
}

enum cli_color
cli_status_color(const char *status)
{
    static const struct {
        const char *status;
        enum cli_color color;
    } table[] = {
        {"completed", CLI_GOOD},      {"complete", CLI_GOOD},
        {"success", CLI_GOOD},        {"active", CLI_GOOD},
        {"failed", CLI_BAD},          {"inconsistent_data", CLI_BAD},
        {"aborted", CLI_BAD},         {"abort", CLI_BAD},
        {"api_unavailable", CLI_BAD}, {"suspended", CLI_WARN},
        {"suspend", CLI_WARN},        {"waiting", CLI_WARN},
        {"provisioning", CLI_WARN},   {"awaiting_callback", CLI_WARN},
        {"running", CLI_INFO},        {"created", CLI_INFO},
        {"resumed", CLI_INFO},        {"terminated", CLI_DIM},
        {"skipped", CLI_DIM},         {"pending", CLI_DIM},
        {"PAUSED", CLI_WARN},         {"PAUSING", CLI_WARN},
        {"RUNNING", CLI_GOOD},
    };

    for (size_t i = 0; i < LP_COUNT(table); i++) {
        if (strcmp(table[i].status, status) == 0)
            return table[i].color;
    }
    return CLI_PLAIN;
}

/* ---- tables ---- */

struct cell {
    char *text;
    enum cli_color color;
};

struct cli_table {
    const struct cli_column *columns;
    size_t column_count;
    struct cell *cells;
    size_t count, cap;
};

enum { GAP = 2, LEAST_FLEXIBLE = 8, LEAST_ANY = 3 };

struct cli_table *
cli_table_new(const struct cli_column *columns, size_t count)
{
    struct cli_table *table = cli_alloc(sizeof *table);

    table->columns = columns;
    table->column_count = count;
    return table;
}

void
cli_table_cell(struct cli_table *table, enum cli_color color, const char *text)
{
    if (table->count == table->cap) {
        size_t cap = table->cap > 0 ? table->cap * 2 : 64;
        struct cell *grown = reallocarray(table->cells, cap, sizeof *grown);

        if (grown == NULL)
            cli_no_memory();
        table->cells = grown;
        table->cap = cap;
    }
    table->cells[table->count++] =
        (struct cell){.text = cli_clean(text != NULL ? text : "", false), .color = color};
}

size_t
cli_table_rows(const struct cli_table *table)
{
    return table->count / table->column_count;
}

static void
natural_widths(const struct cli_table *table, size_t *widths)
{
    for (size_t c = 0; c < table->column_count; c++)
        widths[c] = cli_columns(table->columns[c].title);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = cli_columns(table->cells[i].text);
        size_t c = i % table->column_count;

        if (width > widths[c])
            widths[c] = width;
    }
}

/* A width of 0 means the column is not shown. */
static size_t
line_width(const size_t *widths, size_t count)
{
    size_t sum = 0;

    for (size_t c = 0; c < count; c++)
        sum += widths[c] > 0 ? widths[c] + GAP : 0;
    return sum > GAP ? sum - GAP : 0;
}

/* The widest column that can still give, or count: flexible ones down to a readable rest, in need
 * any. */
static size_t
widest(const struct cli_table *table, const size_t *widths, bool any)
{
    size_t best = table->column_count;

    for (size_t c = 0; c < table->column_count; c++) {
        bool gives =
            any ? widths[c] > LEAST_ANY : table->columns[c].flexible && widths[c] > LEAST_FLEXIBLE;

        if (gives && (best == table->column_count || widths[c] > widths[best]))
            best = c;
    }
    return best;
}

static size_t
last_optional(const struct cli_table *table, const size_t *widths)
{
    for (size_t c = table->column_count; c-- > 0;) {
        if (table->columns[c].optional && widths[c] > 0)
            return c;
    }
    return table->column_count;
}

/* How far the flexible columns could give before optional ones must go. */
static size_t
slack(const struct cli_table *table, const size_t *widths)
{
    size_t sum = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        if (table->columns[c].flexible && widths[c] > 3 * LEAST_FLEXIBLE)
            sum += widths[c] - 3 * LEAST_FLEXIBLE;
    }
    return sum;
}

static void
fit(const struct cli_table *table, size_t *widths, size_t room)
{
    size_t count = table->column_count;

    while (line_width(widths, count) > room + slack(table, widths)
           && last_optional(table, widths) < count)
        widths[last_optional(table, widths)] = 0;
    for (int any = 0; any <= 1; any++) {
        while (line_width(widths, count) > room && widest(table, widths, any) < count)
            widths[widest(table, widths, any)]--;
    }
}

static void
put_row(const struct cli_table *table, const struct cli_screen *screen, const size_t *widths,
        const struct cell *cells)
{
    size_t pending = 0; /* blanks owed: none are printed behind the last cell */

    for (size_t c = 0; c < table->column_count; c++) {
        const char *text = cells != NULL ? cells[c].text : table->columns[c].title;
        char *cut;
        size_t used;

        if (widths[c] == 0)
            continue;
        cut = cli_cut(text, widths[c]);
        used = cli_columns(cut);
        if (table->columns[c].right)
            pending += widths[c] - used;
        if (used > 0) {
            fprintf(screen->file, "%*s", (int)pending, "");
            pending = 0;
        }
        cli_put(screen, cells != NULL ? cells[c].color : CLI_BOLD, cut);
        pending += GAP + (table->columns[c].right ? 0 : widths[c] - used);
        free(cut);
    }
    fputc('\n', screen->file);
}

void
cli_table_print(const struct cli_table *table, const struct cli_screen *screen)
{
    size_t *widths = cli_alloc(table->column_count * sizeof *widths);

    natural_widths(table, widths);
    if (screen->width > 0)
        fit(table, widths, (size_t)screen->width);
    put_row(table, screen, widths, NULL);
    for (size_t i = 0; i + table->column_count <= table->count; i += table->column_count)
        put_row(table, screen, widths, table->cells + i);
    free(widths);
}

void
cli_table_free(struct cli_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}
