/* The CLI's side of a form: a page from a hostile server, and values from a command line. Input:
 * JSON schema, NUL, then key=value lines. */
#include <stdlib.h>
#include <string.h>

#include "cli/schema.h"
#include "tests/fuzz/fuzz.h"

static void
fill(const json_t *page, char *lines)
{
    struct cli_sets sets = {.rows = NULL};
    struct lp_err err = LP_ERR_INIT;
    json_t *input = json_object();
    char *line;

    while ((line = strsep(&lines, "\n")) != NULL && sets.count < 50) {
        if (cli_sets_add(&sets, line, &err) != LP_OK)
            lp_err_clear(&err);
    }
    if (cli_sets_fill(&sets, page, input, &err) != LP_OK)
        lp_err_clear(&err);
    (void)cli_sets_unused(&sets);
    cli_sets_free(&sets);
    json_decref(input);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    struct lp_err err = LP_ERR_INIT;
    json_t *page = NULL;
    char *lines;

    if (end == NULL
        || lp_json_load((const char *)data, (size_t)(end - data), &page, &err) != LP_OK) {
        lp_err_clear(&err);
        return 0;
    }
    lines = strndup((const char *)end + 1, size - (size_t)(end - data) - 1);
    if (lines != NULL)
        fill(page, lines);
    free(lines);
    json_decref(page);
    return 0;
}
