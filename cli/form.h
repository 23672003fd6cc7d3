/**
 * The client's side of a form: pages are posted as a whole, the server answers with the next page
 * (510), with what is wrong (400), or is satisfied. Values come from --set and --file; on a
 * terminal the rest is asked for.
 */
#ifndef LP_CLI_FORM_H
#define LP_CLI_FORM_H

#include "cli/api.h"
#include "cli/schema.h"

struct cli_form {
    const char *method, *path; /* where the pages are posted */
    struct cli_sets sets;      /* owned */
    json_t *pages;             /* owned array: pages of --file, by position; or NULL */
    json_t *first;             /* owned: the first page when it is known already, or NULL */
    const char *subject;       /* for messages: name of the workflow */
    bool ask_all;              /* nothing was given: ask for optional fields too */
};
void cli_form_free(struct cli_form *form);
/** Reads --set and --file of the command line. */
enum lp_code cli_form_options(struct cli *cli, struct cli_form *form,
                              struct lp_err *err) LP_MUST_CHECK;
/**
 * Negotiates to the end. *answer holds the last answer (status below 300). LP_FORM_INCOMPLETE:
 * values are missing and nobody can be asked (each is listed on standard error); LP_FORM_INVALID:
 * each refused field is listed there; LP_INVALID: a value that no page asks for. Nothing has been
 * started in any of these cases.
 */
enum lp_code cli_form_run(struct cli *cli, struct cli_form *form, struct cli_answer *answer,
                          struct lp_err *err) LP_MUST_CHECK;

/** The whole of a file, "-" for standard input. */
enum lp_code cli_read_file(const char *name, struct lp_buf *text, struct lp_err *err) LP_MUST_CHECK;

/* ask.c: the conversation */

/** Shows title, labels, read-only values and summary tables of a page. */
void cli_ask_show(struct cli *cli, const json_t *page);
/** Asks for one field; *out is a new reference, or NULL for "leave it out". `current` (may be NULL)
 * is offered. LP_CANCELLED at end of input or Ctrl-C. */
enum lp_code cli_ask_field(struct cli *cli, const json_t *page, const char *name,
                           const json_t *schema, const json_t *current, json_t **out,
                           struct lp_err *err) LP_MUST_CHECK;
/** A yes-or-no question; what --yes answers with yes. */
enum lp_code cli_ask_yes(struct cli *cli, const char *question, bool preset, bool *yes,
                         struct lp_err *err) LP_MUST_CHECK;

#endif
