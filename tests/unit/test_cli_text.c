/* What the CLI prints: neutralised texts, widths, times, tables. */
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "cli/text.h"
#include "tests/support/test_main.h"

static void
cleaned(const char *text, const char *expected)
{
    char *clean = cli_clean(text, false);

    assert_string_equal(clean, expected);
    free(clean);
}

static void
nothing_steers_the_terminal(void **state)
{
    (void)state;
    cleaned("plain", "plain");
    cleaned("a\033[31mred\033[0m", "a?[31mred?[0m");
    cleaned("bell\a back\b del\x7f", "bell? back? del?");
    cleaned("c1 \xc2\x9b"
            "31m",
            "c1 ?31m");
    cleaned("turn \xe2\x80\xae"
            "evil",
            "turn ?evil");
    cleaned("line\nand\ttab", "line and tab");
    cleaned("bad \xff\xc0\xaf \xed", "bad ?? ?");
    cleaned("Malpensa – Forlì", "Malpensa – Forlì");
}

static void
kept_lines_are_only_line_ends(void **state)
{
    char *clean = cli_clean("a\nb\r\033c", true);

    (void)state;
    assert_string_equal(clean, "a\nb??c");
    free(clean);
}

static void
width_counts_columns(void **state)
{
    (void)state;
    assert_int_equal(cli_columns(""), 0);
    assert_int_equal(cli_columns("Forlì"), 5);
    assert_int_equal(cli_columns("光"), 2);
    assert_int_equal(cli_columns("e\xcc\x81"), 1); /* combining accent */
}

static void
cut_to(const char *text, size_t columns, const char *expected)
{
    char *cut = cli_cut(text, columns);

    assert_string_equal(cut, expected);
    assert_true(cli_columns(cut) <= columns);
    free(cut);
}

static void
cut_keeps_whole_characters(void **state)
{
    (void)state;
    cut_to("Milano", 6, "Milano");
    cut_to("Milano", 5, "Mila…");
    cut_to("Forlì!", 5, "Forl…");
    cut_to("光光光", 4, "光…");
    cut_to("x", 0, "");
    cut_to("xy", 1, "…");
}

static void
duration_is(double seconds, const char *expected)
{
    char *text = cli_duration(seconds);

    assert_string_equal(text, expected);
    free(text);
}

static void
durations_in_words(void **state)
{
    (void)state;
    duration_is(0.0004, "0.4 ms");
    duration_is(0.0123, "12 ms");
    duration_is(3.21, "3.2 s");
    duration_is(250, "4 min 10 s");
    duration_is(7320, "2 h 02 min");
    duration_is(-1, "");
    duration_is(0.0 / 0.0, "");
}

/* ---- tables ---- */

static const struct cli_column columns[] = {{.title = "Id"},
                                            {.title = "Description", .flexible = true},
                                            {.title = "Count", .right = true},
                                            {.title = "Note", .optional = true, .flexible = true}};

static char *
render(int width, bool color)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    struct cli_screen screen = {.file = file, .width = width, .color = color};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));

    cli_table_cell(table, CLI_PLAIN, "a1");
    cli_table_cell(table, CLI_GOOD, "MI01 Milano Colombo (Point of Presence)");
    cli_table_cell(table, CLI_PLAIN, "7");
    cli_table_cell(table, CLI_PLAIN, "first");
    cli_table_cell(table, CLI_PLAIN, "b2");
    cli_table_cell(table, CLI_PLAIN, "esc\033[2J");
    cli_table_cell(table, CLI_PLAIN, "1234");
    cli_table_cell(table, CLI_PLAIN, NULL);
    assert_int_equal(cli_table_rows(table), 2);
    cli_table_print(table, &screen);
    cli_table_free(table);
    fclose(file);
    return text;
}

static void
a_pipe_gets_everything(void **state)
{
    char *text = render(0, false);

    (void)state;
    assert_string_equal(text, "Id  Description                              Count  Note\n"
                              "a1  MI01 Milano Colombo (Point of Presence)      7  first\n"
                              "b2  esc?[2J                                   1234\n");
    free(text);
}

static void
every_line_fits(void **state)
{
    (void)state;
    for (int width = 20; width <= 80; width++) {
        char *text = render(width, false), *save = text, *line;

        while ((line = strsep(&save, "\n")) != NULL)
            assert_true(cli_columns(line) <= (size_t)width);
        free(text);
    }
}

static void
narrow_terminals_lose_the_optional_column_first(void **state)
{
    char *text = render(30, false);

    (void)state;
    assert_null(strstr(text, "Note"));
    assert_non_null(strstr(text, "1234"));
    assert_non_null(strstr(text, "…"));
    free(text);
}

static void
colours_only_where_asked(void **state)
{
    char *plain = render(0, false), *colored = render(0, true);

    (void)state;
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(colored, "\033[32mMI01"));
    free(plain);
    free(colored);
}

static void
wrapped_text_is_indented(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    struct cli_screen screen = {.file = file, .width = 24};

    (void)state;
    cli_wrap(&screen, "one two three four five six\nnext", 4);
    fclose(file);
    assert_string_equal(text, "    one two three four\n    five six\n    next\n");
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(kept_lines_are_only_line_ends),
        cmocka_unit_test(width_counts_columns),
        cmocka_unit_test(cut_keeps_whole_characters),
        cmocka_unit_test(durations_in_words),
        cmocka_unit_test(a_pipe_gets_everything),
        cmocka_unit_test(every_line_fits),
        cmocka_unit_test(narrow_terminals_lose_the_optional_column_first),
        cmocka_unit_test(colours_only_where_asked),
        cmocka_unit_test(wrapped_text_is_indented),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return LP_RUN_TESTS(tests);
}
