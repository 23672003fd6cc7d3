/**
 * A CSV of PoPs, devices or fibers turned into documents. Pure; every fault of every row is found
 * before anything is done with any of them. Threads: any.
 */
#ifndef LP_PRODUCTS_IMPORT_CSV_H
#define LP_PRODUCTS_IMPORT_CSV_H

#include "base/conf.h"
#include "model/model.h"

enum lp_csv_value {
    LP_CSV_TEXT,
    LP_CSV_INT,
    LP_CSV_LATITUDE,  /* decimal degrees -> micro-degrees */
    LP_CSV_LONGITUDE, /* the same */
    LP_CSV_CDB,       /* decimal dB, at most two places -> hundredths */
    LP_CSV_LIST,      /* texts joined by '-' */
    LP_CSV_LINK,      /* the name of something else: row.links, not the document */
};

/** What a column becomes, and under which names it is found without a mapping. */
struct lp_csv_column {
    const char *name;
    const char *usual[4];
    enum lp_csv_value value;
    const char *member; /* in the document, or in links */
    const char *inside; /* the member is an object: field in it; else NULL */
    bool required;
    bool distinct; /* two rows of one file cannot have the same */
};

struct lp_import_kind {
    const char *product; /* product type */
    const char *plural;  /* "PoPs", in texts */
    const struct lp_csv_column *columns;
    size_t count;
    /** The first columns, joined by blanks, are what a row is called and its key without a column
     * for it. */
    size_t name_columns;
    const char *filler; /* JSON members a document is checked with and does not keep */
    /** Turns lists into what the catalog wants; problems through lp_csv_problem. May be NULL. */
    void (*finish)(int64_t row, json_t *document, struct lp_problems *problems);
};
extern const struct lp_import_kind lp_import_pops, lp_import_devices, lp_import_fibers;

/**
 * @param mapping {"code": "header name", ...} or NULL; what is not named is looked for under usual
 * names
 * @param ignore_others columns nobody asked for are no fault
 * @param rows new array of {"row": number as a spreadsheet counts, "name", "key": text, "document":
 * {part of the product's document}, "links": {...}}. Problems have loc ["csv"], message "row {r},
 * column {c}: {reason}" (OPT-080) or the header's (OPT-081), and ctx {"code", "row", "column"}.
 * Texts that are no CSV at all are a problem too. Errors: LP_NOMEM, LP_INTERNAL.
 */
enum lp_code lp_import_csv_read(const struct lp_import_kind *kind, const struct lp_catalog *catalog,
                                const struct lp_conf *conf, const char *text, size_t len,
                                const json_t *mapping, bool ignore_others,
                                struct lp_problems *problems, json_t **rows,
                                struct lp_err *err) LP_MUST_CHECK;
/** Adds an OPT-080 problem; column is the header's name. */
void lp_csv_problem(struct lp_problems *problems, int64_t row, const char *column, const char *fmt,
                    ...) LP_PRINTF(4, 5);

#endif
