#include "cli/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/uuid.h"

#define PROBE "__asked_for_nothing__"
enum { MAX_PAGES = 100, MAX_FILE = 64 << 20 };

void
cli_form_free(struct cli_form *form)
{
    cli_sets_free(&form->sets);
    json_decref(form->pages);
    json_decref(form->first);
    memset(form, 0, sizeof *form);
}

/* ---- options ---- */

static enum lp_code
read_all(FILE *file, const char *name, struct lp_buf *text, struct lp_err *err)
{
    char chunk[65536];
    size_t len;

    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0 && text->len < MAX_FILE)
        lp_buf_add(text, chunk, len);
    if (ferror(file))
        return lp_fail_at(err, LP_INVALID, name, "%.200s cannot be read: %s", name,
                          strerror(errno));
    if (text->len >= MAX_FILE)
        return lp_fail_at(err, LP_TOO_LARGE, name, "%.200s is larger than %d bytes", name,
                          MAX_FILE);
    if (text->failed)
        cli_no_memory();
    return LP_OK;
}

enum lp_code
cli_read_file(const char *name, struct lp_buf *text, struct lp_err *err)
{
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "re");
    enum lp_code rc;

    if (file == NULL)
        return lp_fail_at(err, errno == ENOENT ? LP_NOT_FOUND : LP_INVALID, name,
                          "%.200s cannot be read: %s", name, strerror(errno));
    rc = read_all(file, name, text, err);
    if (!standard)
        fclose(file);
    return rc;
}

static enum lp_code
pages_from_file(struct cli_form *form, const char *name, struct lp_err *err)
{
    struct lp_buf text = LP_BUF_INIT;
    json_t *value = NULL;
    enum lp_code rc = cli_read_file(name, &text, err);

    if (rc == LP_OK
        && lp_json_load(text.data != NULL ? text.data : "", text.len, &value, err) != LP_OK)
        rc = lp_err_prefix(err, "%.100s: ", name);
    lp_buf_free(&text);
    if (rc != LP_OK)
        return rc;
    if (json_is_array(value)) {
        form->pages = value;
        return LP_OK;
    }
    if (json_is_object(value))
        cli_sets_add_object(&form->sets, value);
    else
        rc = lp_fail_at(err, LP_INVALID, name,
                        "%.100s must hold a list of pages or one object of fields", name);
    json_decref(value);
    return rc;
}

enum lp_code
cli_form_options(struct cli *cli, struct cli_form *form, struct lp_err *err)
{
    const char *file = cli_opt(cli, "file");
    enum lp_code rc = file != NULL ? pages_from_file(form, file, err) : LP_OK;

    for (size_t i = 0; i < cli->given_count && rc == LP_OK; i++) {
        if (strcmp(cli->given[i].option->name, "set") == 0)
            rc = cli_sets_add(&form->sets, cli->given[i].value, err);
    }
    form->ask_all = form->sets.count == 0 && form->pages == NULL;
    return rc;
}

/* ---- filling one page ---- */

static bool
names_subscription(const json_t *page, const struct cli_set *set)
{
    json_auto_t *flat =
        cli_schema_flat(page, json_object_get(json_object_get(page, "properties"), set->path));
    const char *format = lp_json_str(flat, "format", "");

    return set->text != NULL && !cli_is_uuid(set->text) && json_object_get(flat, "enum") == NULL
           && (strcmp(format, "subscriptionId") == 0
               || (strcmp(format, "uuid") == 0 && strcmp(set->path, "subscription_id") == 0));
}

/* People say MI01 where the API wants an id. */
static enum lp_code
resolve_subscriptions(struct cli *cli, struct cli_form *form, const json_t *page,
                      struct lp_err *err)
{
    for (size_t i = 0; i < form->sets.count; i++) {
        struct cli_set *set = &form->sets.rows[i];
        char id[37];
        enum lp_code rc;

        if (!names_subscription(page, set))
            continue;
        rc = cli_resolve(cli, CLI_SUBSCRIPTION, set->text, id, err);
        if (rc != LP_OK)
            return rc;
        free(set->text);
        set->text = cli_strdup(id);
    }
    return LP_OK;
}

/* A choice of one is no question. */
static json_t *
only_choice(const json_t *flat)
{
    json_t *choices = json_object_get(flat, "enum");

    return json_array_size(choices) == 1 && json_object_get(flat, "default") == NULL
                   && strcmp(lp_json_str(flat, "format", ""), "accept") != 0
               ? json_array_get(choices, 0)
               : NULL;
}

static bool
must_be_given(const json_t *page, const char *name, const json_t *flat)
{
    return cli_schema_required(page, name) && json_object_get(flat, "default") == NULL;
}

static void
list_missing(struct cli *cli, const json_t *flat, const char *name)
{
    char *title = cli_clean(cli_schema_title(flat, name), false);
    char *help = cli_clean(lp_json_str(flat, "description", ""), false);
    char *field = cli_clean(name, false);

    fprintf(cli->err.file, "  --set %s=...  %s (%s)%s%s\n", field, title, cli_schema_type(flat),
            *help != '\0' ? ": " : "", help);
    free(title);
    free(help);
    free(field);
}

static enum lp_code
ask_one(struct cli *cli, const json_t *page, const char *name, const json_t *schema, json_t *input,
        struct lp_err *err)
{
    json_t *value = NULL;
    enum lp_code rc =
        cli_ask_field(cli, page, name, schema, json_object_get(input, name), &value, err);

    if (rc == LP_OK && value != NULL)
        json_object_set_new(input, name, value);
    return rc;
}

struct filling {
    bool all;       /* ask for optional fields too */
    bool again;     /* ask for fields that have a value already */
    size_t missing; /* required ones nobody could be asked for */
    size_t asked;
};

/* The version beside subscription_id is what a program saw last; a person has seen none. */
static bool
machine_made(const json_t *page, const char *name)
{
    return strcmp(name, "version") == 0
           && json_object_get(json_object_get(page, "properties"), "subscription_id") != NULL;
}

/* What a page says to people may be why it cannot be filled. */
static void
tell_labels(struct cli *cli, const json_t *page)
{
    const char *name;
    json_t *schema;

    json_object_foreach(json_object_get(page, "properties"), name, schema)
    {
        json_auto_t *flat = cli_schema_flat(page, schema);
        const char *text = lp_json_str(flat, "default", NULL);

        if (strcmp(lp_json_str(flat, "format", ""), "label") == 0 && text != NULL)
            fprintf(cli->err.file, "%s\n", text);
    }
}

static enum lp_code
fill_field(struct cli *cli, const json_t *page, const char *name, const json_t *schema,
           json_t *input, struct filling *how, struct lp_err *err)
{
    json_auto_t *flat = cli_schema_flat(page, schema);
    bool given = json_object_get(input, name) != NULL;
    bool needed = must_be_given(page, name, flat);

    if (cli_schema_display_only(flat) || (given && !how->again) || machine_made(page, name))
        return LP_OK;
    if (needed && !given && only_choice(flat) != NULL) {
        json_object_set(input, name, only_choice(flat));
        return LP_OK;
    }
    if (cli->ask && (needed || how->all)) {
        how->asked++;
        return ask_one(cli, page, name, flat, input, err);
    }
    if (needed && !given) {
        if (how->missing++ == 0) {
            tell_labels(cli, page);
            fprintf(cli->err.file, "Missing:\n");
        }
        list_missing(cli, flat, name);
    } else if (!given && cli_schema_required(page, name))
        json_object_set(input, name, json_object_get(flat, "default"));
    return LP_OK;
}

static enum lp_code
fill_fields(struct cli *cli, const json_t *page, json_t *input, struct filling *how,
            struct lp_err *err)
{
    const char *name;
    json_t *schema;

    json_object_foreach(json_object_get(page, "properties"), name, schema)
    {
        enum lp_code rc = fill_field(cli, page, name, schema, input, how, err);

        if (rc != LP_OK)
            return rc;
    }
    return LP_OK;
}

static bool
shows_summary(const json_t *page)
{
    const char *name;
    json_t *schema;

    json_object_foreach(json_object_get(page, "properties"), name, schema)
    {
        json_auto_t *flat = cli_schema_flat(page, schema);

        if (strcmp(lp_json_str(flat, "format", ""), "summary") == 0)
            return true;
    }
    return false;
}

static enum lp_code
confirm(struct cli *cli, const json_t *page, struct lp_err *err)
{
    bool yes = true;
    enum lp_code rc;

    if (!cli->ask || !shows_summary(page))
        return LP_OK;
    rc = cli_ask_yes(cli, "Go ahead?", true, &yes, err);
    if (rc == LP_OK && !yes)
        rc = lp_fail(err, LP_CANCELLED, "not confirmed; nothing was started");
    return rc;
}

static json_t *
file_page(const struct cli_form *form, size_t n)
{
    json_t *page = json_array_get(form->pages, n);
    json_t *input = json_is_object(page) ? json_deep_copy(page) : json_object();

    if (input == NULL)
        cli_no_memory();
    return input;
}

static enum lp_code
fill_page(struct cli *cli, struct cli_form *form, const json_t *page, json_t *pages,
          struct lp_err *err)
{
    struct filling how = {.all = form->ask_all};
    json_auto_t *input = file_page(form, json_array_size(pages));
    enum lp_code rc = resolve_subscriptions(cli, form, page, err);

    if (rc == LP_OK)
        rc = cli_sets_fill(&form->sets, page, input, err);
    if (rc == LP_OK && cli->ask)
        cli_ask_show(cli, page);
    if (rc == LP_OK)
        rc = fill_fields(cli, page, input, &how, err);
    if (rc == LP_OK && how.missing > 0) {
        rc = lp_fail(err, LP_FORM_INCOMPLETE, "%s wants %zu more value%s; nothing was started",
                     form->subject, how.missing, how.missing > 1 ? "s" : "");
        err->detail = json_pack("{s:O}", "form", page);
    }
    if (rc == LP_OK)
        rc = confirm(cli, page, err);
    if (rc == LP_OK)
        json_array_append(pages, input);
    return rc;
}

/* ---- values that nobody asked for ---- */

static bool
one_page_too_many(const json_t *body)
{
    const json_t *first = json_array_get(json_object_get(body, "validation_errors"), 0);

    return strcmp(lp_json_str(first, "type", ""), "too_many_pages") == 0
           || strcmp(lp_json_str(body, "type", ""), "FormOverflowError") == 0;
}

static enum lp_code
unused(const struct cli_form *form, struct lp_err *err)
{
    const struct cli_set *set = cli_sets_unused(&form->sets);

    return lp_fail_at(err, LP_INVALID, set->path,
                      "%s: no page of %s asks for '%s' in this situation; nothing was started",
                      set->path, form->subject, set->path);
}

/* Whether a further page follows cannot be asked without filling the page before, and a form that
   is satisfied starts the process. So a page that no form accepts is posted behind the others:
   either it is refused member by member (there is such a page), or as one too many. */
static enum lp_code
check_unused(struct cli *cli, const struct cli_form *form, const json_t *meta, const json_t *pages,
             struct lp_err *err)
{
    json_auto_t *probe = NULL;
    struct cli_answer answer;
    enum lp_code rc;

    if (cli_sets_unused(&form->sets) == NULL)
        return LP_OK;
    if (json_is_false(json_object_get(meta, "hasNext")))
        return unused(form, err);
    probe = json_copy((json_t *)(uintptr_t)pages);
    json_array_append_new(probe, json_pack("{s:n}", PROBE));
    rc = cli_exchange(cli, form->method, form->path, probe, NULL, &answer, err);
    if (rc != LP_OK)
        return rc;
    if (one_page_too_many(answer.body))
        rc = unused(form, err);
    else if (answer.status >= 300 && json_object_get(answer.body, "validation_errors") == NULL)
        rc = cli_answer_fail(
            &answer, err); /* 400 with fields: the next page, or this one is not right yet */
    cli_answer_free(&answer);
    return rc;
}

/* ---- what the server refused ---- */

static char *
loc_text(const json_t *problem)
{
    struct lp_buf text = LP_BUF_INIT;
    size_t i;
    json_t *part;

    json_array_foreach(json_object_get(problem, "loc"), i, part)
    {
        const char *word = json_is_string(part) ? json_string_value(part) : NULL;

        if (word != NULL && strcmp(word, "__root__") == 0)
            continue;
        lp_buf_str(&text, text.len > 0 ? "." : "");
        if (word != NULL)
            lp_buf_str(&text, word);
        else
            lp_buf_printf(&text, "%lld", (long long)json_integer_value(part));
    }
    if (text.failed)
        cli_no_memory();
    return text.data != NULL ? lp_buf_take(&text) : cli_strdup("");
}

static void
show_problems(struct cli *cli, const json_t *body)
{
    size_t i;
    json_t *problem;

    json_array_foreach(json_object_get(body, "validation_errors"), i, problem)
    {
        char *raw = loc_text(problem);
        char *where = cli_clean(raw, false);
        char *what = cli_clean(lp_json_str(problem, "msg", "not valid"), false);

        cli_put(&cli->err, CLI_BAD, "  ✗ ");
        fprintf(cli->err.file, "%s%s%s\n", where, *where != '\0' ? ": " : "", what);
        free(raw);
        free(where);
        free(what);
    }
}

/* The refused fields of the page, which are dropped from the input; a refusal of the page as a
 * whole counts for every field. */
static json_t *
drop_refused(const json_t *body, const json_t *page, json_t *input, bool *whole)
{
    json_t *refused = json_object();
    size_t i;
    json_t *problem;

    if (refused == NULL)
        cli_no_memory();
    *whole = false;
    json_array_foreach(json_object_get(body, "validation_errors"), i, problem)
    {
        json_t *first = json_array_get(json_object_get(problem, "loc"), 0);
        const char *name = json_is_string(first) ? json_string_value(first) : "";

        if (json_object_get(json_object_get(page, "properties"), name) == NULL)
            *whole = true;
        json_object_set_new(refused, name, json_true());
        json_object_del(input, name);
    }
    return refused;
}

/* Asks again for what was refused. */
static enum lp_code
mend_page(struct cli *cli, const json_t *body, const json_t *page, json_t *pages,
          struct lp_err *err)
{
    json_t *input = json_array_get(pages, json_array_size(pages) - 1);
    bool whole = false;
    json_auto_t *refused = drop_refused(body, page, input, &whole);
    struct filling how = {.all = true, .again = whole};
    const char *name;
    json_t *schema;

    json_object_foreach(json_object_get(page, "properties"), name, schema)
    {
        enum lp_code rc = LP_OK;

        if (whole || json_object_get(refused, name) != NULL)
            rc = fill_field(cli, page, name, schema, input, &how, err);
        if (rc != LP_OK)
            return rc;
    }
    if (how.asked == 0) /* nothing a person could change */
        return lp_fail(err, LP_FORM_INVALID, "the input was refused; nothing was started");
    return LP_OK;
}

/* ---- the negotiation ---- */

/* A start carries an Idempotency-Key: when the answer was lost it may be asked for again without
 * starting twice. */
static enum lp_code
post(struct cli *cli, const struct cli_form *form, const json_t *pages, struct cli_answer *answer,
     struct lp_err *err)
{
    struct lp_uuid key = lp_uuid_v4();
    bool start = strcmp(form->method, "POST") == 0;
    enum lp_code rc =
        cli_exchange(cli, form->method, form->path, pages, start ? key.text : NULL, answer, err);

    for (int again = 0; start && rc == LP_UNKNOWN && again < 3; again++) {
        const struct timespec pause = {.tv_nsec = 300000000};

        lp_err_clear(err);
        nanosleep(&pause, NULL);
        rc = cli_exchange(cli, form->method, form->path, pages, key.text, answer, err);
    }
    return rc;
}

static enum lp_code
refused(struct cli *cli, const struct cli_form *form, struct cli_answer *answer, const json_t *page,
        json_t *pages, struct lp_err *err)
{
    enum lp_code rc;

    if (json_object_get(answer->body, "validation_errors") == NULL)
        return cli_answer_fail(answer, err);
    show_problems(cli, answer->body);
    if (cli->ask && page != NULL && json_array_size(pages) > 0)
        return mend_page(cli, answer->body, page, pages, err);
    rc = lp_fail(err, LP_FORM_INVALID, "%s was refused: see above; nothing was started",
                 form->subject);
    err->detail = json_incref(answer->body);
    return rc;
}

struct talk {
    json_t *pages; /* posted so far */
    json_t *page;  /* schema of the last one */
    json_t *meta;
};

static enum lp_code
next_page(struct cli *cli, struct cli_form *form, struct talk *talk, json_t *page, json_t *meta,
          struct lp_err *err)
{
    enum lp_code rc;

    if (json_array_size(talk->pages) >= MAX_PAGES)
        return lp_fail(err, LP_PROTOCOL, "%s asks for more than %d pages", form->subject,
                       MAX_PAGES);
    json_decref(talk->page);
    json_decref(talk->meta);
    talk->page = json_incref(page);
    talk->meta = json_incref(meta);
    rc = fill_page(cli, form, page, talk->pages, err);
    if (rc == LP_OK)
        rc = check_unused(cli, form, meta, talk->pages, err);
    return rc;
}

enum lp_code
cli_form_run(struct cli *cli, struct cli_form *form, struct cli_answer *answer, struct lp_err *err)
{
    struct talk talk = {.pages = json_array()};
    enum lp_code rc = LP_OK;
    bool done = false;

    memset(answer, 0, sizeof *answer);
    if (form->first != NULL)
        rc = next_page(cli, form, &talk, form->first, NULL, err);
    while (rc == LP_OK && !done) {
        cli_answer_free(answer);
        rc = post(cli, form, talk.pages, answer, err);
        if (rc != LP_OK)
            break;
        if (answer->status == 510 && json_is_object(json_object_get(answer->body, "form")))
            rc = next_page(cli, form, &talk, json_object_get(answer->body, "form"),
                           json_object_get(answer->body, "meta"), err);
        else if (answer->status >= 300)
            rc = refused(cli, form, answer, talk.page, talk.pages, err);
        else
            done = true;
    }
    json_decref(talk.pages);
    json_decref(talk.page);
    json_decref(talk.meta);
    if (rc != LP_OK)
        cli_answer_free(answer);
    return rc;
}
