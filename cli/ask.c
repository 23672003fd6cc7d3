#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/form.h"

enum { MAX_LISTED = 30, MAX_ITEMS = 1000, MAX_NESTED = 8 };

/* ---- reading ---- */

/* True when Ctrl-C came before there was something to read: the call that reads would not see a
 * signal that came just before it. */
static bool
interrupted_first(const struct cli *cli)
{
    struct pollfd fds[] = {{.fd = cli->cancel_fd, .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};

    while (poll(fds, LP_COUNT(fds), -1) < 0 && errno == EINTR)
        ;
    return (fds[0].revents & POLLIN) != 0;
}

/* One line of standard input without its end; owned by the caller. */
static enum lp_code
read_line(struct cli *cli, char **line, struct lp_err *err)
{
    size_t cap = 0;
    ssize_t len = -1;
    bool interrupted;

    fflush(cli->err.file);
    *line = NULL;
    interrupted = interrupted_first(cli);
    if (!interrupted)
        len = getline(line, &cap, stdin);
    if (len < 0) {
        interrupted = interrupted || errno == EINTR;

        free(*line);
        *line = NULL;
        fputc('\n', cli->err.file);
        return lp_fail(err, LP_CANCELLED, "%s; nothing was started",
                       interrupted ? "interrupted" : "the input ended");
    }
    while (len > 0 && ((*line)[len - 1] == '\n' || (*line)[len - 1] == '\r'))
        (*line)[--len] = '\0';
    return LP_OK;
}

static void
say(struct cli *cli, enum cli_color color, const char *text)
{
    char *clean = cli_clean(text, false);

    cli_put(&cli->err, color, clean);
    free(clean);
}

static enum lp_code
ask_yes(struct cli *cli, const char *question, bool preset, bool *yes, struct lp_err *err)
{
    char *line;
    enum lp_code rc;

    for (;;) {
        say(cli, CLI_BOLD, question);
        fputs(preset ? " [Y/n] " : " [y/N] ", cli->err.file);
        rc = read_line(cli, &line, err);
        if (rc != LP_OK)
            return rc;
        *yes = *line == '\0' ? preset : *line == 'y' || *line == 'Y';
        if (*line == '\0' || strchr("yYnN", *line) != NULL) {
            free(line);
            return LP_OK;
        }
        free(line);
    }
}

enum lp_code
cli_ask_yes(struct cli *cli, const char *question, bool preset, bool *yes, struct lp_err *err)
{
    *yes = true;
    return cli->yes ? LP_OK : ask_yes(cli, question, preset, yes, err);
}

/* ---- what a page shows ---- */

static char *
value_text(const json_t *value)
{
    char *text;

    if (value == NULL || json_is_null(value))
        return cli_strdup("");
    if (json_is_string(value))
        return cli_strdup(json_string_value(value));
    text = lp_json_text(value);
    if (text == NULL)
        cli_no_memory();
    return text;
}

/* {"headers": [...], "labels": [...], "columns": [[...]...]} */
static void
show_summary(struct cli *cli, const json_t *data)
{
    json_t *labels = json_object_get(data, "labels"), *columns = json_object_get(data, "columns");
    size_t count = json_array_size(columns) + 1;
    struct cli_column *heads = cli_alloc(count * sizeof *heads);
    struct cli_table *table;

    heads[0] = (struct cli_column){.title = "", .flexible = true};
    for (size_t c = 1; c < count; c++) {
        json_t *head = json_array_get(json_object_get(data, "headers"), c - 1);

        heads[c] = (struct cli_column){.title = json_is_string(head) ? json_string_value(head) : "",
                                       .flexible = true};
    }
    table = cli_table_new(heads, count);
    for (size_t r = 0; r < json_array_size(labels); r++) {
        for (size_t c = 0; c < count; c++) {
            char *text = value_text(c == 0 ? json_array_get(labels, r)
                                           : json_array_get(json_array_get(columns, c - 1), r));

            cli_table_cell(table, c == 0 ? CLI_DIM : CLI_PLAIN, text);
            free(text);
        }
    }
    cli_table_print(table, &cli->err);
    cli_table_free(table);
    free(heads);
}

static const char *
shown_text(const json_t *def)
{
    const char *text = json_is_string(def) ? json_string_value(def) : NULL;

    if (text == NULL)
        text = lp_json_str(def, "message",
                           lp_json_str(def, "content", lp_json_str(def, "header", NULL)));
    return text;
}

static void
show_field(struct cli *cli, const char *name, const json_t *flat)
{
    const char *format = lp_json_str(flat, "format", "");
    const json_t *def = json_object_get(flat, "default");
    const json_t *data = json_object_get(json_object_get(flat, "uniforms"), "data");

    if (strcmp(format, "hidden") == 0 || strcmp(format, "buttons") == 0)
        return;
    if (strcmp(format, "summary") == 0)
        show_summary(cli, data);
    else if (strcmp(format, "divider") == 0)
        fputs("----\n", cli->err.file);
    else if (*format != '\0') {
        say(cli, CLI_INFO,
            shown_text(def) != NULL ? shown_text(def) : cli_schema_title(flat, name));
        fputc('\n', cli->err.file);
    } else {
        char *text = value_text(
            json_object_get(flat, "const") != NULL ? json_object_get(flat, "const") : def);

        say(cli, CLI_DIM, cli_schema_title(flat, name));
        fputs(": ", cli->err.file);
        say(cli, CLI_PLAIN, text);
        fputc('\n', cli->err.file);
        free(text);
    }
}

void
cli_ask_show(struct cli *cli, const json_t *page)
{
    const char *title = lp_json_str(page, "title", "unknown");
    const char *name;
    json_t *schema;

    if (json_object_size(json_object_get(page, "properties")) > 0
        && strcmp(title, "unknown") != 0) {
        say(cli, CLI_BOLD, title);
        fputc('\n', cli->err.file);
    }
    json_object_foreach(json_object_get(page, "properties"), name, schema)
    {
        json_auto_t *flat = cli_schema_flat(page, schema);

        if (cli_schema_display_only(flat))
            show_field(cli, name, flat);
    }
}

/* ---- questions ---- */

static void
show_limits(struct cli *cli, const json_t *flat)
{
    const char *description = lp_json_str(flat, "description", "");
    const json_t *low = json_object_get(flat, "minimum"), *high = json_object_get(flat, "maximum");

    if (*description != '\0') {
        fputs("  ", cli->err.file);
        say(cli, CLI_DIM, description);
    }
    if (json_is_integer(low) && json_is_integer(high))
        cli_putf(&cli->err, CLI_DIM, "  (%lld to %lld)", (long long)json_integer_value(low),
                 (long long)json_integer_value(high));
}

static void
show_choices(struct cli *cli, const json_t *flat, const char *part)
{
    size_t i, listed = 0;
    json_t *value;

    json_array_foreach(json_object_get(flat, "enum"), i, value)
    {
        const char *choice = json_is_string(value) ? json_string_value(value) : "";
        const char *label = cli_schema_label(flat, choice);

        if (part != NULL && strcasestr(label, part) == NULL)
            continue;
        if (++listed > MAX_LISTED) {
            fputs("    ... type part of a name to see fewer\n", cli->err.file);
            return;
        }
        fprintf(cli->err.file, "  %3zu  ", i + 1);
        say(cli, CLI_PLAIN, label);
        fputc('\n', cli->err.file);
    }
}

static void
show_question(struct cli *cli, const json_t *page, const char *name, const json_t *flat)
{
    say(cli, CLI_BOLD, cli_schema_title(flat, name));
    if (cli_schema_required(page, name))
        cli_put(&cli->err, CLI_WARN, " *");
    show_limits(cli, flat);
    fputc('\n', cli->err.file);
    if (json_is_array(json_object_get(flat, "enum")))
        show_choices(cli, flat, NULL);
}

static void
show_prompt(struct cli *cli, const json_t *flat, const json_t *preset)
{
    char *text = value_text(preset);

    fputs("  ", cli->err.file);
    if (*text != '\0') {
        char *label =
            cli_clean(json_is_string(preset) ? cli_schema_label(flat, text) : text, false);

        cli_putf(&cli->err, CLI_DIM, "[%s] ", label);
        free(label);
    }
    fputs("> ", cli->err.file);
    free(text);
}

/* A number out of the list of choices, else the text itself. */
static const char *
chosen(const json_t *flat, const char *line)
{
    json_t *choices = json_object_get(flat, "enum");
    char *end;
    unsigned long n = strtoul(line, &end, 10);
    json_t *value = *line != '\0' && *end == '\0' && n > 0 ? json_array_get(choices, n - 1) : NULL;

    return json_is_string(value) ? json_string_value(value) : line;
}

static enum lp_code
ask_scalar(struct cli *cli, const json_t *page, const char *name, const json_t *flat, bool required,
           const json_t *preset, json_t **out, struct lp_err *err)
{
    for (;;) {
        char *line;
        enum lp_code rc;

        show_prompt(cli, flat, preset);
        rc = read_line(cli, &line, err);
        if (rc != LP_OK)
            return rc;
        if (*line == '\0' && (preset != NULL || !required)) {
            *out = json_incref((json_t *)(uintptr_t)preset);
            free(line);
            return LP_OK;
        }
        rc = *line == '\0' ? lp_fail(err, LP_INVALID, "%s is needed", cli_schema_title(flat, name))
                           : cli_convert(page, flat, name, chosen(flat, line), out, err);
        if (rc != LP_OK && json_is_array(json_object_get(flat, "enum")))
            show_choices(cli, flat, *line != '\0' ? line : NULL);
        free(line);
        if (rc == LP_OK)
            return LP_OK;
        say(cli, CLI_BAD, err->msg);
        fputc('\n', cli->err.file);
        lp_err_clear(err);
    }
}

static enum lp_code ask_members(struct cli *cli, const json_t *page, const char *name,
                                const json_t *flat, bool required, const json_t *preset,
                                json_t **out, struct lp_err *err);

/* The next element of a list; *out stays NULL when there is none. */
static enum lp_code
ask_item(struct cli *cli, const json_t *page, const char *name, const json_t *item, json_t **out,
         struct lp_err *err)
{
    bool more = false;
    enum lp_code rc;

    if (strcmp(cli_schema_type(item), "object") != 0)
        return ask_scalar(cli, page, name, item, false, NULL, out, err);
    rc = ask_yes(cli, "  Add one?", false, &more, err);
    return rc == LP_OK && more ? ask_members(cli, page, name, item, true, NULL, out, err) : rc;
}

static void
show_items(struct cli *cli, const json_t *item, const json_t *preset)
{
    char *now = json_array_size(preset) > 0 ? lp_json_text(preset) : NULL;

    if (json_is_array(json_object_get(item, "enum")))
        show_choices(cli, item, NULL);
    if (now != NULL) {
        say(cli, CLI_DIM, "  now ");
        say(cli, CLI_DIM, now);
        fputs("; an empty answer keeps it\n", cli->err.file);
    } else if (strcmp(cli_schema_type(item), "object") != 0)
        fputs("  one per line, an empty line ends\n", cli->err.file);
    free(now);
}

/* An empty answer keeps what was there, or leaves the list out. */
static enum lp_code
ask_items(struct cli *cli, const json_t *page, const char *name, const json_t *flat,
          const json_t *preset, json_t **out, struct lp_err *err)
{
    json_auto_t *item = cli_schema_flat(page, json_object_get(flat, "items"));
    json_auto_t *list = json_array();
    enum lp_code rc = LP_OK;

    show_items(cli, item, preset);
    while (rc == LP_OK && json_array_size(list) < MAX_ITEMS) {
        json_t *value = NULL;

        rc = ask_item(cli, page, name, item, &value, err);
        if (rc == LP_OK && value == NULL)
            break;
        if (rc == LP_OK)
            json_array_append_new(list, value);
    }
    if (rc != LP_OK)
        return rc;
    if (json_array_size(list) > 0 || (cli_schema_required(page, name) && preset == NULL))
        *out = lp_json_take(&list);
    else
        *out = json_incref((json_t *)(uintptr_t)preset);
    return LP_OK;
}

static enum lp_code
ask_members(struct cli *cli, const json_t *page, const char *name, const json_t *flat,
            bool required, const json_t *preset, json_t **out, struct lp_err *err)
{
    json_auto_t *object = json_is_object(preset) ? json_deep_copy(preset) : json_object();
    char *question = cli_strfmt("Fill in %s?", cli_schema_title(flat, name));
    int64_t depth = lp_json_int(page, "x-depth", 0);
    bool yes = true;
    const char *key;
    json_t *schema;
    enum lp_code rc = LP_OK;

    if (depth >= MAX_NESTED) /* a schema may refer to itself */
        rc = lp_fail(err, LP_PROTOCOL, "%s is nested too deeply to be asked for", name);
    else if (!required)
        rc = ask_yes(cli, question, json_object_size(preset) > 0, &yes, err);
    free(question);
    if (rc != LP_OK || !yes)
        return rc;
    json_object_foreach(json_object_get(flat, "properties"), key, schema)
    {
        json_auto_t *inner =
            json_deep_copy(page); /* "required" of the object, definitions of the page */
        json_t *value = NULL;

        json_object_del(inner, "required");
        json_object_set(inner, "required", json_object_get(flat, "required"));
        json_object_set_new(inner, "x-depth", json_integer(depth + 1));
        rc = cli_ask_field(cli, inner, key, schema, json_object_get(object, key), &value, err);
        if (rc != LP_OK)
            return rc;
        if (value != NULL)
            json_object_set_new(object, key, value);
    }
    *out = lp_json_take(&object);
    return LP_OK;
}

/* A subscription may be named; everything else goes as it is. */
static enum lp_code
name_to_id(struct cli *cli, const json_t *flat, json_t **value, struct lp_err *err)
{
    const char *format = lp_json_str(flat, "format", "");
    char id[37];
    enum lp_code rc;

    if (!json_is_string(*value) || cli_is_uuid(json_string_value(*value))
        || json_object_get(flat, "enum") != NULL
        || (strcmp(format, "uuid") != 0 && strcmp(format, "subscriptionId") != 0))
        return LP_OK;
    rc = cli_resolve(cli, CLI_SUBSCRIPTION, json_string_value(*value), id, err);
    if (rc == LP_OK) {
        json_decref(*value);
        *value = json_string(id);
    }
    return rc;
}

static enum lp_code
ask_until_known(struct cli *cli, const json_t *page, const char *name, const json_t *flat,
                bool required, const json_t *preset, json_t **out, struct lp_err *err)
{
    for (;;) {
        enum lp_code rc = ask_scalar(cli, page, name, flat, required, preset, out, err);

        if (rc != LP_OK)
            return rc;
        rc = name_to_id(cli, flat, out, err);
        if (rc == LP_OK || (rc != LP_NOT_FOUND && rc != LP_CONFLICT))
            return rc;
        say(cli, CLI_BAD, err->msg);
        fputc('\n', cli->err.file);
        lp_err_clear(err);
        json_decref(*out);
        *out = NULL;
    }
}

enum lp_code
cli_ask_field(struct cli *cli, const json_t *page, const char *name, const json_t *schema,
              const json_t *current, json_t **out, struct lp_err *err)
{
    json_auto_t *flat = cli_schema_flat(page, schema);
    const json_t *preset = current != NULL ? current : json_object_get(flat, "default");
    const char *type = cli_schema_type(flat);
    bool required = cli_schema_required(page, name);

    *out = NULL;
    if (preset != NULL && json_is_null(preset))
        preset = NULL;
    show_question(cli, page, name, flat);
    if (strcmp(type, "array") == 0)
        return ask_items(cli, page, name, flat, preset, out, err);
    if (strcmp(type, "object") == 0)
        return ask_members(cli, page, name, flat, required, preset, out, err);
    return ask_until_known(cli, page, name, flat, required, preset, out, err);
}
