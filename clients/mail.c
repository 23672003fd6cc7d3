#include "clients/mail.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/buf.h"
#include "base/utf8.h"

enum { LONGEST_ADDRESS = 254, LONGEST_SUBJECT = 250, BASE64_LINE = 57, ENCODED_PIECE = 42 };

/* ---- text ---- */

static void
base64(struct lp_buf *out, const unsigned char *data, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        unsigned a = data[i], b = i + 1 < len ? data[i + 1] : 0, c = i + 2 < len ? data[i + 2] : 0;

        lp_buf_char(out, alphabet[a >> 2]);
        lp_buf_char(out, alphabet[(a & 3) << 4 | b >> 4]);
        lp_buf_char(out, i + 1 < len ? alphabet[(b & 15) << 2 | c >> 6] : '=');
        lp_buf_char(out, i + 2 < len ? alphabet[c & 63] : '=');
    }
}

/** RFC 2047 in pieces of whole characters. */
static void
encoded(struct lp_buf *out, const char *line, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = len - i < ENCODED_PIECE ? len - i : ENCODED_PIECE;
        while (i + n < len && ((unsigned char)line[i + n] & 0xC0) == 0x80)
            n--;
        lp_buf_str(out, i == 0 ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        base64(out, (const unsigned char *)line + i, n);
        lp_buf_str(out, "?=");
    }
}

static void
subject(struct lp_buf *out, const char *text)
{
    char line[LONGEST_SUBJECT + 1];
    bool plain = strstr(text, "=?") == NULL; /* what looks encoded is encoded once more */

    lp_utf8_copy(line, sizeof line, text);
    for (char *p = line; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x20 || c == 0x7F)
            *p = ' ';
        plain = plain && c < 0x7F;
    }
    lp_buf_str(out, "Subject: ");
    if (plain)
        lp_buf_str(out, line);
    else
        encoded(out, line, strlen(line));
    lp_buf_str(out, "\r\n");
}

static void
body(struct lp_buf *out, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i += BASE64_LINE) {
        base64(out, (const unsigned char *)text + i, len - i < BASE64_LINE ? len - i : BASE64_LINE);
        lp_buf_str(out, "\r\n");
    }
}

static void
compose(struct lp_buf *out, const struct lp_mail *mail)
{
    time_t seconds = (time_t)(mail->now_us / 1000000);
    struct tm tm;
    char date[60] = "";

    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    lp_buf_printf(out, "Date: %s\r\nFrom: Lightpath <%s>\r\nTo: ", date, mail->from);
    for (size_t i = 0; i < mail->to_count; i++)
        lp_buf_printf(out, "%s<%s>", i == 0 ? "" : ",\r\n ", mail->to[i]);
    lp_buf_printf(out, "\r\nMessage-ID: <%s%s>\r\n", mail->id, strchr(mail->from, '@'));
    subject(out, mail->subject);
    lp_buf_str(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                    "Content-Type: text/plain; charset=utf-8\r\n"
                    "Content-Transfer-Encoding: base64\r\n\r\n");
    body(out, mail->text);
}

/* ---- the transfer ---- */

struct transfer {
    const struct lp_mail *mail;
    struct lp_buf text;
    size_t given;
    CURL *easy;
    struct curl_slist *to;
    bool cancelled;
    char problem[CURL_ERROR_SIZE];
};

static size_t
give(char *to, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t room = size * count, left = t->text.len - t->given;
    size_t n = left < room ? left : room;

    memcpy(to, t->text.data + t->given, n);
    t->given += n;
    return n;
}

static int
look_at_cancel(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *t = arg;
    struct pollfd fd = {.fd = t->mail->cancel_fd, .events = POLLIN};

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    t->cancelled = t->mail->cancel_fd >= 0 && poll(&fd, 1, 0) == 1;
    return t->cancelled ? 1 : 0;
}

static CURLcode
set_server(CURL *easy, const struct lp_mail_server *server)
{
    char url[400];
    CURLcode rc;

    snprintf(url, sizeof url, "%s://%.300s", server->tls == LP_MAIL_TLS ? "smtps" : "smtp",
             server->server);
    rc = curl_easy_setopt(easy, CURLOPT_URL, url);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (rc == CURLE_OK && server->tls != LP_MAIL_PLAIN)
        rc = curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (rc == CURLE_OK && server->ca_file != NULL)
        rc = curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
    if (rc == CURLE_OK && server->user != NULL)
        rc = curl_easy_setopt(easy, CURLOPT_USERNAME, server->user);
    if (rc == CURLE_OK && server->password != NULL)
        rc = curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password);
    return rc;
}

static CURLcode
set_mail(struct transfer *t)
{
    const struct lp_mail *mail = t->mail;
    char from[LONGEST_ADDRESS + 8];
    CURLcode rc;

    snprintf(from, sizeof from, "<%s>", mail->from);
    rc = curl_easy_setopt(t->easy, CURLOPT_MAIL_FROM, from);
    for (size_t i = 0; rc == CURLE_OK && i < mail->to_count; i++) {
        char to[LONGEST_ADDRESS + 8];
        struct curl_slist *longer;

        snprintf(to, sizeof to, "<%s>", mail->to[i]);
        longer = curl_slist_append(t->to, to);
        if (longer == NULL)
            return CURLE_OUT_OF_MEMORY;
        t->to = longer;
    }
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(t->easy, CURLOPT_MAIL_RCPT, t->to);
    curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->problem);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)mail->timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)mail->timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, look_at_cancel);
    curl_easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
    return rc;
}

static enum lp_code
explain(const struct transfer *t, const struct lp_mail_server *server, CURLcode result,
        struct lp_err *err)
{
    const char *text = t->problem[0] != '\0' ? t->problem : curl_easy_strerror(result);
    long answer = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &answer);
    if (t->cancelled)
        return lp_fail(err, LP_CANCELLED, "interrupted");
    switch ((int)result) { /* libcurl's enum, of which few values matter */
    case CURLE_OK:
        return LP_OK;
    case CURLE_LOGIN_DENIED:
        return lp_fail(err, LP_AUTH, "%.200s refuses user and password", server->server);
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return lp_fail(err, LP_PROTOCOL, "no trusted connection to %.200s: %s", server->server,
                       text);
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return lp_fail(err, LP_RETRYABLE, "nothing answers at %.200s: %s", server->server, text);
    case CURLE_OUT_OF_MEMORY:
        return lp_fail(err, LP_NOMEM, "no memory for a mail");
    default:
        break;
    }
    if (answer >= 400)
        return lp_fail(err, LP_REFUSED, "%.200s refuses the mail with %ld: %s", server->server,
                       answer, text);
    return lp_fail(err, t->given > 0 ? LP_UNKNOWN : LP_RETRYABLE, "%.200s: %s", server->server,
                   text);
}

static enum lp_code
check(const struct lp_mail *mail, struct lp_err *err)
{
    if (!lp_mail_address_ok(mail->from))
        return lp_fail(err, LP_INVALID, "'%.100s' is no mail address", mail->from);
    if (mail->to_count == 0)
        return lp_fail(err, LP_INVALID, "the mail goes to nobody");
    for (size_t i = 0; i < mail->to_count; i++)
        if (!lp_mail_address_ok(mail->to[i]))
            return lp_fail(err, LP_INVALID, "'%.100s' is no mail address", mail->to[i]);
    return LP_OK;
}

enum lp_code
lp_mail_send(const struct lp_mail_server *server, const struct lp_mail *mail, struct lp_err *err)
{
    struct transfer t = {.mail = mail};
    enum lp_code rc = check(mail, err);
    CURLcode result;

    if (rc != LP_OK)
        return rc;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (t.easy = curl_easy_init()) == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a mail");
    compose(&t.text, mail);
    result = set_server(t.easy, server);
    if (result == CURLE_OK)
        result = set_mail(&t);
    if (t.text.failed)
        result = CURLE_OUT_OF_MEMORY;
    if (result == CURLE_OK)
        result = curl_easy_perform(t.easy);
    rc = explain(&t, server, result, err);
    curl_slist_free_all(t.to);
    curl_easy_cleanup(t.easy);
    lp_buf_free(&t.text);
    return rc;
}
