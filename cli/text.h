/**
 * Text for people: neutralised server strings, display width, times, and tables that fit the
 * terminal. Texts are UTF-8. Memory: out of memory ends the program (a CLI has nothing better to
 * do). Threads: one.
 */
#ifndef LP_CLI_TEXT_H
#define LP_CLI_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum cli_color {
    CLI_PLAIN,
    CLI_GOOD,
    CLI_BAD,
    CLI_WARN,
    CLI_INFO,
    CLI_DIM,
    CLI_BOLD,
    CLI_COLOR_COUNT
};

/** Where text goes and what that place can show. */
struct cli_screen {
    FILE *file;
    bool color; /* a terminal that is not dumb, and NO_COLOR is not set */
    bool live;  /* a terminal: lines may be written over */
    int width;  /* columns; 0 = no limit (not a terminal) */
};

/** Ends the program with the exit code of LP_NOMEM. */
_Noreturn void cli_no_memory(void);
/** Never NULL. */
void *cli_alloc(size_t size);
char *cli_strdup(const char *text);
char *cli_strfmt(const char *fmt, ...) LP_PRINTF(1, 2);

/** A copy in which nothing can steer a terminal: control characters (C0, DEL, C1), line and
 * paragraph separators and text direction controls become "?"; tabs and line ends become blanks, or
 * stay line ends with keep_lines. Bytes that are not UTF-8 become "?". */
char *cli_clean(const char *text, bool keep_lines);
/** Columns the text takes on a terminal. */
size_t cli_columns(const char *text);
/** A copy cut to at most `columns`, with "…" at its end when something was cut. */
char *cli_cut(const char *text, size_t columns);

/** Prints text in a colour when the screen has colours. The text is printed as it is. */
void cli_put(const struct cli_screen *screen, enum cli_color color, const char *text);
void cli_putf(const struct cli_screen *screen, enum cli_color color, const char *fmt, ...)
    LP_PRINTF(3, 4);
/** Prints wrapped to the screen's width (80 without one) behind an indent. */
void cli_wrap(const struct cli_screen *screen, const char *text, int indent);

/** Local time of a Unix time, "2026-02-01 10:00:00"; "" for 0. */
char *cli_time(double unix_seconds);
/** "12 ms", "3.2 s", "4 min 10 s". */
char *cli_duration(double seconds);
/** The colour that belongs to a status word of a process, step or subscription. */
enum cli_color cli_status_color(const char *status);

struct cli_column {
    const char *title;
    bool right;    /* numbers */
    bool flexible; /* may be cut when the line is too long */
    bool optional; /* left out first when there is no room */
};
struct cli_table;
struct cli_table *cli_table_new(const struct cli_column *columns, size_t count);
/** Next cell, row by row; text is cleaned and copied, NULL is empty. */
void cli_table_cell(struct cli_table *table, enum cli_color color, const char *text);
size_t cli_table_rows(const struct cli_table *table);
void cli_table_print(const struct cli_table *table, const struct cli_screen *screen);
void cli_table_free(struct cli_table *table);

#endif
