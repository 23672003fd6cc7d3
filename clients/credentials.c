#include "clients/credentials.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1 << 20)

struct entry {
    char *name;
    char *values[8]; /* in the order of `keys` */
};

static const struct key {
    const char *name;
    size_t offset; /* in struct lp_credential */
} keys[] = {
    {"user", offsetof(struct lp_credential, user)},
    {"password", offsetof(struct lp_credential, password)},
    {"ssh_user", offsetof(struct lp_credential, ssh_user)},
    {"ssh_password", offsetof(struct lp_credential, ssh_password)},
    {"token", offsetof(struct lp_credential, token)},
    {"tls_ca", offsetof(struct lp_credential, tls_ca)},
    {"tls_name", offsetof(struct lp_credential, tls_name)},
    {"tls_pin", offsetof(struct lp_credential, tls_pin)},
};
enum { USER, PASSWORD, SSH_USER, SSH_PASSWORD, TOKEN, TLS_CA, TLS_NAME, TLS_PIN };
static_assert(LP_COUNT(keys) == LP_COUNT(((struct entry *)0)->values), "a value for every key");

struct table {
    struct entry *entries;
    size_t count;
};

struct lp_credentials {
    char *path;           /* or NULL */
    pthread_mutex_t lock; /* guards what follows */
    struct table table;
    struct stat seen;
    uint64_t generation;
};

static void
wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void
table_clear(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->entries[i].name);
        for (size_t k = 0; k < LP_COUNT(keys); k++)
            wipe(table->entries[i].values[k]);
    }
    free(table->entries);
    *table = (struct table){0};
}

void
lp_credential_wipe(struct lp_credential *credential)
{
    for (size_t k = 0; k < LP_COUNT(keys); k++)
        wipe(*(char **)(void *)((char *)credential + keys[k].offset));
    *credential = (struct lp_credential){0};
}

/* ---- the text ---- */

struct reader {
    const char *path;
    unsigned line;
    struct table table;
    struct lp_err *err;
};

static LP_PRINTF(2, 3) enum lp_code bad(struct reader *r, const char *fmt, ...)
{
    char text[160], place[32];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)snprintf(place, sizeof place, "line %u", r->line);
    return lp_fail_at(r->err, LP_INVALID, place, "credentials file %s, line %u: %s", r->path,
                      r->line, text);
}

static char *
trim(char *text)
{
    size_t len;

    text += strspn(text, " \t");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
        text[--len] = '\0';
    return text;
}

/* Takes the quotes off, in place. False: the closing one is missing, or text follows it. */
static bool
unquote(char *text)
{
    char *to = text;
    const char *from = text + 1;

    for (; *from != '"'; from++) {
        if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
            from++;
        if (*from == '\0')
            return false;
        *to++ = *from;
    }
    if (from[1] != '\0')
        return false;
    *to = '\0';
    return true;
}

static enum lp_code
add_entry(struct reader *r, char *line)
{
    size_t len = strlen(line);
    struct entry *grown;
    char *name;

    if (line[len - 1] != ']')
        return bad(r, "a section is [name]");
    line[len - 1] = '\0';
    name = trim(line + 1);
    if (name[0] == '\0' || strlen(name) > 64)
        return bad(r, "a name of 1 to 64 characters is missing in []");
    for (size_t i = 0; i < r->table.count; i++) {
        if (strcmp(r->table.entries[i].name, name) == 0)
            return bad(r, "[%s] stands there twice", name);
    }
    grown = realloc(r->table.entries, (r->table.count + 1) * sizeof *grown);
    if (grown == NULL)
        return lp_fail(r->err, LP_NOMEM, "no memory for the credentials");
    r->table.entries = grown;
    grown[r->table.count] = (struct entry){.name = strdup(name)};
    if (grown[r->table.count].name == NULL)
        return lp_fail(r->err, LP_NOMEM, "no memory for the credentials");
    r->table.count++;
    return LP_OK;
}

static enum lp_code
add_value(struct reader *r, const char *key, const char *value)
{
    struct entry *entry;

    if (r->table.count == 0)
        return bad(r, "a key stands before the first [name]");
    entry = &r->table.entries[r->table.count - 1];
    for (size_t k = 0; k < LP_COUNT(keys); k++) {
        if (strcmp(keys[k].name, key) != 0)
            continue;
        if (entry->values[k] != NULL)
            return bad(r, "'%s' stands twice in [%s]", key, entry->name);
        entry->values[k] = strdup(value);
        return entry->values[k] != NULL
                   ? LP_OK
                   : lp_fail(r->err, LP_NOMEM, "no memory for the credentials");
    }
    return bad(r,
               "unknown key '%.32s': user, password, ssh_user, ssh_password, token, tls_ca, "
               "tls_name, tls_pin",
               key);
}

static enum lp_code
read_line(struct reader *r, char *line)
{
    char *equals, *value;

    line = trim(line);
    if (line[0] == '\0' || line[0] == '#')
        return LP_OK;
    if (line[0] == '[')
        return add_entry(r, line);
    equals = strchr(line, '=');
    if (equals == NULL)
        return bad(r, "neither [name] nor key = value"); /* never the text: it may be a secret */
    *equals = '\0';
    value = trim(equals + 1);
    if (value[0] == '"' && !unquote(value))
        return bad(r, "the quoted value has no end, or text after it");
    return add_value(r, trim(line), value);
}

/* "sha256//" and the 44 characters of a SHA-256, several of them separated by ';'. */
static bool
is_pin_list(const char *text)
{
    for (;;) {
        size_t len = strcspn(text, ";");

        if (len != 8 + 44 || strncmp(text, "sha256//", 8) != 0 || text[len - 1] != '='
            || strspn(text + 8, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
                   != 43)
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

static bool
has_tls(const struct entry *entry)
{
    return entry->values[TLS_CA] != NULL || entry->values[TLS_NAME] != NULL
           || entry->values[TLS_PIN] != NULL;
}

static enum lp_code
check_entries(struct reader *r)
{
    for (size_t i = 0; i < r->table.count; i++) {
        const struct entry *entry = &r->table.entries[i];

        if (entry->values[TLS_PIN] != NULL && !is_pin_list(entry->values[TLS_PIN]))
            return bad(r, "tls_pin of [%s] is not sha256//<base64 of a SHA-256>[;...]",
                       entry->name);
        if (entry->values[USER] == NULL && entry->values[TOKEN] == NULL && !has_tls(entry))
            return bad(r, "[%s] has neither user nor token", entry->name);
        if (entry->values[USER] != NULL && entry->values[PASSWORD] == NULL)
            return bad(r, "[%s] has a user and no password", entry->name);
    }
    return LP_OK;
}

static enum lp_code
read_text(struct reader *r, char *text)
{
    enum lp_code rc = LP_OK;
    char *rest = text;

    while (rc == LP_OK && rest != NULL) {
        char *line = strsep(&rest, "\n");

        r->line++;
        rc = read_line(r, line);
    }
    return rc == LP_OK ? check_entries(r) : rc;
}

/* ---- the file ---- */

static enum lp_code
check_file(const char *path, const struct stat *st, struct lp_err *err)
{
    if (!S_ISREG(st->st_mode))
        return lp_fail(err, LP_INVALID, "credentials file %s is not a regular file", path);
    if ((st->st_mode & 077) != 0)
        return lp_fail(err, LP_INVALID,
                       "credentials file %s has mode %04o: nobody but its owner may read or write "
                       "it (chmod 600)",
                       path, (unsigned)st->st_mode & 07777);
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return lp_fail(err, LP_INVALID, "credentials file %s belongs to user %u, not to %u or root",
                       path, (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_size > FILE_MAX)
        return lp_fail(err, LP_INVALID, "credentials file %s is larger than %d bytes", path,
                       FILE_MAX);
    return LP_OK;
}

static enum lp_code
slurp(const char *path, int fd, char *text, size_t size, struct lp_err *err)
{
    size_t len = 0;

    while (len < size - 1) {
        ssize_t n = read(fd, text + len, size - 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lp_fail(err, LP_INVALID, "credentials file %s: %s", path, strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    if (strlen(text) != len)
        return lp_fail(err, LP_INVALID, "credentials file %s holds a zero byte", path);
    return LP_OK;
}

static enum lp_code
read_file(const char *path, struct table *table, struct stat *st, struct lp_err *err)
{
    struct reader reader = {.path = path, .err = err};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = NULL;
    enum lp_code rc;

    if (fd < 0)
        return lp_fail(err, LP_INVALID, "credentials file %s: %s", path, strerror(errno));
    rc = fstat(fd, st) == 0
             ? check_file(path, st, err)
             : lp_fail(err, LP_INVALID, "credentials file %s: %s", path, strerror(errno));
    if (rc == LP_OK) {
        text = calloc(1, FILE_MAX + 1);
        rc = text == NULL ? lp_fail(err, LP_NOMEM, "no memory for the credentials file")
                          : slurp(path, fd, text, FILE_MAX + 1, err);
    }
    (void)close(fd);
    if (rc == LP_OK)
        rc = read_text(&reader, text);
    if (text != NULL)
        explicit_bzero(text, FILE_MAX + 1);
    free(text);
    if (rc != LP_OK)
        table_clear(&reader.table);
    *table = reader.table;
    return rc;
}

enum lp_code
lp_credentials_open(const char *path, struct lp_credentials **out, struct lp_err *err)
{
    struct lp_credentials *file = calloc(1, sizeof *file);
    enum lp_code rc = LP_OK;

    if (file == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for the credentials");
    (void)pthread_mutex_init(&file->lock, NULL);
    if (path != NULL && path[0] != '\0') {
        file->path = strdup(path);
        rc = file->path == NULL ? lp_fail(err, LP_NOMEM, "no memory for the credentials")
                                : read_file(path, &file->table, &file->seen, err);
    }
    if (rc != LP_OK) {
        lp_credentials_free(file);
        return rc;
    }
    *out = file;
    return LP_OK;
}

void
lp_credentials_free(struct lp_credentials *file)
{
    if (file == NULL)
        return;
    table_clear(&file->table);
    (void)pthread_mutex_destroy(&file->lock);
    free(file->path);
    free(file);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size
           && a->st_mode == b->st_mode && a->st_uid == b->st_uid
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* With the lock held. */
static enum lp_code
refresh(struct lp_credentials *file, struct lp_err *err)
{
    struct table table = {0};
    struct stat st;
    enum lp_code rc;

    if (stat(file->path, &st) == 0 && same_file(&st, &file->seen))
        return LP_OK;
    rc = read_file(file->path, &table, &st, err);
    if (rc != LP_OK)
        return rc;
    table_clear(&file->table);
    file->table = table;
    file->seen = st;
    file->generation++;
    return LP_OK;
}

enum lp_code
lp_credentials_refresh(struct lp_credentials *file, struct lp_err *err)
{
    enum lp_code rc;

    if (file->path == NULL)
        return LP_OK;
    (void)pthread_mutex_lock(&file->lock);
    rc = refresh(file, err);
    (void)pthread_mutex_unlock(&file->lock);
    return rc;
}

static bool
copy(struct lp_credential *out, const struct entry *entry)
{
    for (size_t k = 0; k < LP_COUNT(keys); k++) {
        char **to = (char **)(void *)((char *)out + keys[k].offset);
        const char *from = entry->values[k];

        if (from == NULL && k == SSH_USER)
            from = entry->values[USER];
        if (from == NULL && k == SSH_PASSWORD)
            from = entry->values[PASSWORD];
        if (from == NULL)
            continue;
        *to = strdup(from);
        if (*to == NULL)
            return false;
    }
    return true;
}

/* With the lock held. */
static enum lp_code
find(const struct lp_credentials *file, const char *name, struct lp_credential *out,
     struct lp_err *err)
{
    for (size_t i = 0; i < file->table.count; i++) {
        if (strcmp(file->table.entries[i].name, name) != 0)
            continue;
        out->generation = file->generation;
        if (copy(out, &file->table.entries[i]))
            return LP_OK;
        lp_credential_wipe(out);
        return lp_fail(err, LP_NOMEM, "no memory for credentials");
    }
    return lp_fail(err, LP_AUTH, "credentials file %s has no [%.64s]", file->path, name);
}

enum lp_code
lp_credentials_get(struct lp_credentials *file, const char *name, struct lp_credential *out,
                   struct lp_err *err)
{
    enum lp_code rc;

    *out = (struct lp_credential){0};
    if (file->path == NULL)
        return lp_fail(err, LP_AUTH, "no credentials file is configured (devices.credentials)");
    if (name == NULL || name[0] == '\0')
        return lp_fail(err, LP_AUTH, "the element names no credentials");
    (void)pthread_mutex_lock(&file->lock);
    rc = find(file, name, out, err);
    (void)pthread_mutex_unlock(&file->lock);
    return rc;
}
