#include "scheduler/rules.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/docfile.h"
#include "base/json.h"
#include "store/notices.h"

enum { MOST_TARGETS = 64, MOST_RULES = 256 };

struct lp_rules {
    json_t *targets, *rules, *smtp; /* arrays; object or NULL */
};

struct place {
    const char *file;
    const char *list; /* "targets", "rules", "smtp" */
    size_t n;         /* from 1; 0 = no list */
    struct lp_err *err;
};

LP_PRINTF(2, 3)
static enum lp_code
wrong(const struct place *at, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (at->n == 0)
        return lp_fail(at->err, LP_INVALID, "%s: %s: %s", at->file, at->list, text);
    return lp_fail(at->err, LP_INVALID, "%s: %s, number %zu: %s", at->file, at->list, at->n, text);
}

static enum lp_code
only(const struct place *at, const json_t *obj, const char *const *names, size_t count)
{
    const char *key;
    json_t *value;

    if (!json_is_object(obj))
        return wrong(at, "keys and values are expected");
    json_object_foreach((json_t *)(uintptr_t)obj, key, value)
    {
        size_t i = 0;

        while (i < count && strcmp(names[i], key) != 0)
            i++;
        if (i == count)
            return wrong(at, "unknown key '%.64s'", key);
    }
    return LP_OK;
}

/** A text, or absent. */
static enum lp_code
text_of(const struct place *at, const json_t *obj, const char *key, const char **out)
{
    const json_t *value = json_object_get(obj, key);

    *out = json_string_value(value);
    if (value != NULL && !json_is_null(value) && (*out == NULL || (*out)[0] == '\0'))
        return wrong(at, "%s must be a text", key);
    return LP_OK;
}

/* ---- addresses ---- */

static bool
is_loopback(const char *host, size_t len)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (strlen(names[i]) == len && strncmp(names[i], host, len) == 0)
            return true;
    return false;
}

/* One line of plain characters; https, or http on this machine; nothing secret in it. */
static const char *
url_fault(const char *url)
{
    bool tls = strncmp(url, "https://", 8) == 0;
    const char *host = url + (tls ? 8 : 7);
    size_t len;

    if (!tls && strncmp(url, "http://", 7) != 0)
        return "url must begin with https://";
    for (const char *p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7F)
            return "url must be plain ASCII without blanks";
    len = strcspn(host, "/?#");
    if (len == 0)
        return "url names no host";
    if (memchr(host, '@', len) != NULL)
        return "url must not hold a password; sign with secret_file, or keep the whole URL in "
               "url_file";
    len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (!tls && !is_loopback(host, len))
        return "url must begin with https:// (http:// only reaches this machine)";
    return NULL;
}

static enum lp_code
check_mail(const struct place *at, const json_t *mail)
{
    size_t i;
    json_t *address;

    if (json_array_size(mail) == 0 || json_array_size(mail) > 50)
        return wrong(at, "mail must be a list of 1 to 50 addresses");
    json_array_foreach(mail, i, address)
    {
        if (!json_is_string(address) || !lp_mail_address_ok(json_string_value(address)))
            return wrong(at, "'%.100s' is no mail address",
                         json_is_string(address) ? json_string_value(address) : "?");
    }
    return LP_OK;
}

/* ---- sections ---- */

/** A single value stands for a list of one. */
static enum lp_code
as_list(const struct place *at, json_t *obj, const char *key)
{
    json_t *value = json_object_get(obj, key), *list;

    if (value == NULL || json_is_array(value))
        return LP_OK;
    list = json_pack("[O]", value);
    if (list == NULL || json_object_set_new(obj, key, list) != 0)
        return lp_fail(at->err, LP_NOMEM, "no memory for %s", at->file);
    return LP_OK;
}

static enum lp_code
check_webhook(const struct place *at, const json_t *target)
{
    const char *url, *url_file, *secret, *fault;
    enum lp_code rc = text_of(at, target, "url", &url);

    if (rc == LP_OK)
        rc = text_of(at, target, "url_file", &url_file);
    if (rc == LP_OK)
        rc = text_of(at, target, "secret_file", &secret);
    if (rc != LP_OK)
        return rc;
    fault = url == NULL ? NULL : url_fault(url);
    if (fault != NULL)
        return wrong(at, "%s", fault);
    if (url != NULL && url_file != NULL)
        return wrong(at, "either url or url_file, not both");
    if (url != NULL && secret == NULL)
        return wrong(at, "a webhook needs secret_file: a receiver must be able to tell who sends");
    return LP_OK;
}

static enum lp_code
check_target(const struct place *at, const struct lp_rules *rules, json_t *target)
{
    static const char *const names[] = {"name",        "url",     "url_file",
                                        "secret_file", "ca_file", "mail"};
    const char *name = NULL, *ca;
    bool hook, mail;
    enum lp_code rc = only(at, target, names, LP_COUNT(names));

    if (rc == LP_OK)
        rc = text_of(at, target, "name", &name);
    if (rc == LP_OK)
        rc = text_of(at, target, "ca_file", &ca);
    if (rc != LP_OK)
        return rc;
    if (name == NULL || strlen(name) > 64
        || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
               != strlen(name))
        return wrong(at, "name must be 1 to 64 letters, digits, '.', '_' or '-'");
    if (lp_rules_target(rules, name) != target)
        return wrong(at, "there is a target '%s' already", name);
    hook = json_object_get(target, "url") != NULL || json_object_get(target, "url_file") != NULL;
    mail = json_object_get(target, "mail") != NULL;
    if (hook == mail)
        return wrong(at, "a target has either url (or url_file), or mail");
    if (hook)
        return check_webhook(at, target);
    if (rules->smtp == NULL)
        return wrong(at, "mail needs the section smtp");
    rc = as_list(at, target, "mail");
    return rc == LP_OK ? check_mail(at, json_object_get(target, "mail")) : rc;
}

static enum lp_code
check_smtp(const struct place *at, const json_t *smtp)
{
    static const char *const names[] = {"server", "tls",           "from",
                                        "user",   "password_file", "ca_file"};
    const char *server, *tls, *from, *user, *password, *ca;
    enum lp_code rc = only(at, smtp, names, LP_COUNT(names));
    const struct {
        const char *key;
        const char **out;
    } texts[] = {{"server", &server},          {"tls", &tls},   {"from", &from}, {"user", &user},
                 {"password_file", &password}, {"ca_file", &ca}};

    for (size_t i = 0; rc == LP_OK && i < LP_COUNT(texts); i++)
        rc = text_of(at, smtp, texts[i].key, texts[i].out);
    if (rc != LP_OK)
        return rc;
    if (server == NULL
        || strspn(server, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]")
               != strlen(server))
        return wrong(at, "server must be HOST or HOST:PORT");
    if (from == NULL || !lp_mail_address_ok(from))
        return wrong(at, "from must be a mail address");
    if (tls != NULL && strcmp(tls, "starttls") != 0 && strcmp(tls, "tls") != 0
        && strcmp(tls, "none") != 0)
        return wrong(at, "tls must be starttls, tls or none");
    if ((user == NULL) != (password == NULL))
        return wrong(at, "user and password_file belong together");
    if (user != NULL && tls != NULL && strcmp(tls, "none") == 0)
        return wrong(at, "a password is not sent without TLS");
    return LP_OK;
}

static enum lp_code
check_words(const struct place *at, const char *key, const json_t *list)
{
    size_t i;
    json_t *word;

    if (list == NULL)
        return LP_OK;
    if (json_array_size(list) == 0)
        return wrong(at, "%s must not be an empty list", key);
    json_array_foreach(list, i, word)
    {
        if (!json_is_string(word) || json_string_length(word) == 0)
            return wrong(at, "%s must be a text or a list of texts", key);
    }
    return LP_OK;
}

static enum lp_code
check_kinds(const struct place *at, const json_t *list)
{
    size_t i;
    json_t *word;

    json_array_foreach(list, i, word)
    {
        bool known = strchr(json_string_value(word), '*') != NULL;

        for (int k = 0; k < LP_NOTICE_KIND_COUNT; k++)
            known = known
                    || strcmp(lp_notice_kind_name((enum lp_notice_kind)k), json_string_value(word))
                           == 0;
        if (!known)
            return wrong(at, "'%.64s' is no kind of notification", json_string_value(word));
    }
    return LP_OK;
}

static enum lp_code
check_rule(const struct place *at, const struct lp_rules *rules, json_t *rule)
{
    static const char *const names[] = {"to",       "kind",     "product",
                                        "workflow", "customer", "severity"};
    const char *severity;
    size_t i;
    json_t *name;
    enum lp_code rc = only(at, rule, names, LP_COUNT(names));

    for (size_t k = 0; rc == LP_OK && k < 5; k++) {
        rc = as_list(at, rule, names[k]);
        if (rc == LP_OK)
            rc = check_words(at, names[k], json_object_get(rule, names[k]));
    }
    if (rc == LP_OK)
        rc = check_kinds(at, json_object_get(rule, "kind"));
    if (rc == LP_OK)
        rc = text_of(at, rule, "severity", &severity);
    if (rc != LP_OK)
        return rc;
    if (severity != NULL && lp_severity_rank(severity) < 0)
        return wrong(at, "severity must be info, warning, error or critical");
    if (json_object_get(rule, "to") == NULL)
        return wrong(at, "to names no target");
    json_array_foreach(json_object_get(rule, "to"), i, name)
    {
        if (lp_rules_target(rules, json_string_value(name)) == NULL)
            return wrong(at, "there is no target '%.64s'", json_string_value(name));
    }
    return LP_OK;
}

static enum lp_code
check_all(const char *file, struct lp_rules *rules, struct lp_err *err)
{
    struct place at = {.file = file, .list = "smtp", .err = err};
    size_t i;
    json_t *row;
    enum lp_code rc = rules->smtp == NULL ? LP_OK : check_smtp(&at, rules->smtp);

    at.list = "targets";
    json_array_foreach(rules->targets, i, row)
    {
        at.n = i + 1;
        if (rc == LP_OK)
            rc = check_target(&at, rules, row);
    }
    at.list = "rules";
    json_array_foreach(rules->rules, i, row)
    {
        at.n = i + 1;
        if (rc == LP_OK)
            rc = check_rule(&at, rules, row);
    }
    return rc;
}

static enum lp_code
list_of(const char *file, const json_t *doc, const char *key, size_t most, json_t **out,
        struct lp_err *err)
{
    const json_t *list = json_object_get(doc, key);

    if (list != NULL && !json_is_null(list)
        && (!json_is_array(list) || json_array_size(list) > most))
        return lp_fail(err, LP_INVALID, "%s: %s must be a list of at most %zu", file, key, most);
    *out = json_is_array(list) ? json_deep_copy(list) : json_array();
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for %s", file) : LP_OK;
}

enum lp_code
lp_rules_from(const char *name, const json_t *doc, struct lp_rules **out, struct lp_err *err)
{
    static const char *const names[] = {"targets", "rules", "smtp"};
    const struct place at = {.file = name, .list = "file", .err = err};
    struct lp_rules *rules = calloc(1, sizeof *rules);
    enum lp_code rc;

    if (rules == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for %s", name);
    rc = doc == NULL || json_is_null(doc) ? LP_OK : only(&at, doc, names, LP_COUNT(names));
    if (rc == LP_OK)
        rc = list_of(name, doc, "targets", MOST_TARGETS, &rules->targets, err);
    if (rc == LP_OK)
        rc = list_of(name, doc, "rules", MOST_RULES, &rules->rules, err);
    if (rc == LP_OK && json_is_object(json_object_get(doc, "smtp")))
        rules->smtp = json_deep_copy(json_object_get(doc, "smtp"));
    if (rc == LP_OK)
        rc = check_all(name, rules, err);
    if (rc == LP_OK)
        *out = rules;
    else
        lp_rules_free(rules);
    return rc;
}

enum lp_code
lp_rules_load(const char *path, struct lp_rules **out, struct lp_err *err)
{
    json_auto_t *doc = NULL;
    enum lp_code rc = path == NULL || path[0] == '\0' ? LP_OK : lp_yaml_load(path, &doc, err);

    return rc == LP_OK ? lp_rules_from(path == NULL ? "" : path, doc, out, err) : rc;
}

void
lp_rules_free(struct lp_rules *rules)
{
    if (rules == NULL)
        return;
    json_decref(rules->targets);
    json_decref(rules->rules);
    json_decref(rules->smtp);
    free(rules);
}

/* ---- asking ---- */

static bool
matches(const json_t *rule, const char *key, const char *value)
{
    const json_t *list = json_object_get(rule, key);
    size_t i;
    json_t *word;

    if (list == NULL)
        return true;
    json_array_foreach(list, i, word)
    {
        if (fnmatch(json_string_value(word), value == NULL ? "" : value, 0) == 0)
            return true;
    }
    return false;
}

static bool
applies(const json_t *rule, const struct lp_facts *facts)
{
    const char *least = lp_json_str(rule, "severity", NULL);

    return (least == NULL || lp_severity_rank(facts->severity) >= lp_severity_rank(least))
           && matches(rule, "kind", facts->kind) && matches(rule, "product", facts->product)
           && matches(rule, "workflow", facts->workflow)
           && matches(rule, "customer", facts->customer);
}

json_t *
lp_rules_targets(const struct lp_rules *rules, const struct lp_facts *facts)
{
    json_t *names = json_array();
    json_auto_t *seen = json_object();
    size_t i, k;
    json_t *rule, *name;

    json_array_foreach(rules->rules, i, rule)
    {
        if (!applies(rule, facts))
            continue;
        json_array_foreach(json_object_get(rule, "to"), k, name)
        {
            if (json_object_get(seen, json_string_value(name)) == NULL)
                json_array_append(names, name);
            json_object_set_new(seen, json_string_value(name), json_true());
        }
    }
    return names;
}

const json_t *
lp_rules_target(const struct lp_rules *rules, const char *name)
{
    size_t i;
    json_t *target;

    json_array_foreach(rules->targets, i, target)
    {
        if (name != NULL && strcmp(lp_json_str(target, "name", ""), name) == 0)
            return target;
    }
    return NULL;
}

const json_t *
lp_rules_all(const struct lp_rules *rules)
{
    return rules->targets;
}

const json_t *
lp_rules_smtp(const struct lp_rules *rules)
{
    return rules->smtp;
}
