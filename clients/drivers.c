/* The tables of drivers, capabilities and port roles. */
#include <assert.h>
#include <string.h>

#include "clients/driver.h"
#include "wire/tl1.h"

#define LP_DRIVER(symbol) extern const struct lp_driver lp_driver_##symbol;
#include "clients/drivers.def"
#undef LP_DRIVER

static const struct lp_driver *const drivers[] = {
#define LP_DRIVER(symbol) &lp_driver_##symbol,
#include "clients/drivers.def"
#undef LP_DRIVER
    NULL};

static const char *const cap_names[] = {
#define LP_CAP(symbol, name, text) [symbol] = (name),
#include "clients/caps.def"
#undef LP_CAP
};
static_assert(LP_COUNT(cap_names) == LP_CAP_COUNT, "a name for every capability");
static_assert(LP_CAP_COUNT <= 64, "capabilities are bits of a uint64_t");

static const char *const role_names[] = {
    [LP_PORT_OLS_LINE] = "ols-line",
    [LP_PORT_OLS_ADD_DROP] = "ols-add-drop",
    [LP_PORT_TRX_LINE] = "trx-line",
    [LP_PORT_TRX_CLIENT] = "trx-client",
};
static_assert(LP_COUNT(role_names) == LP_PORT_ROLE_COUNT, "a name for every role");

const char *
lp_cap_name(enum lp_cap cap)
{
    return (unsigned)cap < LP_CAP_COUNT ? cap_names[cap] : "unknown";
}

const char *
lp_port_role_name(enum lp_port_role role)
{
    return (unsigned)role < LP_PORT_ROLE_COUNT ? role_names[role] : "unknown";
}

bool
lp_port_role_from_name(const char *name, enum lp_port_role *out)
{
    for (size_t i = 0; i < LP_COUNT(role_names); i++) {
        if (strcmp(role_names[i], name) == 0) {
            *out = (enum lp_port_role)i;
            return true;
        }
    }
    return false;
}

const struct lp_driver *
lp_driver_of(const char *name)
{
    for (size_t i = 0; drivers[i] != NULL; i++) {
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    }
    return NULL;
}

const struct lp_driver *const *
lp_drivers(size_t *count)
{
    *count = LP_COUNT(drivers) - 1;
    return drivers;
}

bool
lp_driver_text_has_secret(const char *text)
{
    struct lp_buf clean = LP_BUF_INIT;
    bool found;

    lp_tl1_redact(&clean, text, strlen(text), NULL);
    found = clean.failed || (clean.data != NULL && strcmp(clean.data, text) != 0);
    lp_buf_free(&clean);
    return found;
}
