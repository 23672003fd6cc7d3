/* How messages of the notifier leave the house: the scheduler knows when and what, the clients know
 * how, and only the daemon sees both. */
#include <stdlib.h>
#include <string.h>

#include "base/docfile.h"
#include "base/json.h"
#include "clients/mail.h"
#include "clients/webhook.h"
#include "daemon/daemon.h"

/** A secret of the named file, or NULL when no file is named. */
static enum lp_code
secret_of(const json_t *obj, const char *key, char **out, struct lp_err *err)
{
    const char *path = lp_json_str(obj, key, NULL);

    *out = NULL;
    return path == NULL ? LP_OK : lp_secret_read(path, out, err);
}

/** TLS, or plain HTTP that stays on this machine: "http://127.0.0.1:x@elsewhere/" does not. */
static bool
may_send_to(const char *url)
{
    const char *port = url + strlen("http://127.0.0.1:");

    if (strncmp(url, "https://", 8) == 0)
        return true;
    return strncmp(url, "http://127.0.0.1:", 17) == 0 && port[strcspn(port, "/?#@")] != '@';
}

static enum lp_code
post(struct lp_daemon *daemon, const json_t *target, const struct lp_message *message,
     int cancel_fd, struct lp_err *err)
{
    const char *url = lp_json_str(target, "url", NULL);
    char *secret = NULL, *secret_url = NULL;
    enum lp_code rc = secret_of(target, "secret_file", &secret, err);

    if (rc == LP_OK && url == NULL)
        rc = secret_of(target, "url_file", &secret_url, err);
    if (rc == LP_OK && secret_url != NULL && !may_send_to(secret_url))
        rc = lp_fail(err, LP_INVALID, "url_file must hold a URL that begins with https://");
    if (rc == LP_OK)
        rc = lp_webhook_send(&(struct lp_webhook){.url = url == NULL ? secret_url : url,
                                                  .secret = secret,
                                                  .ca_file = lp_json_str(target, "ca_file", NULL),
                                                  .id = message->id,
                                                  .body = message->body,
                                                  .now_us = lp_clock_utc_us(&daemon->clock),
                                                  .timeout_ms = lp_conf_live_int(
                                                      &daemon->conf->notifications_timeout_ms),
                                                  .cancel_fd = cancel_fd},
                             err);
    lp_secret_free(secret);
    lp_secret_free(secret_url);
    return rc;
}

static enum lp_mail_tls
tls_of(const json_t *smtp)
{
    const char *tls = lp_json_str(smtp, "tls", "starttls");

    if (strcmp(tls, "none") == 0)
        return LP_MAIL_PLAIN;
    return strcmp(tls, "tls") == 0 ? LP_MAIL_TLS : LP_MAIL_STARTTLS;
}

static enum lp_code
mail(struct lp_daemon *daemon, const json_t *smtp, const json_t *target,
     const struct lp_message *message, int cancel_fd, struct lp_err *err)
{
    const json_t *list = json_object_get(target, "mail");
    const char *to[50];
    size_t count = 0;
    char *password = NULL;
    enum lp_code rc = secret_of(smtp, "password_file", &password, err);

    while (count < json_array_size(list) && count < LP_COUNT(to)) {
        to[count] = json_string_value(json_array_get(list, count));
        count++;
    }
    if (rc == LP_OK)
        rc = lp_mail_send(&(struct lp_mail_server){.server = lp_json_str(smtp, "server", ""),
                                                   .tls = tls_of(smtp),
                                                   .user = lp_json_str(smtp, "user", NULL),
                                                   .password = password,
                                                   .ca_file = lp_json_str(smtp, "ca_file", NULL)},
                          &(struct lp_mail){.from = lp_json_str(smtp, "from", ""),
                                            .to = to,
                                            .to_count = count,
                                            .subject = message->subject,
                                            .text = message->text,
                                            .id = message->id,
                                            .now_us = lp_clock_utc_us(&daemon->clock),
                                            .timeout_ms = lp_conf_live_int(
                                                &daemon->conf->notifications_timeout_ms),
                                            .cancel_fd = cancel_fd},
                          err);
    lp_secret_free(password);
    return rc;
}

enum lp_code
lp_daemon_send(void *arg, const struct lp_rules *rules, const json_t *target,
               const struct lp_message *message, int cancel_fd, struct lp_err *err)
{
    if (json_object_get(target, "mail") != NULL)
        return mail(arg, lp_rules_smtp(rules), target, message, cancel_fd, err);
    return post(arg, target, message, cancel_fd, err);
}
