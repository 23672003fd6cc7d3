/* CSV: RFC 4180, spreadsheets' habits, hostile texts. */
#include <string.h>

#include "products/csv.h"
#include "tests/support/test_main.h"

static void
parse_ok(const char *text, struct lp_csv *csv)
{
    struct lp_err err = LP_ERR_INIT;

    assert_int_equal(lp_csv_parse(text, strlen(text), csv, &err), LP_OK);
}

static void
refused(const char *text, size_t len, const char *message)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_csv csv;

    assert_int_equal(lp_csv_parse(text, len, &csv, &err), LP_INVALID);
    assert_string_equal(err.msg, message);
    lp_err_clear(&err);
}

static void
plain_rows(void **state)
{
    struct lp_csv csv;

    (void)state;
    parse_ok("code,name\r\nMI01,MI01 Milano\r\nRM01,MI01 Roma", &csv);
    assert_int_equal(csv.delimiter, ',');
    assert_int_equal(csv.row_count, 2);
    assert_int_equal(csv.rows[0].number, 2);
    assert_string_equal(csv.rows[1].cells[0], "RM01");
    assert_string_equal(csv.rows[1].cells[1], "MI01 Roma");
    assert_int_equal(lp_csv_column(&csv, "NAME"), 1);
    assert_int_equal(lp_csv_column(&csv, "nam"), -1);
    lp_csv_free(&csv);
}

static void
quotes_mark_semicolons(void **state)
{
    struct lp_csv csv;

    (void)state;
    parse_ok("\xEF\xBB\xBF\"co,de\"; name \n\n\"a;b\";\"say \"\"hi\"\"\nthere\"\n;\n", &csv);
    assert_int_equal(csv.delimiter, ';');
    assert_string_equal(csv.header.cells[0], "co,de");
    assert_int_equal(lp_csv_column(&csv, "name"), 1);
    assert_int_equal(csv.row_count, 2);
    assert_int_equal(csv.rows[0].number, 3); /* the blank line counts, as in a spreadsheet */
    assert_string_equal(csv.rows[0].cells[0], "a;b");
    assert_string_equal(csv.rows[0].cells[1], "say \"hi\"\nthere");
    assert_int_equal(csv.rows[1].count, 2);
    assert_string_equal(csv.rows[1].cells[1], "");
    lp_csv_free(&csv);
}

static void
ragged_rows_keep_their_count(void **state)
{
    struct lp_csv csv;

    (void)state;
    parse_ok("a,b\n1\n1,2,3\n", &csv);
    assert_int_equal(csv.rows[0].count, 1);
    assert_int_equal(csv.rows[1].count, 3);
    lp_csv_free(&csv);
}

static void
errors_name_row_and_column(void **state)
{
    (void)state;
    refused("", 0, "the CSV text is empty");
    refused("\n\r\n\n", 4, "the CSV text is empty");
    refused("a,b\n1,\"2", 8, "row 2, column 2: a quote is not closed");
    refused("a,b\n1,\"2\"x\n", 11, "row 2, column 2: text follows a closing quote");
    refused("a,b\n1\"2,3\n", 10, "row 2, column 1: a quote stands inside an unquoted cell");
    refused("a,b\n1\r2,3\n", 10, "row 2, column 1: a carriage return without a line feed");
    refused("a,b\n\xff,3\n", 8, "line 2 is not valid UTF-8 text");
    refused("a,b\n1\0,3\n", 9, "line 2 is not valid UTF-8 text");
}

static void
limits_hold(void **state)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_csv csv;
    size_t len = LP_CSV_MAX_BYTES + 1;
    char *text = malloc(len);

    (void)state;
    memset(text, 'x', len);
    assert_int_equal(lp_csv_parse(text, len, &csv, &err), LP_TOO_LARGE);
    refused(text, LP_CSV_MAX_CELL + 1, "row 1, column 1: the cell is too long");
    memset(text, ',', len);
    refused(text, LP_CSV_MAX_COLUMNS + 1, "row 1, column 65: too many columns");
    for (size_t i = 0; i < len; i++)
        text[i] = i % 2 == 0 ? 'x' : '\n';
    refused(text, 2 * (LP_CSV_MAX_ROWS + 2), "row 10002, column 1: too many rows");
    assert_int_equal(lp_csv_parse(text, 2 * (LP_CSV_MAX_ROWS + 1), &csv, &err), LP_OK);
    assert_int_equal(csv.row_count, LP_CSV_MAX_ROWS);
    lp_csv_free(&csv);
    free(text);
    lp_err_clear(&err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_rows),
        cmocka_unit_test(quotes_mark_semicolons),
        cmocka_unit_test(ragged_rows_keep_their_count),
        cmocka_unit_test(errors_name_row_and_column),
        cmocka_unit_test(limits_hold),
    };

    return LP_RUN_TESTS(tests);
}
