#include "clients/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "clients/http.h"

enum { LARGEST_ANSWER = 1 << 20 };

/** Splits "https://host:port/path?query" behind the authority. */
static size_t
origin_len(const char *url)
{
    const char *host = strstr(url, "://");

    host = host == NULL ? url : host + 3;
    return (size_t)(host - url) + strcspn(host, "/?#");
}

static void
sign(const struct lp_webhook *hook, int64_t seconds, char header[static 100])
{
    struct lp_buf text = LP_BUF_INIT;
    char hex[65];

    lp_buf_printf(&text, "%" PRId64 ".%s", seconds, hook->body);
    if (text.failed)
        abort(); /* an unsigned message is worse than none */
    lp_hmac_hex(hook->secret, strlen(hook->secret), text.data, text.len, hex);
    snprintf(header, 100, "Lightpath-Signature: v1=%s", hex);
    lp_buf_free(&text);
}

static enum lp_code
post(const struct lp_webhook *hook, struct lp_http *http, const char *path, int *status,
     struct lp_err *err)
{
    int64_t seconds = hook->now_us / 1000000;
    char id[120], timestamp[60], signature[100];
    const char *headers[] = {id, timestamp, NULL, NULL};
    struct lp_http_reply reply;
    enum lp_code rc;

    snprintf(id, sizeof id, "Lightpath-Id: %.80s", hook->id);
    snprintf(timestamp, sizeof timestamp, "Lightpath-Timestamp: %" PRId64, seconds);
    if (hook->secret != NULL) {
        sign(hook, seconds, signature);
        headers[2] = signature;
    }
    rc = lp_http_send(http,
                      &(struct lp_http_request){.method = "POST",
                                                .path = path,
                                                .body = hook->body,
                                                .body_len = strlen(hook->body),
                                                .headers = headers,
                                                .timeout_ms = hook->timeout_ms},
                      &reply, err);
    if (rc != LP_OK)
        return rc;
    *status = reply.status;
    lp_http_reply_free(&reply);
    return LP_OK;
}

enum lp_code
lp_webhook_send(const struct lp_webhook *hook, struct lp_err *err)
{
    size_t len = origin_len(hook->url);
    char *origin = strndup(hook->url, len);
    const char *path = hook->url[len] == '/' ? hook->url + len : "/";
    struct lp_http *http = NULL;
    int status = 0;
    enum lp_code rc;

    if (origin == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a webhook");
    rc = lp_http_new(&(struct lp_http_options){.url = origin,
                                               .ca_file = hook->ca_file,
                                               .agent = "lightpathd",
                                               .connect_ms = hook->timeout_ms,
                                               .timeout_ms = hook->timeout_ms,
                                               .max_reply = LARGEST_ANSWER,
                                               .cancel_fd = hook->cancel_fd,
                                               .no_redirects = true},
                     &http, err);
    if (rc == LP_OK)
        rc = post(hook, http, path, &status, err);
    if (rc == LP_OK && (status < 200 || status > 299))
        rc = lp_fail(err, LP_REFUSED, "%.200s answered %d%s", lp_http_where(http), status,
                     status >= 300 && status < 400 ? " (redirects are not followed)" : "");
    lp_http_free(http);
    free(origin);
    return rc;
}
