/**
 * One mail through SMTP (libcurl).
 *
 * Addresses and subject may come from anywhere: an address that is not of the plain form is
 * refused, line ends and other control characters of the subject become blanks, and text goes out
 * as base64, so nothing in it can begin a header or a command. The server's certificate is
 * verified. Threads: any.
 */
#ifndef LP_CLIENTS_MAIL_H
#define LP_CLIENTS_MAIL_H

#include <stdint.h>

#include "base/err.h"

enum lp_mail_tls { LP_MAIL_STARTTLS, LP_MAIL_TLS, LP_MAIL_PLAIN };

struct lp_mail_server {
    const char *server; /* HOST or HOST:PORT */
    enum lp_mail_tls tls;
    const char *user, *password; /* or NULL */
    const char *ca_file;         /* or NULL */
};

struct lp_mail {
    const char *from;
    const char *const *to;
    size_t to_count;
    const char *subject; /* UTF-8 */
    const char *text;    /* UTF-8 */
    const char *id;      /* becomes the Message-ID: the same at every attempt */
    int64_t now_us;      /* UTC, for the date */
    int64_t timeout_ms;
    int cancel_fd; /* readable = stop; -1 none */
};

/** LP_INVALID: an address. LP_AUTH: the server refuses the password. LP_REFUSED: it refuses the
 * mail or an address. LP_PROTOCOL: no trusted connection. LP_RETRYABLE: nothing was sent.
 * LP_UNKNOWN: it broke in the middle and may have arrived. LP_CANCELLED. */
enum lp_code lp_mail_send(const struct lp_mail_server *server, const struct lp_mail *mail,
                          struct lp_err *err) LP_MUST_CHECK;

#endif
