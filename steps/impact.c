/* Services that ride on what is touched, in forms. */
#include "steps/impact.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "steps/forms.h"
#include "store/impact.h"

#define MOST_SHOWN 20 /* services of one customer, and customers */

static bool
is_among(const json_t *ids, const char *id)
{
    const json_t *one;
    size_t i;

    json_array_foreach(ids, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), id) == 0)
            return true;
    }
    return false;
}

/* Services of one reply join those of their customer: {"customer": {"id": description}}. */
static enum lp_code
join_customer(const json_t *customer, const json_t *ids, json_t *all, struct lp_err *err)
{
    const char *name = lp_json_str(customer, "customer", "");
    const json_t *service;
    size_t i;

    json_array_foreach(json_object_get(customer, "services"), i, service)
    {
        const char *id = lp_json_str(service, "subscription_id", "");
        json_t *list = json_object_get(all, name);
        if (is_among(ids, id))
            continue;
        if (list == NULL) {
            (void)json_object_set_new(all, name, json_object());
            list = json_object_get(all, name);
        }
        if (json_object_set(list, id, json_object_get(service, "description")) != 0)
            return lp_fail(err, LP_NOMEM, "no memory for the form");
    }
    return LP_OK;
}

static enum lp_code
riders(const struct lp_form_ctx *ctx, const json_t *ids, json_t *all, size_t *count,
       struct lp_err *err)
{
    enum lp_code rc = LP_OK;
    const json_t *id;
    json_t *list;
    const char *name;
    size_t i, c;

    json_array_foreach(ids, i, id)
    {
        json_auto_t *impact = NULL;
        const json_t *customer;
        if (rc == LP_OK)
            rc = lp_impact(ctx->store, ctx->reader, json_string_value(id), NULL, &impact, err);
        json_array_foreach(json_object_get(impact, "customers"), c, customer)
        {
            if (rc == LP_OK)
                rc = join_customer(customer, ids, all, err);
        }
    }
    *count = 0;
    json_object_foreach(all, name, list) *count += json_object_size(list);
    return rc;
}

static enum lp_code
add_line(struct lp_form_page *page, size_t n, const char *customer, const json_t *services,
         struct lp_err *err)
{
    struct lp_buf line = LP_BUF_INIT;
    const char *id;
    json_t *description;
    char field[32];
    size_t shown = 0, count = json_object_size(services);
    enum lp_code rc = LP_OK;

    lp_buf_printf(&line, "%s: ", customer);
    json_object_foreach((json_t *)(uintptr_t)services, id, description)
    {
        if (shown++ < MOST_SHOWN)
            lp_buf_printf(&line, "%s%s (%s)", shown > 1 ? ", " : "", json_string_value(description),
                          id);
    }
    if (count > MOST_SHOWN)
        lp_buf_printf(&line, " and %zu more", count - MOST_SHOWN);
    (void)snprintf(field, sizeof(field), "impact_customer_%zu", n);
    if (line.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for the form");
    else
        lp_form_add_label(page, field, line.data);
    lp_buf_free(&line);
    return rc;
}

enum lp_code
lp_form_add_riders(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *ids,
                   size_t *count, struct lp_err *err)
{
    json_auto_t *all = json_object();
    size_t services = 0, n = 0;
    enum lp_code rc = riders(ctx, ids, all, &services, err);
    const char *customer;
    json_t *list;
    char heading[160];

    if (count != NULL)
        *count = services;
    if (rc != LP_OK || services == 0)
        return rc;
    (void)snprintf(heading, sizeof(heading),
                   "%zu service%s of %zu customer%s ride%s on it and may lose traffic:", services,
                   services == 1 ? "" : "s", json_object_size(all),
                   json_object_size(all) == 1 ? "" : "s", services == 1 ? "s" : "");
    lp_form_add_label(page, "impact_services", heading);
    json_object_foreach(all, customer, list)
    {
        if (rc == LP_OK && n < MOST_SHOWN)
            rc = add_line(page, n++, customer, list, err);
    }
    return rc;
}

bool
lp_form_is_ridden(const struct lp_form_ctx *ctx, const json_t *ids)
{
    json_auto_t *all = json_object();
    struct lp_err ignored = LP_ERR_INIT;
    size_t services = 0;
    enum lp_code rc = riders(ctx, ids, all, &services, &ignored);

    lp_err_clear(&ignored);
    return rc != LP_OK || services > 0;
}

enum lp_code
lp_form_add_confirmation(struct lp_form_ctx *ctx, struct lp_form_page *page, const json_t *ids,
                         struct lp_err *err)
{
    static const struct lp_field confirm = {.name = "confirm",
                                            .title = "Type " LP_CONFIRM_WORD " to confirm",
                                            .kind = LP_FIELD_STRING,
                                            .required = true,
                                            .required_in = -1};
    size_t services = 0;
    enum lp_code rc = lp_form_add_riders(ctx, page, ids, &services, err);

    if (rc == LP_OK && services > 0)
        lp_form_page_add(page, &confirm);
    return rc;
}

enum lp_code
lp_form_check_confirmation(struct lp_form_ctx *ctx, const json_t *ids, const json_t *input,
                           struct lp_problems *problems, struct lp_err *err)
{
    json_auto_t *all = json_object();
    size_t services = 0;
    enum lp_code rc = riders(ctx, ids, all, &services, err);

    if (rc == LP_OK && services > 0
        && strcmp(lp_json_str(input, "confirm", ""), LP_CONFIRM_WORD) != 0)
        lp_problem_field(problems, "value_error", "confirm", json_object_get(input, "confirm"),
                         "OPT-012: type " LP_CONFIRM_WORD " to confirm you have read the warning");
    return rc;
}
