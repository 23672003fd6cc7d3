/* Grammar (http-api.md 2.4):
     query := and ('|' and)*        and := term+        term := ['-'] positive
     positive := '(' query ')' | value | key ':' (value | '(' value ('|' value)* ')')
     value := '"' ... '"' | word ['*']
   Parsed straight into a WHERE text made of constant pieces; what came from outside only ever
   becomes an argument. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/lists.h"

#define MAX_DEPTH 8
#define MAX_WORD  200

struct parser {
    const char *text, *at;
    int depth;
    struct lp_search *out;
    struct lp_err *err;
};

static enum lp_code
fault(struct parser *p, const char *what)
{
    char where[48];

    snprintf(where, sizeof where, "query, character %zu", (size_t)(p->at - p->text) + 1);
    return lp_fail_at(p->err, LP_INVALID, where, "cannot read the search text at character %zu: %s",
                      (size_t)(p->at - p->text) + 1, what);
}

static void
blanks(struct parser *p)
{
    p->at += strspn(p->at, " \t");
}

/** Adds an argument and writes its place; value belongs to the arena. */
static enum lp_code
place(struct parser *p, const char *value)
{
    struct lp_search *out = p->out;

    if (value == NULL)
        return lp_fail(p->err, LP_NOMEM, "no memory for the search");
    if (out->arg_count == LP_COUNT(out->args))
        return fault(p, "too many words");
    snprintf(out->names[out->arg_count], sizeof out->names[0], "w%zu", out->arg_count);
    out->args[out->arg_count] = lp_text(out->names[out->arg_count], value);
    lp_buf_printf(&out->sql, "lower(CAST(:%s AS text))", out->names[out->arg_count]);
    out->arg_count++;
    return LP_OK;
}

/** A LIKE pattern of head, the escaped text and tail. */
static const char *
pattern(struct parser *p, const char *head, const char *text, const char *tail)
{
    size_t len = strlen(head) + 2 * strlen(text) + strlen(tail) + 1;
    char *out = lp_arena_alloc(p->out->arena, len);
    size_t n;

    if (out == NULL)
        return NULL;
    n = (size_t)snprintf(out, len, "%s", head);
    for (; *text != '\0'; text++) {
        if (strchr("%_\\", *text) != NULL)
            out[n++] = '\\';
        out[n++] = *text;
    }
    snprintf(out + n, len - n, "%s", tail);
    return out;
}

static enum lp_code
like(struct parser *p, const char *column, const char *text)
{
    enum lp_code rc;

    lp_buf_printf(&p->out->sql, "lower(%s) LIKE ", column);
    rc = place(p, text);
    lp_buf_str(&p->out->sql, " ESCAPE '\\'");
    return rc;
}

/* ---- what a value matches ---- */

struct value {
    const char *text;
    bool prefix; /* word* */
};

/* ---- words: full text of header and blocks (search_words, or a GIN index) ---- */

#define PG_HEADER(alias)                                                                           \
    alias ".description || ' ' || " alias ".product || ' ' || " alias ".status || ' ' || " alias   \
          ".id || ' ' || " alias ".customer_id || ' ' || COALESCE(" alias ".note, '')"

/** Text around the argument: what a dialect calls "this subscription has the phrase". Rare phrases
 * are looked up first; for common ones the newest subscriptions are asked one by one, which ends
 * soon. */
static const char *const word_sql[LP_DIALECT_COUNT][2][3] = {
    [LP_DIALECT_SQLITE] =
        {{"s.id IN (SELECT d.subscription_id FROM search_docs d WHERE d.n IN (SELECT rowid FROM "
          "search_words WHERE search_words MATCH ",
          "))", NULL},
         {"EXISTS (SELECT 1 FROM search_docs d CROSS JOIN search_words ON search_words.rowid = d.n "
          "WHERE d.subscription_id = s.id AND search_words MATCH ",
          ")", NULL}},
    [LP_DIALECT_POSTGRES] =
        {{"s.id IN (SELECT b.subscription_id FROM blocks b WHERE to_tsvector('simple', left(b.doc, "
          "200000)) @@ to_tsquery('simple', ",
          ") UNION SELECT x.id FROM subscriptions x WHERE to_tsvector('simple', " PG_HEADER(
              "x") ") @@ to_tsquery('simple', ",
          "))"},
         {"(EXISTS (SELECT 1 FROM blocks b WHERE b.subscription_id = s.id AND "
          "to_tsvector('simple', left(b.doc, 200000)) @@ to_tsquery('simple', ",
          ")) OR to_tsvector('simple', " PG_HEADER("s") ") @@ to_tsquery('simple', ", "))"}},
};

/** The phrase in the language of the index: quoted as a whole, so that nothing in it is an
 * operator. */
static const char *
phrase(struct parser *p, const char *text, bool prefix)
{
    bool pg = p->out->dialect == LP_DIALECT_POSTGRES;
    char quote = pg ? '\'' : '"';
    char *out = lp_arena_alloc(p->out->arena, 2 * strlen(text) + 8);
    size_t n = 0;

    if (out == NULL)
        return NULL;
    out[n++] = quote;
    for (; *text != '\0'; text++) {
        if (*text == quote || (pg && *text == '\\'))
            out[n++] = *text;
        out[n++] = *text;
    }
    out[n++] = quote;
    if (prefix) {
        out[n++] = pg ? ':' : ' ';
        out[n++] = '*';
    }
    out[n] = '\0';
    return out;
}

static enum lp_code
has_phrase(struct parser *p, const char *text, bool prefix)
{
    const char *match = text == NULL ? NULL : phrase(p, text, prefix);
    struct lp_search *out = p->out;
    bool common;
    const char *const *sql;

    if (match == NULL)
        return lp_fail(p->err, LP_NOMEM, "no memory for the search");
    if (out->arg_count == LP_COUNT(out->args))
        return fault(p, "too many words");
    common = out->is_common != NULL && out->is_common(out->arg, match);
    out->reads_blocks = out->reads_blocks || common;
    sql = word_sql[out->dialect][common];
    snprintf(out->names[out->arg_count], sizeof out->names[0], "w%zu", out->arg_count);
    out->args[out->arg_count] = lp_text(out->names[out->arg_count], match);
    for (size_t i = 0; i < 3 && sql[i] != NULL; i++) {
        lp_buf_str(&out->sql, sql[i]);
        if (i < 2 && (i == 0 || sql[2] != NULL))
            lp_buf_printf(&out->sql, "CAST(:%s AS text)", out->names[out->arg_count]);
    }
    out->arg_count++;
    return LP_OK;
}

/** product_id of the products whose tag or type is the value. */
static enum lp_code
by_product(struct parser *p, const struct value *value, bool tag)
{
    size_t count;
    const struct lp_product_type *products = lp_catalog_products(p->out->catalog, &count);
    bool any = false;
    enum lp_code rc = LP_OK;

    lp_buf_char(&p->out->sql, '(');
    for (size_t i = 0; i < count && rc == LP_OK; i++) {
        const char *mine = tag ? products[i].tag : products[i].type;
        size_t len = strlen(value->text);

        if (mine == NULL
            || (value->prefix ? strncasecmp(mine, value->text, len) : strcasecmp(mine, value->text))
                   != 0)
            continue;
        lp_buf_str(&p->out->sql, any ? " OR s.product_id = " : "s.product_id = ");
        rc = place(p, products[i].id.text);
        any = true;
    }
    lp_buf_str(&p->out->sql, any ? ")" : "1 = 0)");
    return rc;
}

static enum lp_code
by_key(struct parser *p, const char *key, const struct value *value)
{
    static const struct {
        const char *key, *column;
        enum { EXACT, WHOLE, INSIDE } how; /* EXACT: stored in lower case and indexed */
    } columns[] = {
        {"subscription_id", "s.id", EXACT},
        {"id", "s.id", EXACT},
        {"status", "s.status", EXACT},
        {"product", "s.product", WHOLE},
        {"product_name", "s.product", WHOLE},
        {"product_id", "s.product_id", EXACT},
        {"customer", "s.customer_id", EXACT},
        {"customer_id", "s.customer_id", EXACT},
        {"description", "s.description", INSIDE},
        {"subscription_description", "s.description", INSIDE},
        {"note", "COALESCE(s.note, '')", INSIDE},
    };

    if (strcmp(key, "tag") == 0 || strcmp(key, "product_type") == 0 || strcmp(key, "type") == 0)
        return by_product(p, value, key[1] == 'a');
    if (strcmp(key, "insync") == 0) {
        bool yes = strcasecmp(value->text, "true") == 0;

        lp_buf_str(&p->out->sql, yes                                     ? "s.insync = 1"
                                 : strcasecmp(value->text, "false") == 0 ? "s.insync = 0"
                                                                         : "1 = 0");
        return LP_OK;
    }
    for (size_t i = 0; i < LP_COUNT(columns); i++) {
        bool inside = columns[i].how == INSIDE;

        if (strcmp(key, columns[i].key) != 0)
            continue;
        if (columns[i].how == EXACT && !value->prefix) {
            lp_buf_printf(&p->out->sql, "%s = ", columns[i].column);
            return place(p, value->text);
        }
        return like(p, columns[i].column,
                    pattern(p, inside ? "%" : "", value->text, inside || value->prefix ? "%" : ""));
    }
    /* any member of a block: its name, directly followed by the value */
    return has_phrase(p, lp_arena_printf(p->out->arena, "%s %s", key, value->text), value->prefix);
}

/* ---- grammar ---- */

static bool
word_char(char c)
{
    return c != '\0' && strchr("()|!:<>*\" \t", c) == NULL;
}

static enum lp_code
read_value(struct parser *p, struct value *out)
{
    const char *from = p->at;
    size_t len;

    *out = (struct value){.text = NULL};
    if (*p->at == '"') {
        from++;
        len = strcspn(from, "\"");
        if (from[len] != '"')
            return fault(p, "the closing quote is missing");
        p->at = from + len + 1;
    } else {
        while (word_char(*p->at))
            p->at++;
        len = (size_t)(p->at - from);
        if (*p->at == '*' && len > 0) {
            out->prefix = true;
            p->at++;
        }
    }
    if (len == 0)
        return fault(p, "a word was expected");
    if (len > MAX_WORD)
        return fault(p, "the word is too long");
    out->text = lp_arena_strndup(p->out->arena, from, len);
    return out->text == NULL ? lp_fail(p->err, LP_NOMEM, "no memory for the search") : LP_OK;
}

/** camelCase becomes snake_case. */
static enum lp_code
key_name(struct parser *p, const char *word, char *out, size_t size)
{
    size_t n = 0;

    for (; *word != '\0'; word++) {
        if (!isalnum((unsigned char)*word) && *word != '_')
            return fault(p, "a key has letters, digits and '_' only");
        if (n + 3 > size)
            return fault(p, "the key is too long");
        if (isupper((unsigned char)*word) && n > 0)
            out[n++] = '_';
        out[n++] = (char)tolower((unsigned char)*word);
    }
    out[n] = '\0';
    return LP_OK;
}

static enum lp_code
keyed(struct parser *p, const char *word)
{
    char key[80];
    struct value value;
    enum lp_code rc = key_name(p, word, key, sizeof key);
    bool list = *p->at == '(';

    if (rc != LP_OK)
        return rc;
    p->at += list;
    lp_buf_char(&p->out->sql, '(');
    for (;;) {
        blanks(p);
        rc = read_value(p, &value);
        if (rc == LP_OK)
            rc = by_key(p, key, &value);
        if (rc != LP_OK)
            return rc;
        if (!list)
            break;
        blanks(p);
        if (*p->at == ')') {
            p->at++;
            break;
        }
        if (*p->at != '|')
            return fault(p, "'|' or ')' was expected");
        p->at++;
        lp_buf_str(&p->out->sql, " OR ");
    }
    lp_buf_char(&p->out->sql, ')');
    return LP_OK;
}

static enum lp_code either(struct parser *p);

static enum lp_code
positive(struct parser *p)
{
    struct value value;
    enum lp_code rc;

    if (*p->at == '(') {
        if (++p->depth > MAX_DEPTH)
            return fault(p, "too many parentheses");
        p->at++;
        rc = either(p);
        if (rc != LP_OK)
            return rc;
        if (*p->at != ')')
            return fault(p, "')' was expected");
        p->at++;
        p->depth--;
        return LP_OK;
    }
    rc = read_value(p, &value);
    if (rc != LP_OK)
        return rc;
    if (*p->at == ':' && !value.prefix) {
        p->at++;
        return keyed(p, value.text);
    }
    return has_phrase(p, value.text, value.prefix);
}

static enum lp_code
all(struct parser *p)
{
    bool first = true;

    for (;;) {
        enum lp_code rc;

        blanks(p);
        if (*p->at == '\0' || *p->at == ')' || *p->at == '|')
            return first ? fault(p, "a word was expected") : LP_OK;
        lp_buf_str(&p->out->sql, first ? "" : " AND ");
        if (*p->at == '-') {
            p->at++;
            lp_buf_str(&p->out->sql, "NOT ");
        }
        rc = positive(p);
        if (rc != LP_OK)
            return rc;
        first = false;
    }
}

static enum lp_code
either(struct parser *p)
{
    enum lp_code rc;

    lp_buf_char(&p->out->sql, '(');
    rc = all(p);
    while (rc == LP_OK && *p->at == '|') {
        p->at++;
        lp_buf_str(&p->out->sql, " OR ");
        rc = all(p);
    }
    lp_buf_char(&p->out->sql, ')');
    return rc;
}

enum lp_code
lp_search_parse(const char *query, struct lp_search *out, struct lp_err *err)
{
    struct parser p = {.text = query, .at = query, .out = out, .err = err};
    enum lp_code rc = either(&p);

    if (rc == LP_OK && *p.at != '\0')
        rc = fault(&p, "this does not belong here");
    if (rc == LP_OK && out->sql.failed)
        rc = lp_fail(err, LP_NOMEM, "no memory for the search");
    return rc;
}
