/**
 * A CSV of PoPs turned into documents. Pure; every fault of every row is found before anything is
 * done with any of them. Threads: any.
 */
#ifndef LP_PRODUCTS_POP_CSV_H
#define LP_PRODUCTS_POP_CSV_H

#include "base/conf.h"
#include "model/model.h"

enum lp_pop_column {
    LP_POP_CODE,
    LP_POP_FULL_NAME,
    LP_POP_LATITUDE,
    LP_POP_LONGITUDE,
    LP_POP_CITY, /* optional from here on */
    LP_POP_KEY,
    LP_POP_COLUMN_COUNT
};
/** "code", "full_name", ...: how the mapping names them. */
const char *lp_pop_column_name(enum lp_pop_column column);

/**
 * @param mapping {"code": "header name", ...} or NULL; what is not named is looked for under usual
 * names
 * @param ignore_others columns nobody asked for are no fault
 * @param rows new array of {"row": number as a spreadsheet counts, "key": text, "document": {part
 * of a PoP's document}} Problems have loc ["csv"], message "row {r}, column {c}: {reason}"
 * (OPT-080) or the header's (OPT-081), and ctx {"code", "row", "column"}. Texts that are no CSV at
 * all are a problem too. Codes, names and keys must differ inside the file. Errors: LP_NOMEM,
 * LP_INTERNAL.
 */
enum lp_code lp_pop_csv_read(const struct lp_catalog *catalog, const struct lp_conf *conf,
                             const char *text, size_t len, const json_t *mapping,
                             bool ignore_others, struct lp_problems *problems, json_t **rows,
                             struct lp_err *err) LP_MUST_CHECK;
/** Adds an OPT-080 problem; column is the header's name. */
void lp_pop_csv_problem(struct lp_problems *problems, int64_t row, const char *column,
                        const char *fmt, ...) LP_PRINTF(4, 5);

#endif
