/* Optical Digital Service: Ethernet between two client ports, over one or two channels that it owns
 * or shares. What its elements should hold is a pure function of the closure: every service on a
 * channel desires the same lines, circuits and shutters, with a label that names all of them. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/driver.h"
#include "model/products_gen.h"
#include "products/channels.h"
#include "products/ends.h"
#include "products/naming.h"
#include "products/product.h"
#include "products/spectrum.h"

static char *
service_describe(const json_t *root)
{
    char *text;

    return asprintf(&text, "%s (%s)",
                    lp_json_str(root, LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_NAME, "unnamed service"),
                    lp_json_str(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_SIGNAL, "no signal"))
                   < 0
               ? NULL
               : text;
}

/* ---- names ---- */

/* {a.fqdn} {a.node} {a.port} {a.pop} and the same of z (or local and remote), and texts of its own.
 */
struct names {
    const char *prefix[2];
    struct lp_end end[2];
    struct {
        const char *name, *value;
    } own[4];
};

static const char *
name_value(const void *ctx, const char *placeholder)
{
    const struct names *names = ctx;

    for (size_t i = 0; i < LP_COUNT(names->own) && names->own[i].name != NULL; i++)
        if (strcmp(placeholder, names->own[i].name) == 0)
            return names->own[i].value;
    for (size_t i = 0; i < 2; i++) {
        size_t len = names->prefix[i] == NULL ? 0 : strlen(names->prefix[i]);
        if (len > 0 && strncmp(placeholder, names->prefix[i], len) == 0)
            return lp_end_value(&names->end[i], placeholder + len);
    }
    return NULL;
}

static enum lp_code
expand(const char *key, const char *template, const struct names *names, struct lp_buf *out,
       struct lp_err *err)
{
    enum lp_code rc = lp_naming_expand(template, name_value, names, out, err);

    if (rc == LP_INVALID)
        lp_err_prefix(err, "configuration key naming.%s: ", key);
    return rc;
}

/* Expands into a member of a document. */
static enum lp_code
set_name(const char *key, const char *template, const struct names *names, json_t *doc,
         const char *member, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    enum lp_code rc = expand(key, template, names, &text, err);

    if (rc == LP_OK
        && json_object_set_new(doc, member,
                               json_stringn(text.data == NULL ? "" : text.data, text.len))
               != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory for a name");
    lp_buf_free(&text);
    return rc;
}

static enum lp_code
channel_tag(const struct lp_conf *conf, const json_t *channel, struct lp_buf *out,
            struct lp_err *err)
{
    char number[24];
    const struct names names = {.own = {{"och", number}}};

    (void)snprintf(number, sizeof number, "%03lld",
                   (long long)lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OCH_ID, 0));
    return expand("channel_tag", lp_conf_live_text(&conf->naming_channel_tag), &names, out, err);
}

/* ---- derived members ---- */

/* The name of a channel's spectrum, and its passband and carrier. */
static enum lp_code
derive_channel(const struct lp_conf *conf, const json_t *closure, json_t *channel,
               struct lp_err *err)
{
    struct names names = {.prefix = {"a.", "z."}};
    json_t *spectrum = json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM);
    struct lp_buf tag = LP_BUF_INIT;
    enum lp_code rc;

    if (spectrum == NULL) {
        spectrum = json_object();
        if (json_object_set_new(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM, spectrum)
            != 0)
            return lp_fail(err, LP_NOMEM, "no memory for a channel");
    }
    rc = lp_channel_derive(channel, err);
    if (rc != LP_OK || !lp_channel_ends(closure, channel, names.end))
        return rc;
    rc = channel_tag(conf, channel, &tag, err);
    names.own[0].name = "channel";
    names.own[0].value = tag.data == NULL ? "" : tag.data;
    if (rc == LP_OK)
        rc = set_name("channel", lp_conf_live_text(&conf->naming_channel), &names, spectrum,
                      LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, err);
    lp_buf_free(&tag);
    return rc == LP_OK ? lp_spectrum_derive(closure, spectrum, err) : rc;
}

/* Labels of circuits are read back as well as written: this form is no template. */
static enum lp_code
derive_tag(json_t *root, struct lp_err *err)
{
    int64_t flow = lp_json_int(root, LP_F_OPTICAL_DIGITAL_SERVICE_FLOW_ID, 0);
    int64_t client = lp_json_int(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_ID, 0);

    if (flow <= 0 || client <= 0)
        return LP_OK;
    return json_object_set_new(root, LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_TAG,
                               json_sprintf("f%03lldc%02lld", (long long)flow, (long long)client))
                   == 0
               ? LP_OK
               : lp_fail(err, LP_NOMEM, "no memory for a tag");
}

static enum lp_code
join_channel_tags(const struct lp_conf *conf, const json_t *closure, const json_t *root,
                  struct lp_buf *out, struct lp_err *err)
{
    const json_t *channels[LP_CHANNELS_MOST];
    size_t count = lp_channels_of(closure, root, channels);
    enum lp_code rc = LP_OK;

    for (size_t i = 0; i < count && rc == LP_OK; i++) {
        if (i > 0)
            lp_buf_char(out, '+');
        rc = channel_tag(conf, channels[i], out, err);
    }
    return rc;
}

static enum lp_code
derive_name(const struct lp_conf *conf, const json_t *closure, json_t *root, struct lp_err *err)
{
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    struct names names = {.prefix = {"a.", "z."}};
    struct lp_buf channels = LP_BUF_INIT;
    enum lp_code rc;

    for (size_t i = 0; i < 2; i++)
        if (!lp_end_find(closure, json_string_value(json_array_get(ports, i)), &names.end[i]))
            return LP_OK;
    rc = join_channel_tags(conf, closure, root, &channels, err);
    names.own[0].name = "tag";
    names.own[0].value = lp_json_str(root, LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_TAG, "");
    names.own[1].name = "channels";
    names.own[1].value = channels.data == NULL ? "" : channels.data;
    if (rc == LP_OK)
        rc = set_name("service", lp_conf_live_text(&conf->naming_service), &names, root,
                      LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_NAME, err);
    lp_buf_free(&channels);
    return rc;
}

static enum lp_code
service_derive(const struct lp_conf *conf, const json_t *closure, json_t *root, struct lp_err *err)
{
    json_t *channel;
    size_t i;
    enum lp_code rc = derive_tag(root, err);

    json_array_foreach(json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS), i, channel)
    {
        if (rc == LP_OK)
            rc = derive_channel(conf, closure, channel, err);
    }
    return rc == LP_OK ? derive_name(conf, closure, root, err) : rc;
}

/* ---- rules ---- */

static void
check_channels(const json_t *root, struct lp_problems *problems)
{
    const json_t *list = json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS), *channel;
    size_t i;

    json_array_foreach(list, i, channel)
    {
        lp_channel_check(channel, problems);
        if (i > 0
            && !json_equal(
                json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE),
                json_object_get(json_array_get(list, 0), LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE)))
            lp_problem_field(problems, "value_error", LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, NULL,
                             "both channels of a service have the same mode");
    }
    if (json_array_size(list) == 2)
        lp_channel_check_apart(json_array_get(list, 0), json_array_get(list, 1), problems);
}

static void
service_check(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);
    size_t channels =
        json_array_size(json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS))
        + json_array_size(json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_SHARED_CHANNELS));

    (void)conf;
    if (json_array_size(ports) != 2
        || json_equal(json_array_get(ports, 0), json_array_get(ports, 1)))
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS, ports,
                         "a service has two different client ports");
    if (channels == 0)
        lp_problem_field(problems, "missing", LP_F_OPTICAL_DIGITAL_SERVICE_CHANNELS, NULL,
                         "a service rides on one or two channels");
    check_channels(root, problems);
}

/* ---- what the elements should hold ---- */

/* Do the channels of a service form one super-channel on this device? */
static bool
couples(const struct lp_end *end)
{
    const struct lp_driver *driver =
        lp_product_driver(lp_json_str(end->root, LP_F_OPTICAL_DEVICE_PLATFORM, ""));

    return driver != NULL && lp_driver_can(driver, LP_CAP_COUPLED_LINES);
}

static enum lp_code
desire_line(const struct lp_end *end, const json_t *channel, const char *label,
            const json_t *carriers, json_t *out, struct lp_err *err)
{
    const char *port = lp_end_port(end);
    json_t *intent =
        json_pack("{s:o, s:s, s:b, s:s, s:s, s:I, s:s, s:b, s:O*}", "id",
                  json_sprintf("line:%s", port), "kind", "line", "present", 1, "port", port, "mode",
                  lp_json_str(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_MODE, ""), "center_mhz",
                  (json_int_t)lp_json_int(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ, 0),
                  "label", label, "laser", 1, "carriers", carriers);

    return intent == NULL ? lp_fail(err, LP_NOMEM, "no memory for an intent")
                          : lp_desire(out, end->device, intent, err);
}

static const char *
channel_name(const json_t *channel)
{
    return lp_json_str(json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM),
                       LP_F_OPTICAL_SPECTRUM_SPECTRUM_NAME, "");
}

/* One intent for both line ports: labels joined, carriers in order. */
static enum lp_code
desire_coupled(struct lp_end ends[][2], size_t side, const json_t *const *channels, size_t count,
               json_t *out, struct lp_err *err)
{
    json_auto_t *carriers = json_array();
    struct lp_buf label = LP_BUF_INIT;
    enum lp_code rc;

    for (size_t i = 0; i < count; i++) {
        lp_buf_printf(&label, "%s%s", i == 0 ? "" : "+", channel_name(channels[i]));
        (void)json_array_append_new(
            carriers, json_pack("{s:s, s:I}", "port", lp_end_port(&ends[i][side]), "center_mhz",
                                (json_int_t)lp_json_int(
                                    channels[i], LP_F_OPTICAL_TRANSPORT_CHANNEL_CENTER_MHZ, 0)));
    }
    rc = desire_line(&ends[0][side], channels[0], label.data == NULL ? "" : label.data, carriers,
                     out, err);
    lp_buf_free(&label);
    return rc;
}

static enum lp_code
desire_lines(struct lp_end ends[][2], size_t side, const json_t *const *channels, size_t count,
             json_t *out, struct lp_err *err)
{
    enum lp_code rc = LP_OK;

    if (count > 1 && couples(&ends[0][side]))
        return desire_coupled(ends, side, channels, count, out, err);
    for (size_t i = 0; i < count && rc == LP_OK; i++)
        rc = desire_line(&ends[i][side], channels[i], channel_name(channels[i]), NULL, out, err);
    return rc;
}

/* Ports of all channels at one side. */
static json_t *
line_names(struct lp_end ends[][2], size_t count, size_t side)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(lp_end_port(&ends[i][side])));
    return list;
}

static enum lp_code
desire_spectrum(const json_t *closure, const json_t *channel, json_t *out, struct lp_err *err)
{
    struct lp_buf label = LP_BUF_INIT;
    enum lp_code rc = lp_channel_label(closure, channel, &label, err);

    if (rc == LP_OK)
        rc = lp_spectrum_desire(
            closure, json_object_get(channel, LP_F_OPTICAL_TRANSPORT_CHANNEL_OPTICAL_SPECTRUM),
            label.data == NULL ? "" : label.data, out, err);
    lp_buf_free(&label);
    return rc;
}

static enum lp_code
desire_client(const struct lp_conf *conf, const json_t *root, const struct lp_end ends[2],
              size_t side, const json_t *lines, json_t *out, struct lp_err *err)
{
    const struct lp_end *near = &ends[side];
    const char *name = lp_json_str(root, LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_NAME, "");
    const char *rate = lp_client_rate(root), *port = lp_end_port(near);
    const struct names names = {.prefix = {"local.", "remote."},
                                .end = {*near, ends[1 - side]},
                                .own = {{"service", name}}};
    json_auto_t *client = NULL, *cross = NULL;
    enum lp_code rc;

    client = json_pack("{s:o, s:s, s:b, s:s, s:s}", "id", json_sprintf("client:%s", port), "kind",
                       "client", "present", 1, "port", port, "rate", rate);
    cross = json_pack("{s:o, s:s, s:b, s:s, s:s, s:O, s:O, s:s, s:s}", "id",
                      json_sprintf("odu-xc:%s", port), "kind", "odu-xc", "present", 1, "name", name,
                      "client", port, "line", json_array_get(lines, 0), "lines", lines, "rate",
                      rate, "label", name);
    if (client == NULL || cross == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an intent");
    rc = set_name("client_port", lp_conf_live_text(&conf->naming_client_port), &names, client,
                  "label", err);
    if (rc == LP_OK)
        rc = lp_desire(out, near->device, lp_json_take(&client), err);
    return rc == LP_OK ? lp_desire(out, near->device, lp_json_take(&cross), err) : rc;
}

static enum lp_code
no_end(const json_t *root, const char *what, struct lp_err *err)
{
    return lp_fail(err, LP_INVALID, "%.120s: %s",
                   lp_json_str(root, LP_F_OPTICAL_DIGITAL_SERVICE_SERVICE_NAME, "the service"),
                   what);
}

static enum lp_code
find_ends(const json_t *closure, const json_t *root, struct lp_end clients[2],
          const json_t **channels, size_t *count, struct lp_end lines[][2], struct lp_err *err)
{
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_DIGITAL_SERVICE_CLIENT_PORTS);

    for (size_t i = 0; i < 2; i++)
        if (!lp_end_find(closure, json_string_value(json_array_get(ports, i)), &clients[i]))
            return no_end(root,
                          i == 0 ? "its client port at A is not there"
                                 : "its client port at Z is not there",
                          err);
    *count = lp_channels_of(closure, root, channels);
    if (*count == 0)
        return no_end(root, "its channels are not there", err);
    for (size_t i = 0; i < *count; i++)
        if (!lp_channel_ends(closure, channels[i], lines[i]))
            return no_end(root, "a line port of its channels is not there", err);
    return LP_OK;
}

static enum lp_code
service_desired(const struct lp_conf *conf, const json_t *closure, json_t **out, struct lp_err *err)
{
    const json_t *root = lp_closure_root(closure), *channels[LP_CHANNELS_MOST];
    struct lp_end clients[2], lines[LP_CHANNELS_MOST][2];
    json_auto_t *desired = json_pack("{s:{}}", "elements"), *a = NULL, *z = NULL;
    size_t count = 0;
    enum lp_code rc = find_ends(closure, root, clients, channels, &count, lines, err);

    if (rc != LP_OK)
        return rc;
    a = line_names(lines, count, 0);
    z = line_names(lines, count, 1);
    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = desire_lines(lines, side, channels, count, desired, err);
    for (size_t i = 0; i < count && rc == LP_OK; i++)
        rc = desire_spectrum(closure, channels[i], desired, err);
    for (size_t side = 0; side < 2 && rc == LP_OK; side++)
        rc = desire_client(conf, root, clients, side,
                           strcmp(clients[side].device, lines[0][0].device) == 0 ? a : z, desired,
                           err);
    if (rc == LP_OK)
        *out = lp_json_take(&desired);
    return rc;
}

static const char *const shared_blocks[] = {LP_CHANNEL_BLOCK, NULL};

const struct lp_product lp_product_optical_digital_service = {.type = LP_SERVICE_PRODUCT,
                                                              .describe = service_describe,
                                                              .derive = service_derive,
                                                              .check = service_check,
                                                              .desired = service_desired,
                                                              .shared_blocks = shared_blocks};
