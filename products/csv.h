/**
 * CSV as RFC 4180 and spreadsheets write it: ',' or ';' (whichever the header uses first outside
 * quotes), quotes with doubled quotes inside, line ends CRLF or LF, an optional UTF-8 byte order
 * mark, blank lines skipped. The whole text is checked against limits; every error names row and
 * column as a spreadsheet counts them (the header is row 1). Ownership: one allocation per table;
 * cells are borrowed from it. Threads: a table is read-only after parsing. Source: RFC 4180.
 */
#ifndef LP_PRODUCTS_CSV_H
#define LP_PRODUCTS_CSV_H

#include "base/err.h"

#define LP_CSV_MAX_BYTES   (4u * 1024 * 1024)
#define LP_CSV_MAX_ROWS    10000u
#define LP_CSV_MAX_COLUMNS 64u
#define LP_CSV_MAX_CELL    4096u

struct lp_csv_row {
    size_t number; /* as a spreadsheet counts */
    size_t count;  /* cells; a row may be shorter or longer than the header */
    const char **cells;
};

struct lp_csv {
    char delimiter;
    struct lp_csv_row header;
    struct lp_csv_row *rows; /* without the header */
    size_t row_count;
    void *memory; /* texts and cell lists */
};

/** LP_INVALID "row R, column C: reason" (OPT-080) with err->pointer "row R, column C"; an empty
 * text and too many bytes, rows, columns or characters are refused. *out needs lp_csv_free only
 * after LP_OK. */
enum lp_code lp_csv_parse(const char *text, size_t len, struct lp_csv *out,
                          struct lp_err *err) LP_MUST_CHECK;
void lp_csv_free(struct lp_csv *csv);
/** Index of a header name (case and surrounding blanks do not matter), or -1. */
int lp_csv_column(const struct lp_csv *csv, const char *name);

#endif
