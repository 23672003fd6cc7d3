/* Optical Spectrum: a slice of light between two add/drop ports, sold as such. */
#include <stdlib.h>
#include <string.h>

#include "model/products_gen.h"
#include "products/naming.h"
#include "products/spectrum.h"

static char *
spectrum_describe(const json_t *root)
{
    return strdup(lp_json_str(root, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, "unnamed spectrum"));
}

static enum lp_code
spectrum_derive(const struct lp_conf *conf, const json_t *closure, json_t *root, struct lp_err *err)
{
    (void)conf;
    return lp_spectrum_derive(closure, root, err);
}

/* ---- labels of add/drop ports ---- */

/* A port without a patch cord of its own tells who uses it. Several spectra may: the text is a
 * function of all of them, so that each of them desires the same. */

static const json_t *
ends_of(const json_t *root, size_t which)
{
    const json_t *list = json_object_get(root, LP_F_OPTICAL_SPECTRUM_SECTIONS);
    size_t count = json_array_size(list);
    const json_t *section = json_array_get(list, which == 0 ? 0 : count - (count > 0));

    return json_array_get(json_object_get(section, LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS),
                          which);
}

static bool
ends_at(const json_t *root, const char *port, const char **far)
{
    for (size_t i = 0; i < 2; i++) {
        const char *id = json_string_value(ends_of(root, i));

        if (id == NULL || strcmp(id, port) != 0)
            continue;
        *far = json_string_value(ends_of(root, 1 - i));
        return true;
    }
    return false;
}

static int
by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return strcmp(lp_json_str(*x, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, ""),
                  lp_json_str(*y, LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, ""));
}

static bool
has_patch(const json_t *closure, const char *port)
{
    const char *id;
    json_t *entry, *end;
    size_t i;

    json_object_foreach(json_object_get(closure, "subscriptions"), id, entry)
    {
        const json_t *ends =
            json_object_get(json_object_get(entry, "root"), LP_F_OPTICAL_FIBER_TERMINATIONS);

        if (strcmp(lp_json_str(entry, "type", ""), "Optical Fiber") != 0)
            continue;
        json_array_foreach(ends, i, end)
        {
            if (json_is_string(end) && strcmp(json_string_value(end), port) == 0)
                return true;
        }
    }
    return false;
}

/* Spectra of the closure that end at the port, by name. Malloc'ed. */
static const json_t **
users_of(const json_t *closure, const char *port, size_t *count)
{
    const json_t *all = json_object_get(closure, "subscriptions");
    const json_t **rows = calloc(json_object_size(all) + 1, sizeof *rows);
    const char *id, *far;
    json_t *entry;

    *count = 0;
    if (rows == NULL)
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)all, id, entry)
    {
        const json_t *root = json_object_get(entry, "root");

        if (strcmp(lp_json_str(entry, "type", ""), "Optical Spectrum") == 0
            && strcmp(lp_json_str(entry, "status", ""), "terminated") != 0
            && ends_at(root, port, &far))
            rows[(*count)++] = root;
    }
    qsort(rows, *count, sizeof *rows, by_name);
    return rows;
}

struct label {
    const json_t *closure;
    const char *local, *far; /* blocks of ports */
    const char *names;
};

static const char *
port_value(const struct label *label, const char *port, const char *name)
{
    const json_t *entry =
        lp_closure_subscription(label->closure, lp_closure_owner(label->closure, port));
    const json_t *root = json_object_get(entry, "root");

    if (strcmp(name, "fqdn") == 0)
        return lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, NULL);
    if (strcmp(name, "node") == 0)
        return lp_json_str(root, LP_F_OPTICAL_DEVICE_NODE_NAME, NULL);
    if (strcmp(name, "port") == 0)
        return lp_json_str(lp_closure_block(label->closure, port),
                           LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, NULL);
    return NULL;
}

static const char *
label_value(const void *ctx, const char *placeholder)
{
    const struct label *label = ctx;

    if (strncmp(placeholder, "local.", 6) == 0)
        return port_value(label, label->local, placeholder + 6);
    if (strncmp(placeholder, "remote.", 7) == 0)
        return port_value(label, label->far, placeholder + 7);
    return strcmp(placeholder, "spectrum") == 0 ? label->names : NULL;
}

static enum lp_code
label_text(const struct lp_conf *conf, const json_t *closure, const char *port, struct lp_buf *out,
           struct lp_err *err)
{
    struct label label = {.closure = closure, .local = port};
    struct lp_buf names = LP_BUF_INIT;
    size_t count;
    const json_t **users = users_of(closure, port, &count);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; users != NULL && i < count; i++)
        lp_buf_printf(&names, "%s%s", i == 0 ? "" : "+",
                      lp_json_str(users[i], LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, ""));
    if (users == NULL || names.failed || count == 0 || !ends_at(users[0], port, &label.far))
        rc = lp_fail(err, LP_NOMEM, "no memory for a label");
    label.names = names.data;
    if (rc == LP_OK)
        rc = lp_naming_expand(lp_conf_live_text(&conf->naming_add_drop_port), label_value, &label,
                              out, err);
    if (rc == LP_INVALID)
        lp_err_prefix(err, "configuration key naming.add_drop_port: ");
    lp_buf_free(&names);
    free(users);
    return rc;
}

/* The port itself. Its id is that of a fiber's end: what a patch cord and a spectrum want of one
 * port is one object, which stays as long as one of them is there. */
static enum lp_code
desire_port(const struct lp_conf *conf, const json_t *closure, const char *port, json_t *out,
            struct lp_err *err)
{
    const char *name =
        lp_json_str(lp_closure_block(closure, port), LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, NULL);
    struct lp_buf text = LP_BUF_INIT;
    bool patched = has_patch(closure, port);
    json_t *intent = NULL;
    enum lp_code rc = LP_OK;

    if (name == NULL)
        return LP_OK;
    if (!patched)
        rc = label_text(conf, closure, port, &text, err);
    if (rc == LP_OK)
        intent = json_pack("{s:o, s:s, s:b, s:s, s:s, s:b, s:s*}", "id",
                           json_sprintf("fiber-end:%s", name), "kind", "port", "present", 1, "port",
                           name, "role", "ols-add-drop", "manual", 1, "label",
                           patched ? NULL : text.data);
    lp_buf_free(&text);
    if (rc == LP_OK && intent == NULL)
        rc = lp_fail(err, LP_NOMEM, "no memory for an intent");
    return rc == LP_OK ? lp_desire(out, lp_closure_owner(closure, port), intent, err) : rc;
}

/* ---- all of it ---- */

static enum lp_code
spectrum_desired(const struct lp_conf *conf, const json_t *closure, json_t **out,
                 struct lp_err *err)
{
    const json_t *root = lp_closure_root(closure);
    json_auto_t *desired = json_pack("{s:{}}", "elements");
    enum lp_code rc = lp_spectrum_desire(closure, root, lp_spectrum_label(conf), desired, err);

    for (size_t i = 0; i < 2 && rc == LP_OK; i++) {
        const char *port = json_string_value(ends_of(root, i));

        if (port != NULL)
            rc = desire_port(conf, closure, port, desired, err);
    }
    if (rc == LP_OK)
        *out = lp_json_take(&desired);
    return rc;
}

/* Who else ends at its add/drop ports: the port's label names all of them. Line ports are not
 * meant: nothing that is told to an element depends on who else runs through. */
static const char *const shared[] = {
    "OpticalDevicePort." LP_F_OPTICAL_SPECTRUM_SECTION_ADD_DROP_PORTS, NULL};

const struct lp_product lp_product_optical_spectrum = {.type = "Optical Spectrum",
                                                       .describe = spectrum_describe,
                                                       .check = lp_spectrum_check,
                                                       .derive = spectrum_derive,
                                                       .desired = spectrum_desired,
                                                       .shared_blocks = shared};
