#include "base/docfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/json.h"

enum { LARGEST_FILE = 256 * 1024, LARGEST_SECRET = 4096, DEEPEST = 16 };

struct reader {
    const char *name;
    yaml_parser_t parser;
    struct lp_err *err;
};

static enum lp_code
wrong(struct reader *r, const yaml_mark_t *at, const char *why)
{
    return lp_fail(r->err, LP_INVALID, "%s, line %zu, column %zu: %s", r->name, at->line + 1,
                   at->column + 1, why);
}

static enum lp_code
next(struct reader *r, yaml_event_t *event)
{
    enum lp_code rc;

    if (yaml_parser_parse(&r->parser, event) != 1)
        return r->parser.error == YAML_MEMORY_ERROR
                   ? lp_fail(r->err, LP_NOMEM, "no memory for %s", r->name)
                   : wrong(r, &r->parser.problem_mark,
                           r->parser.problem == NULL ? "not YAML" : r->parser.problem);
    if (event->type != YAML_ALIAS_EVENT)
        return LP_OK;
    rc = wrong(r, &event->start_mark, "aliases are not read here");
    yaml_event_delete(event);
    return rc;
}

static json_t *
plain_value(const char *text)
{
    char *end;
    long long number;

    if (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    errno = 0;
    number = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0 && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')))
        return json_integer(number);
    return json_string(text);
}

static enum lp_code
scalar(struct reader *r, const yaml_event_t *event, json_t **out)
{
    const char *text = (const char *)event->data.scalar.value;

    if (strlen(text) != event->data.scalar.length)
        return wrong(r, &event->start_mark, "text with a NUL in it");
    *out =
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(text) : json_string(text);
    return *out == NULL ? wrong(r, &event->start_mark, "this text cannot be stored") : LP_OK;
}

static enum lp_code node(struct reader *r, const yaml_event_t *event, int depth, json_t **out);

static enum lp_code
sequence(struct reader *r, int depth, json_t *list)
{
    for (;;) {
        yaml_event_t event;
        json_t *value = NULL;
        enum lp_code rc = next(r, &event);

        if (rc != LP_OK)
            return rc;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return LP_OK;
        }
        rc = node(r, &event, depth, &value);
        yaml_event_delete(&event);
        if (rc != LP_OK)
            return rc;
        if (json_array_append_new(list, value) != 0)
            return lp_fail(r->err, LP_NOMEM, "no memory for %s", r->name);
    }
}

static enum lp_code
member(struct reader *r, const yaml_event_t *name, int depth, json_t *object)
{
    yaml_event_t event;
    json_t *value = NULL;
    const char *key = (const char *)name->data.scalar.value;
    enum lp_code rc;

    if (name->type != YAML_SCALAR_EVENT || strlen(key) != name->data.scalar.length)
        return wrong(r, &name->start_mark, "a plain name is expected");
    if (json_object_get(object, key) != NULL)
        return wrong(r, &name->start_mark, "this key was given before");
    rc = next(r, &event);
    if (rc != LP_OK)
        return rc;
    rc = node(r, &event, depth, &value);
    yaml_event_delete(&event);
    if (rc == LP_OK && json_object_set_new(object, key, value) != 0)
        rc = lp_fail(r->err, LP_NOMEM, "no memory for %s", r->name);
    return rc;
}

static enum lp_code
mapping(struct reader *r, int depth, json_t *object)
{
    for (;;) {
        yaml_event_t event;
        bool ended;
        enum lp_code rc = next(r, &event);

        if (rc != LP_OK)
            return rc;
        ended = event.type == YAML_MAPPING_END_EVENT;
        if (!ended)
            rc = member(r, &event, depth, object);
        yaml_event_delete(&event);
        if (ended || rc != LP_OK)
            return rc;
    }
}

static enum lp_code
node(struct reader *r, const yaml_event_t *event, int depth, json_t **out)
{
    json_auto_t *value = NULL;
    enum lp_code rc;

    if (depth > DEEPEST)
        return wrong(r, &event->start_mark, "nested too deep");
    if (event->type == YAML_SCALAR_EVENT)
        return scalar(r, event, out);
    if (event->type != YAML_MAPPING_START_EVENT && event->type != YAML_SEQUENCE_START_EVENT)
        return wrong(r, &event->start_mark, "a value is expected");
    value = event->type == YAML_MAPPING_START_EVENT ? json_object() : json_array();
    if (value == NULL)
        return lp_fail(r->err, LP_NOMEM, "no memory for %s", r->name);
    rc = event->type == YAML_MAPPING_START_EVENT ? mapping(r, depth + 1, value)
                                                 : sequence(r, depth + 1, value);
    if (rc == LP_OK)
        *out = lp_json_take(&value);
    return rc;
}

static enum lp_code
document(struct reader *r, json_t **out)
{
    for (;;) {
        yaml_event_t event;
        yaml_event_type_t type;
        enum lp_code rc = next(r, &event);

        if (rc != LP_OK)
            return rc;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && *out != NULL)
            rc = wrong(r, &event.start_mark, "a second document in the same file");
        else if (type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT
                 || type == YAML_SEQUENCE_START_EVENT)
            rc = node(r, &event, 0, out);
        yaml_event_delete(&event);
        if (rc != LP_OK || type == YAML_STREAM_END_EVENT)
            return rc;
    }
}

enum lp_code
lp_yaml_text(const char *name, const char *text, size_t len, json_t **out, struct lp_err *err)
{
    struct reader reader = {.name = name, .err = err};
    enum lp_code rc;

    *out = NULL;
    if (!lp_utf8_valid(text, len))
        return lp_fail(err, LP_INVALID, "%s: not a text file (it holds bytes that are not UTF-8)",
                       name);
    if (yaml_parser_initialize(&reader.parser) != 1)
        return lp_fail(err, LP_NOMEM, "no memory for %s", name);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
    rc = document(&reader, out);
    yaml_parser_delete(&reader.parser);
    if (rc == LP_OK && *out == NULL)
        *out = json_null();
    if (rc != LP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- files ---- */

static enum lp_code
read_fd(int fd, const char *path, size_t most, struct lp_buf *text, struct lp_err *err)
{
    char piece[8192];
    ssize_t n = 0;

    while (text->len <= most && (n = read(fd, piece, sizeof piece)) > 0)
        lp_buf_add(text, piece, (size_t)n);
    explicit_bzero(piece, sizeof piece);
    if (n < 0)
        return lp_fail(err, LP_INVALID, "%s: cannot be read: %s", path, strerror(errno));
    if (text->failed)
        return lp_fail(err, LP_NOMEM, "no memory for %s", path);
    if (text->len > most)
        return lp_fail(err, LP_INVALID, "%s: larger than %zu bytes", path, most);
    return LP_OK;
}

/* O_NONBLOCK: a named pipe must not hold the start. */
static enum lp_code
open_regular(const char *path, int *fd, struct stat *st, struct lp_err *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return lp_fail(err, LP_INVALID, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(*fd, st) == 0 && S_ISREG(st->st_mode))
        return LP_OK;
    (void)close(*fd);
    return lp_fail(err, LP_INVALID, "%s: not a regular file", path);
}

enum lp_code
lp_yaml_load(const char *path, json_t **out, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    struct stat st;
    int fd;
    enum lp_code rc = open_regular(path, &fd, &st, err);

    *out = NULL;
    if (rc != LP_OK)
        return rc;
    rc = read_fd(fd, path, LARGEST_FILE, &text, err);
    (void)close(fd);
    if (rc == LP_OK)
        rc = lp_yaml_text(path, text.data == NULL ? "" : text.data, text.len, out, err);
    lp_buf_free(&text);
    return rc;
}

static enum lp_code
take_secret(const char *path, struct lp_buf *text, char **out, struct lp_err *err)
{
    size_t len = text->data == NULL ? 0 : strcspn(text->data, "\r\n");

    if (len == 0)
        return lp_fail(err, LP_INVALID, "%s: the secret's file is empty", path);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7F)
            return lp_fail(err, LP_INVALID, "%s: the secret holds control characters", path);
    *out = strndup(text->data, len);
    return *out == NULL ? lp_fail(err, LP_NOMEM, "no memory for a secret") : LP_OK;
}

enum lp_code
lp_secret_read(const char *path, char **out, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    struct stat st;
    int fd;
    enum lp_code rc = open_regular(path, &fd, &st, err);

    *out = NULL;
    if (rc != LP_OK)
        return rc;
    if ((st.st_mode & 077) != 0)
        rc = lp_fail(err, LP_DENIED,
                     "%s: others may read or write this secret (mode %04o); chmod 600 it", path,
                     (unsigned)st.st_mode & 07777);
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        rc = lp_fail(err, LP_DENIED, "%s: this secret belongs to another user", path);
    if (rc == LP_OK)
        rc = read_fd(fd, path, LARGEST_SECRET, &text, err);
    (void)close(fd);
    if (rc == LP_OK)
        rc = take_secret(path, &text, out, err);
    if (text.data != NULL)
        explicit_bzero(text.data, text.len);
    lp_buf_free(&text);
    return rc;
}

void
lp_secret_free(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
