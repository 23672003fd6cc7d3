/* Finds lines: libyang 2.1 keeps none, and an error without its line is half an error. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

struct reader {
    const char *at;
    unsigned line;
};

static void
skip_one(struct reader *in)
{
    if (*in->at == '\n')
        in->line++;
    if (*in->at != '\0')
        in->at++;
}

static void
skip_blank(struct reader *in)
{
    for (;;) {
        if (isspace((unsigned char)*in->at)) {
            skip_one(in);
        } else if (in->at[0] == '/' && in->at[1] == '/') {
            while (*in->at != '\0' && *in->at != '\n')
                in->at++;
        } else if (in->at[0] == '/' && in->at[1] == '*') {
            in->at += 2;
            while (*in->at != '\0' && !(in->at[0] == '*' && in->at[1] == '/'))
                skip_one(in);
            in->at += *in->at == '\0' ? 0 : 2;
        } else {
            return;
        }
    }
}

static void
read_quoted(struct reader *in, struct lp_buf *out)
{
    char quote = *in->at++;

    while (*in->at != '\0' && *in->at != quote) {
        if (quote == '"' && *in->at == '\\' && in->at[1] != '\0')
            in->at++;
        lp_buf_char(out, *in->at);
        skip_one(in);
    }
    in->at += *in->at == '\0' ? 0 : 1;
}

/* A word or a string, pieces joined by '+'; false when a mark (; { } or the end) stands there. */
static bool
read_token(struct reader *in, struct lp_buf *out)
{
    skip_blank(in);
    if (*in->at == '\0' || strchr(";{}", *in->at) != NULL)
        return false;
    while (*in->at == '"' || *in->at == '\'') {
        read_quoted(in, out);
        skip_blank(in);
        if (*in->at != '+')
            return true;
        in->at++;
        skip_blank(in);
    }
    while (*in->at != '\0' && !isspace((unsigned char)*in->at) && strchr(";{}", *in->at) == NULL)
        lp_buf_char(out, *in->at++);
    return true;
}

static int
add_stmt(struct lp_yang_text *text, char *keyword, char *arg, unsigned line, size_t parent)
{
    struct lp_yang_stmt *rows = realloc(text->rows, (text->count + 1) * sizeof *rows);

    if (rows == NULL || keyword == NULL) {
        free(keyword);
        free(arg);
        if (rows != NULL)
            text->rows = rows;
        return -1;
    }
    text->rows = rows;
    rows[text->count++] =
        (struct lp_yang_stmt){.keyword = keyword, .arg = arg, .line = line, .parent = parent};
    return 0;
}

static int
scan(const char *source, struct lp_yang_text *text)
{
    struct reader in = {.at = source, .line = 1};
    size_t parent = SIZE_MAX;

    for (;;) {
        struct lp_buf keyword = LP_BUF_INIT, arg = LP_BUF_INIT;
        unsigned line;

        skip_blank(&in);
        line = in.line;
        if (*in.at == '}') {
            parent = parent == SIZE_MAX ? SIZE_MAX : text->rows[parent].parent;
            in.at++;
            continue;
        }
        if (!read_token(&in, &keyword)) {
            if (*in.at == '\0')
                return 0;
            in.at++; /* a stray mark: libyang says what is wrong with it */
            continue;
        }
        (void)read_token(&in, &arg);
        if (add_stmt(text, lp_buf_take(&keyword), arg.len > 0 ? lp_buf_take(&arg) : NULL, line,
                     parent)
            != 0)
            return -1;
        skip_blank(&in);
        if (*in.at == '{')
            parent = text->count - 1;
        in.at += *in.at == '{' || *in.at == ';' ? 1 : 0;
    }
}

static enum lp_code
read_file(const char *path, char **out, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    char block[8192];
    size_t got;
    bool broken;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return lp_fail(err, LP_INVALID, "cannot read %s: %s", path, strerror(errno));
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        lp_buf_add(&text, block, got);
    broken = ferror(file) != 0;
    (void)fclose(file);
    lp_buf_char(&text, '\n');
    if (broken || text.failed) {
        lp_buf_free(&text);
        return lp_fail(err, broken ? LP_INVALID : LP_NOMEM, "cannot read %s", path);
    }
    *out = lp_buf_take(&text);
    return LP_OK;
}

enum lp_code
lp_yang_scan(const char *path, struct lp_yang_texts *into, struct lp_err *err)
{
    struct lp_yang_text *texts = realloc(into->texts, (into->count + 1) * sizeof *texts);
    char *source = NULL;
    enum lp_code rc;

    if (texts == NULL)
        return lp_fail(err, LP_NOMEM, "no memory to read %s", path);
    into->texts = texts;
    rc = read_file(path, &source, err);
    if (rc != LP_OK)
        return rc;
    texts[into->count] = (struct lp_yang_text){.rows = NULL};
    into->count++;
    if (scan(source, &texts[into->count - 1]) != 0)
        rc = lp_fail(err, LP_NOMEM, "no memory to read %s", path);
    free(source);
    return rc;
}

void
lp_yang_texts_free(struct lp_yang_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        for (size_t k = 0; k < texts->texts[i].count; k++) {
            free(texts->texts[i].rows[k].keyword);
            free(texts->texts[i].rows[k].arg);
        }
        free(texts->texts[i].rows);
    }
    free(texts->texts);
    *texts = (struct lp_yang_texts){.texts = NULL};
}

/* ---- looking a data node up ---- */

struct spot {
    const struct lp_yang_text *text;
    size_t row;
};

static bool
is_data(const char *keyword)
{
    static const char *const words[] = {"container", "list",    "leaf",   "leaf-list",    "choice",
                                        "case",      "anydata", "anyxml", "notification", "rpc"};

    for (size_t i = 0; i < LP_COUNT(words); i++) {
        if (strcmp(words[i], keyword) == 0)
            return true;
    }
    return false;
}

static bool
same_arg(const struct lp_yang_stmt *stmt, const char *arg, size_t len)
{
    return stmt->arg != NULL && strlen(stmt->arg) == len && memcmp(stmt->arg, arg, len) == 0;
}

static bool find_child(const struct lp_yang_texts *texts, struct spot in, const char *name,
                       size_t len, unsigned depth, struct spot *out);

/* A grouping of that local name that holds the node, in any of the texts. */
static bool
find_in_grouping(const struct lp_yang_texts *texts, const char *uses, const char *name, size_t len,
                 unsigned depth, struct spot *out)
{
    const char *colon = strchr(uses, ':'), *local = colon == NULL ? uses : colon + 1;

    for (size_t i = 0; i < texts->count; i++) {
        for (size_t k = 0; k < texts->texts[i].count; k++) {
            const struct lp_yang_stmt *stmt = &texts->texts[i].rows[k];
            if (strcmp(stmt->keyword, "grouping") == 0 && same_arg(stmt, local, strlen(local))
                && find_child(texts, (struct spot){&texts->texts[i], k}, name, len, depth + 1, out))
                return true;
        }
    }
    return false;
}

static bool
find_child(const struct lp_yang_texts *texts, struct spot in, const char *name, size_t len,
           unsigned depth, struct spot *out)
{
    if (depth > 16)
        return false;
    for (size_t k = in.row + 1; k < in.text->count; k++) {
        const struct lp_yang_stmt *stmt = &in.text->rows[k];
        if (stmt->parent != in.row)
            continue;
        if (is_data(stmt->keyword) && same_arg(stmt, name, len)) {
            *out = (struct spot){in.text, k};
            return true;
        }
        if (strcmp(stmt->keyword, "uses") == 0 && stmt->arg != NULL
            && find_in_grouping(texts, stmt->arg, name, len, depth, out))
            return true;
    }
    return false;
}

static unsigned
extension_line(struct spot spot, const char *extension)
{
    const struct lp_yang_text *text = spot.text;

    for (size_t k = spot.row + 1; k < text->count; k++) {
        const char *colon = strchr(text->rows[k].keyword, ':');
        if (text->rows[k].parent == spot.row && colon != NULL && strcmp(colon + 1, extension) == 0)
            return text->rows[k].line;
    }
    return text->rows[spot.row].line; /* refined elsewhere */
}

static bool
find_module(const struct lp_yang_texts *texts, const char *name, size_t len, struct spot *out)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (texts->texts[i].count > 0 && same_arg(&texts->texts[i].rows[0], name, len)) {
            *out = (struct spot){&texts->texts[i], 0};
            return true;
        }
    }
    return false;
}

unsigned
lp_yang_line(const struct lp_yang_texts *texts, const char *path, const char *extension)
{
    struct spot spot;
    const char *colon = strchr(path, ':');

    if (path[0] != '/' || colon == NULL
        || !find_module(texts, path + 1, (size_t)(colon - path - 1), &spot))
        return 0;
    for (const char *name = colon + 1; *name != '\0';) {
        size_t len = strcspn(name, "/[");
        if (!find_child(texts, spot, name, len, 0, &spot))
            return 0;
        name += strcspn(name, "/");
        name += *name == '/' ? 1 : 0;
        colon = memchr(name, ':', strcspn(name, "/"));
        name = colon == NULL ? name : colon + 1;
    }
    return extension == NULL ? spot.text->rows[spot.row].line : extension_line(spot, extension);
}
