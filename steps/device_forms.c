/* Forms that name a device. Choices come from the database; no form speaks to a device (D47). */
#include <string.h>

#include "clients/driver.h"
#include "steps/device_internal.h"
#include "steps/forms.h"

enum { COMMAND_MOST = 4000 };

static const struct lp_field device_field = {.name = "device",
                                             .title = "Device",
                                             .description = "id, host name, node name or address",
                                             .kind = LP_FIELD_STRING,
                                             .required = true,
                                             .required_in = -1,
                                             .has_min = true,
                                             .min = 1,
                                             .has_max = true,
                                             .max = 255};
static const struct lp_field command_field = {.name = "command",
                                              .title = "Command",
                                              .description = "as the device takes it",
                                              .kind = LP_FIELD_STRING,
                                              .required = true,
                                              .required_in = -1,
                                              .has_min = true,
                                              .min = 1,
                                              .has_max = true,
                                              .max = COMMAND_MOST,
                                              .format = "long"};

static enum lp_code
device_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    (void)ctx;
    (void)err;
    lp_form_page_add(page, &device_field);
    return LP_OK;
}

static enum lp_code
command_build(struct lp_form_ctx *ctx, struct lp_form_page *page, struct lp_err *err)
{
    enum lp_code rc = device_build(ctx, page, err);

    lp_form_page_add(page, &command_field);
    return rc;
}

static enum lp_code
device_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
             struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(ctx->store, lp_json_str(input, "device", ""), id, NULL, err);

    if (rc != LP_NOT_FOUND && rc != LP_CONFLICT)
        return rc;
    lp_problem_field(problems, "value_error", "device", json_object_get(input, "device"), "%s",
                     err->msg);
    lp_err_clear(err);
    return LP_OK;
}

/** What is typed is kept with the process, where everybody may read it: no password belongs there.
 */
static enum lp_code
command_check(struct lp_form_ctx *ctx, const json_t *input, struct lp_problems *problems,
              struct lp_err *err)
{
    const char *text = lp_json_str(input, "command", "");
    enum lp_code rc = device_check(ctx, input, problems, err);

    if (rc == LP_OK && lp_driver_text_has_secret(text))
        lp_problem_field(problems, "value_error", "command", NULL,
                         "a command with a password would be kept with its process: give it to the "
                         "device itself");
    return rc;
}

static enum lp_code
device_finish(struct lp_form_ctx *ctx, json_t *output, struct lp_err *err)
{
    char id[LP_UUID_LEN + 1];
    enum lp_code rc = lp_device_find(ctx->store, lp_json_str(output, "device", ""), id, NULL, err);

    if (rc == LP_OK && lp_json_set_str(output, "device_id", id) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    return rc;
}

static const struct lp_page device_pages[] = {
    {.title = "Device", .build = device_build, .check = device_check}};
static const struct lp_page command_pages[] = {
    {.title = "Command to a device", .build = command_build, .check = command_check}};
const struct lp_form lp_form_device = {LP_PAGES(device_pages), .finish = device_finish};
const struct lp_form lp_form_device_command = {LP_PAGES(command_pages), .finish = device_finish};
