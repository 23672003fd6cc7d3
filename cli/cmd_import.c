#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/form.h"

#define IMPORT_TASK "task_import_pops"

/* One value under the first of its names that the task's form knows is for the form to decide: it
 * is matched like any --set. */
static void
add_text(struct cli_form *form, const char *field, const char *text)
{
    json_auto_t *one = json_pack("{s:s}", field, text);

    cli_sets_add_object(&form->sets, one);
}

enum lp_code
cli_pop_import(struct cli *cli, struct lp_err *err)
{
    struct cli_form form = {.method = "POST"};
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc = cli_read_file(cli->args[0], &text, err);

    if (rc == LP_OK && !lp_utf8_valid(text.data != NULL ? text.data : "", text.len))
        rc = lp_fail_at(err, LP_INVALID, cli->args[0], "%.200s is not UTF-8 text; convert it first",
                        cli->args[0]);
    if (rc == LP_OK)
        add_text(&form, "csv", text.data != NULL ? text.data : "");
    lp_buf_free(&text);
    if (rc != LP_OK) {
        cli_form_free(&form);
        return rc;
    }
    return cli_start_form(cli, IMPORT_TASK, &form, err);
}
