/* The driver host: credentials, circuit breakers, sessions. */
#include "clients/host.h"

#include <stdlib.h>

struct lp_driver_host {
    struct lp_driver_host_options options;
    struct lp_credentials *credentials;
    struct lp_breakers *breakers;
};

enum lp_code
lp_driver_host_new(const struct lp_driver_host_options *options, struct lp_driver_host **out,
                   struct lp_err *err)
{
    const struct lp_conf *conf = options->conf;
    const struct lp_breaker_options breaker = {
        .clock = options->clock,
        .failures = (unsigned)conf->devices_breaker_failures,
        .window_ms = conf->devices_breaker_window_ms,
        .open_ms = conf->devices_breaker_open_ms,
    };
    struct lp_driver_host *host = calloc(1, sizeof *host);
    enum lp_code rc;

    if (host == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the driver host");
    host->options = *options;
    rc = lp_credentials_open(conf->devices_credentials, &host->credentials, err);
    if (rc == LP_OK)
        rc = lp_breakers_new(&breaker, &host->breakers, err);
    if (rc != LP_OK) {
        lp_driver_host_free(host);
        return rc;
    }
    *out = host;
    return LP_OK;
}

void
lp_driver_host_free(struct lp_driver_host *host)
{
    if (host == NULL)
        return;
    lp_breakers_free(host->breakers);
    lp_credentials_free(host->credentials);
    free(host);
}

/* A file that went wrong is logged and the former one stays in force. */
static void
refresh_credentials(struct lp_driver_host *host)
{
    struct lp_err err = LP_ERR_INIT;

    if (lp_credentials_refresh(host->credentials, &err) != LP_OK)
        lp_log_err(host->options.log, LP_LOG_ERROR, "devices.credentials", &err);
    lp_err_clear(&err);
}

enum lp_code
lp_driver_host_credential(struct lp_driver_host *host, const char *name, struct lp_credential *out,
                          struct lp_err *err)
{
    refresh_credentials(host);
    return lp_credentials_get(host->credentials, name, out, err);
}

const struct lp_conf *
lp_driver_host_conf(const struct lp_driver_host *host)
{
    return host->options.conf;
}

const struct lp_clock *
lp_driver_host_clock(const struct lp_driver_host *host)
{
    return host->options.clock;
}

struct lp_log *
lp_driver_host_log(const struct lp_driver_host *host)
{
    return host->options.log;
}

struct lp_breakers *
lp_driver_host_breakers(const struct lp_driver_host *host)
{
    return host->breakers;
}
