/* Optical Device: an element of the network and its ports. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "clients/driver.h"
#include "model/products_gen.h"
#include "products/naming.h"
#include "products/product.h"

static char *
device_describe(const json_t *root)
{
    char *text;

    return asprintf(&text, "%s (%s)", lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, "unnamed"),
                    lp_json_str(root, LP_F_OPTICAL_DEVICE_PLATFORM, "unknown platform"))
                   < 0
               ? NULL
               : text;
}

/* The node name: the host name without the configured domain; without one its first label. */
static enum lp_code
device_derive(const struct lp_conf *conf, const json_t *closure, json_t *root, struct lp_err *err)
{
    const char *fqdn = lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, NULL);
    const char *domain = lp_conf_live_text(&conf->naming_domain);
    size_t len, tail = strlen(domain);

    (void)closure;
    if (fqdn == NULL || lp_json_str(root, LP_F_OPTICAL_DEVICE_NODE_NAME, NULL) != NULL)
        return LP_OK;
    len = strlen(fqdn);
    if (tail > 0 && len > tail + 1 && fqdn[len - tail - 1] == '.'
        && strcmp(fqdn + len - tail, domain) == 0)
        len -= tail + 1;
    else if (tail == 0)
        len = strcspn(fqdn, ".");
    if (json_object_set_new(root, LP_F_OPTICAL_DEVICE_NODE_NAME, json_stringn(fqdn, len)) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for a node name");
    return LP_OK;
}

/* ---- rules ---- */

/* The code of a PoP as it stands in a pattern, with nothing special about it; NULL: anything. */
static void
add_code(struct lp_buf *out, const char *code, int filter)
{
    if (code == NULL)
        lp_buf_printf(out, "(.+)");
    for (; code != NULL && *code != '\0'; code++) {
        int c = (unsigned char)*code;
        if (strchr("^.[]$()|*+?{}\\", c) != NULL)
            lp_buf_char(out, '\\');
        lp_buf_char(out, (char)(filter == 'l' ? tolower(c) : filter == 'u' ? toupper(c) : c));
    }
}

/* The pattern with the code in it: braces mean something else in an expression, so only these
 * three words are looked for. */
static bool
expand_pattern(const char *pattern, const char *code, struct lp_buf *out)
{
    static const struct {
        const char *word;
        int filter;
    } words[] = {{"{pop.code}", 0}, {"{pop.code|lower}", 'l'}, {"{pop.code|upper}", 'u'}};
    bool any = false;

    while (*pattern != '\0') {
        size_t i, len = 0;
        for (i = 0; i < LP_COUNT(words) && len == 0; i++)
            if (strncmp(pattern, words[i].word, strlen(words[i].word)) == 0) {
                len = strlen(words[i].word);
                add_code(out, code, words[i].filter);
            }
        any = any || len > 0;
        if (len == 0)
            lp_buf_char(out, *pattern);
        pattern += len == 0 ? 1 : len;
    }
    return any;
}

enum lp_code
lp_device_name_fits(const struct lp_conf *conf, const char *pop_code, const char *fqdn,
                    struct lp_err *err)
{
    const char *pattern = lp_conf_live_text(&conf->device_fqdn_pattern);
    struct lp_buf text = LP_BUF_INIT;
    bool coded = expand_pattern(pattern, pop_code, &text);
    enum lp_code rc = text.data == NULL || text.failed
                          ? lp_fail(err, LP_NOMEM, "no memory for a pattern")
                          : lp_naming_matches(text.data, fqdn, err);

    if (rc == LP_NOT_FOUND && coded && pop_code != NULL)
        rc = lp_fail(err, LP_NOT_FOUND, "host name %.255s must match %.256s, in PoP %.64s: %.300s",
                     fqdn, pattern, pop_code, text.data);
    else if (rc == LP_NOT_FOUND)
        rc = lp_fail(err, LP_NOT_FOUND, "host name %.255s must match %.256s", fqdn, pattern);
    else if (rc == LP_INVALID)
        rc = lp_err_prefix(err, "the configured device.fqdn_pattern cannot be used: ");
    lp_buf_free(&text);
    return rc;
}

static void
check_name(const struct lp_conf *conf, const char *code, const json_t *root,
           struct lp_problems *problems)
{
    const char *fqdn = lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, NULL);
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc = fqdn == NULL ? LP_OK : lp_device_name_fits(conf, code, fqdn, &err);

    if (rc != LP_OK)
        lp_problem_field(problems, rc == LP_NOT_FOUND ? "string_pattern_mismatch" : "value_error",
                         LP_F_OPTICAL_DEVICE_FQDN, json_object_get(root, LP_F_OPTICAL_DEVICE_FQDN),
                         "%s", err.msg);
    lp_err_clear(&err);
}

/* Where it stands decides what it may be called. */
static void
device_check_linked(const struct lp_conf *conf, const json_t *closure, const json_t *root,
                    struct lp_problems *problems)
{
    const json_t *pop = lp_closure_block(closure, lp_json_str(root, LP_F_OPTICAL_DEVICE_POP, NULL));
    const char *code = lp_json_str(pop, LP_F_POP_CODE, NULL);
    const char *fqdn = lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, "");
    struct lp_err said = LP_ERR_INIT; /* by the other check: a name that is wrong anywhere */

    if (code != NULL && lp_device_name_fits(conf, NULL, fqdn, &said) == LP_OK)
        check_name(conf, code, root, problems);
    lp_err_clear(&said);
}

static void
check_address(const json_t *root, const char *field, struct lp_problems *problems)
{
    const char *text = lp_json_str(root, field, NULL);
    unsigned char bytes[sizeof(struct in6_addr)];
    char canonical[INET6_ADDRSTRLEN];
    int family = text != NULL && strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    if (text == NULL)
        return;
    if (inet_pton(family, text, bytes) != 1)
        lp_problem_field(problems, "value_error", field, json_object_get(root, field),
                         "'%s' is not an IP address", text);
    else if (strcmp(inet_ntop(family, bytes, canonical, sizeof(canonical)), text) != 0)
        lp_problem_field(problems, "value_error", field, json_object_get(root, field),
                         "write the address %s as %s", text, canonical);
}

static void
check_platform(const json_t *root, struct lp_problems *problems)
{
    const char *platform = lp_json_str(root, LP_F_OPTICAL_DEVICE_PLATFORM, NULL);
    const json_t *value = json_object_get(root, LP_F_OPTICAL_DEVICE_PLATFORM);
    struct lp_buf known = LP_BUF_INIT;
    size_t count;
    const struct lp_driver *const *drivers = lp_drivers(&count);

    if (platform == NULL || lp_product_driver(platform) != NULL)
        return;
    for (size_t i = 0; i < count; i++)
        lp_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", drivers[i]->platform);
    lp_problem_field(problems, "value_error", LP_F_OPTICAL_DEVICE_PLATFORM, value,
                     "no driver speaks to '%.60s'; there are: %s", platform,
                     known.data == NULL ? "none" : known.data);
    lp_buf_free(&known);
}

static void
check_ports(const json_t *root, struct lp_problems *problems)
{
    const json_t *ports = json_object_get(root, LP_F_OPTICAL_DEVICE_PORTS), *port;
    json_auto_t *seen = json_object();
    size_t i;

    json_array_foreach(ports, i, port)
    {
        const char *name = lp_json_str(port, LP_F_OPTICAL_DEVICE_PORT_PORT_NAME, NULL);
        if (name == NULL)
            continue;
        if (json_object_get(seen, name) != NULL)
            lp_problem_field(problems, "value_error", LP_F_OPTICAL_DEVICE_PORTS, NULL,
                             "port %s stands there twice", name);
        else
            (void)json_object_set_new(seen, name, json_true());
    }
}

static void
device_check(const struct lp_conf *conf, const json_t *root, struct lp_problems *problems)
{
    const char *loopback = lp_json_str(root, LP_F_OPTICAL_DEVICE_LOOPBACK_IP, NULL);
    const char *management = lp_json_str(root, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP, NULL);

    check_name(conf, NULL, root, problems);
    check_platform(root, problems);
    check_address(root, LP_F_OPTICAL_DEVICE_LOOPBACK_IP, problems);
    check_address(root, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP, problems);
    if (loopback != NULL && management != NULL && strcmp(loopback, management) == 0)
        lp_problem_field(problems, "value_error", LP_F_OPTICAL_DEVICE_MANAGEMENT_IP,
                         json_object_get(root, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP),
                         "loopback and management address are the same: give one of them");
    check_ports(root, problems);
}

/* ---- the element ---- */

/* "10.0.0.1", "10.0.0.1:9090", "[2001:db8::1]:9090" */
static int
add_address(const json_t *root, const char *field, json_t *list)
{
    const char *ip = lp_json_str(root, field, NULL);
    int64_t port = lp_json_int(root, LP_F_OPTICAL_DEVICE_MANAGEMENT_PORT, 0);
    bool six = ip != NULL && strchr(ip, ':') != NULL;
    char text[INET6_ADDRSTRLEN + 16];

    if (ip == NULL)
        return 0;
    if (port > 0)
        (void)snprintf(text, sizeof(text), six ? "[%s]:%d" : "%s:%d", ip, (int)port);
    else
        (void)snprintf(text, sizeof(text), six ? "[%s]" : "%s", ip);
    return json_array_append_new(list, json_string(text));
}

static int
add_addresses(const json_t *root, json_t *list)
{
    return add_address(root, LP_F_OPTICAL_DEVICE_LOOPBACK_IP, list) == 0
                   && add_address(root, LP_F_OPTICAL_DEVICE_MANAGEMENT_IP, list) == 0
               ? 0
               : -1;
}

static int
add_gateways(const json_t *closure, const json_t *root, json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(root, LP_F_OPTICAL_DEVICE_GATEWAYS), i, item)
    {
        const char *owner = lp_closure_owner(closure, json_string_value(item));
        const json_t *sub = lp_closure_subscription(closure, owner);
        if (add_addresses(json_object_get(sub, "root"), list) != 0)
            return -1;
    }
    return 0;
}

static enum lp_code
device_element(const struct lp_conf *conf, const json_t *closure, const json_t *sub, json_t **out,
               struct lp_err *err)
{
    const json_t *root = json_object_get(sub, "root");
    const char *platform = lp_json_str(root, LP_F_OPTICAL_DEVICE_PLATFORM, "");
    const char *pop = lp_json_str(root, LP_F_OPTICAL_DEVICE_POP, NULL);
    const struct lp_driver *driver = lp_product_driver(platform);
    json_auto_t *addresses = json_array(), *gateways = json_array(), *doc = NULL;

    (void)conf;
    if (driver == NULL)
        return lp_fail(err, LP_UNSUPPORTED, "%s: no driver speaks to '%.60s'",
                       lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, "the device"), platform);
    if (add_addresses(root, addresses) != 0 || add_gateways(closure, root, gateways) != 0)
        return lp_fail(err, LP_NOMEM, "no memory for an element");
    if (json_array_size(addresses) + json_array_size(gateways) == 0)
        return lp_fail(err, LP_PRECONDITION,
                       "%s has neither an address nor a gateway: there is no way to reach it",
                       lp_json_str(root, LP_F_OPTICAL_DEVICE_FQDN, "the device"));
    doc = json_pack("{s:O, s:O, s:O, s:s, s:O, s:O, s:O*, s:O*, s:s*, s:s*}", "id",
                    json_object_get(sub, "subscription_id"), "name",
                    json_object_get(root, LP_F_OPTICAL_DEVICE_FQDN), "node",
                    json_object_get(root, LP_F_OPTICAL_DEVICE_NODE_NAME), "driver", driver->name,
                    "addresses", addresses, "gateways", gateways, "credentials",
                    json_object_get(root, LP_F_OPTICAL_DEVICE_CREDENTIALS), "serial",
                    json_object_get(root, LP_F_OPTICAL_DEVICE_SERIAL), "site",
                    lp_closure_owner(closure, pop), "site_name",
                    lp_json_str(lp_closure_block(closure, pop), LP_F_POP_CODE, NULL));
    if (doc == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for an element");
    *out = lp_json_take(&doc);
    return LP_OK;
}

const struct lp_driver *
lp_product_driver(const char *platform)
{
    size_t count;
    const struct lp_driver *const *drivers = lp_drivers(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(drivers[i]->platform, platform) == 0)
            return drivers[i];
    return NULL;
}

const struct lp_product lp_product_optical_device = {.type = "Optical Device",
                                                     .describe = device_describe,
                                                     .derive = device_derive,
                                                     .check = device_check,
                                                     .check_linked = device_check_linked,
                                                     .element = device_element};
