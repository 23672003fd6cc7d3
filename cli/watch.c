#include "cli/watch.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { POLL_MS = 500, LOOK_MS = 2000, TICK_MS = 120 };

struct watch {
    struct cli *cli;
    const char *id;
    struct lp_http_stream *stream; /* NULL: polling */
    json_t *shown;                 /* step id -> what was printed of it */
    json_t *process;               /* newest answer */
    json_t *children;              /* {"total", "done", "failed", "busy"} or NULL */
    bool line;                     /* a live line stands on the screen */
    bool again;                    /* watched before: its age says nothing */
    unsigned turn;                 /* of the little wheel */
    int64_t begun_us, looked_us;
};

static const struct lp_clock clock_of_cli = LP_CLOCK_INIT;

/* ---- steps ---- */

static const struct {
    const char *status, *sign, *ascii;
    enum cli_color color;
} signs[] = {
    {"success", "✓", "ok", CLI_GOOD},    {"complete", "✓", "ok", CLI_GOOD},
    {"skipped", "○", "skip", CLI_DIM},   {"failed", "✗", "fail", CLI_BAD},
    {"abort", "✗", "abort", CLI_BAD},    {"waiting", "…", "wait", CLI_WARN},
    {"suspend", "?", "input", CLI_WARN}, {"awaiting_callback", "…", "await", CLI_WARN},
    {"running", "▸", "run", CLI_INFO},   {"pending", "·", "", CLI_DIM},
};

static size_t
sign_of(const char *status)
{
    for (size_t i = 0; i < LP_COUNT(signs); i++) {
        if (strcmp(signs[i].status, status) == 0)
            return i;
    }
    return LP_COUNT(signs) - 1;
}

static double
real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static char *
step_time(const json_t *step)
{
    double started = real_of(step, "started"), completed = real_of(step, "completed");

    return started > 0 && completed >= started + 0.0001 ? cli_duration(completed - started)
                                                        : cli_strdup("");
}

static const char *
step_error(const json_t *step)
{
    const char *status = lp_json_str(step, "status", "");

    if (strcmp(status, "failed") != 0 && strcmp(status, "waiting") != 0)
        return NULL;
    return lp_json_str(json_object_get(step, "state"), "error", NULL);
}

void
cli_steps_table(struct cli *cli, const json_t *process)
{
    static const struct cli_column columns[] = {{.title = "Step", .flexible = true},
                                                {.title = "Status"},
                                                {.title = "Took", .right = true},
                                                {.title = "Finished", .optional = true},
                                                {.title = "By", .flexible = true, .optional = true},
                                                {.title = "Said", .flexible = true}};
    struct cli_table *table = cli_table_new(columns, LP_COUNT(columns));
    size_t i;
    json_t *step;

    json_array_foreach(json_object_get(process, "steps"), i, step)
    {
        const char *status = lp_json_str(step, "status", "");
        char *took = step_time(step), *at = cli_time(real_of(step, "completed"));

        cli_table_cell(table, CLI_PLAIN, lp_json_str(step, "name", ""));
        cli_table_cell(table, cli_status_color(status), status);
        cli_table_cell(table, CLI_DIM, took);
        cli_table_cell(table, CLI_DIM, at);
        cli_table_cell(table, CLI_DIM, lp_json_str(step, "created_by", ""));
        cli_table_cell(table, CLI_BAD, step_error(step));
        free(took);
        free(at);
    }
    cli_table_print(table, &cli->out);
    cli_table_free(table);
}

/* ---- the live line ---- */

static void
wipe_line(struct watch *w)
{
    if (w->line)
        fputs("\r\033[K", w->cli->out.file);
    w->line = false;
}

static const char *
next_step(const json_t *process)
{
    size_t i;
    json_t *step;

    json_array_foreach(json_object_get(process, "steps"), i, step)
    {
        const char *status = lp_json_str(step, "status", "");

        if (strcmp(status, "pending") == 0 || strcmp(status, "waiting") == 0)
            return lp_json_str(step, "name", "");
    }
    return "";
}

static char *
progress_bar(const json_t *children)
{
    int64_t total = lp_json_int(children, "total", 0), done = lp_json_int(children, "done", 0);
    bool sane = total < 1000000000 && done >= 0 && done <= total; /* numbers of a server */
    int filled = total > 0 && sane ? (int)(20 * done / total) : 0;
    char bar[64] = "";

    if (total <= 0)
        return cli_strdup("");
    for (int i = 0; i < 20; i++)
        strncat(bar, i < filled ? "█" : "·", sizeof bar - strlen(bar) - 1);
    return cli_strfmt("  %s %lld of %lld", bar, (long long)done, (long long)total);
}

static void
put_line(struct watch *w)
{
    static const char *const wheel[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    const struct cli_screen *screen = &w->cli->out;
    double seconds = (double)(lp_clock_mono_us(&clock_of_cli) - w->begun_us) / 1e6;
    char *step, *bar, *time, *text, *cut;

    if (!screen->live || w->cli->json || w->process == NULL)
        return;
    step = cli_clean(next_step(w->process), false);
    bar = progress_bar(w->children);
    time = cli_duration(seconds);
    text = cli_strfmt("  %s %s%s%s  %s", wheel[w->turn++ % LP_COUNT(wheel)], step,
                      *bar != '\0' ? "" : " ...", bar, time);
    cut = cli_cut(text, screen->width > 1 ? (size_t)screen->width - 1 : 79);
    wipe_line(w);
    cli_put(screen, CLI_INFO, cut);
    fflush(screen->file);
    w->line = true;
    free(step);
    free(bar);
    free(time);
    free(text);
    free(cut);
}

static void
put_step(struct watch *w, const json_t *step)
{
    const struct cli_screen *screen = &w->cli->out;
    size_t sign = sign_of(lp_json_str(step, "status", ""));
    char *name = cli_clean(lp_json_str(step, "name", ""), false);
    char *took = step_time(step);
    const char *error = step_error(step);

    wipe_line(w);
    fputs("  ", screen->file);
    cli_put(screen, signs[sign].color, signs[sign].sign);
    fprintf(screen->file, " %s", name);
    if (*took != '\0')
        cli_putf(screen, CLI_DIM, "  %s", took);
    if (lp_json_int(step, "retries", 0) > 0)
        cli_putf(screen, CLI_DIM, "  (tried %lld times)",
                 (long long)lp_json_int(step, "retries", 0) + 1);
    fputc('\n', screen->file);
    if (error != NULL) {
        char *clean = cli_clean(error, true);

        cli_wrap(screen, clean, 6);
        free(clean);
    }
    free(name);
    free(took);
}

/* A step that waits for children or a time has done nothing wrong: the live line shows it. */
static bool
only_waits(const struct watch *w, const json_t *step)
{
    const char *kind = lp_json_str(w->process, "wait_kind", "");

    return strcmp(lp_json_str(step, "status", ""), "waiting") == 0 && strcmp(kind, "retry") != 0;
}

/* What was printed of a step: printed again when it changes. */
static char *
seen_text(const json_t *step)
{
    return cli_strfmt("%s %lld", lp_json_str(step, "status", "pending"),
                      (long long)lp_json_int(step, "retries", 0));
}

/* Prints every step that is new or changed since the last look. */
static void
put_steps(struct watch *w)
{
    size_t i;
    json_t *step;

    json_array_foreach(json_object_get(w->process, "steps"), i, step)
    {
        const char *status = lp_json_str(step, "status", "pending");
        const char *id = lp_json_str(step, "step_id", "");
        char *seen;

        if (strcmp(status, "pending") == 0 || *id == '\0' || only_waits(w, step))
            continue;
        seen = seen_text(step);
        if (strcmp(lp_json_str(w->shown, id, ""), seen) != 0) {
            json_object_set_new(w->shown, id, json_string(seen));
            put_step(w, step);
        }
        free(seen);
    }
    fflush(w->cli->out.file);
}

/* ---- asking ---- */

/* A parent tells how far its children are: "12 of 44 done, 1 failed, 3 at work". */
static void
look_at_children(struct watch *w)
{
    long long done = 0, total = 0, failed = 0, busy = 0;
    const char *kind = lp_json_str(w->process, "wait_kind", "");
    const char *reason = lp_json_str(w->process, "wait_reason", "");

    if (strcmp(kind, "children") != 0
        || sscanf(reason, "%lld of %lld done, %lld failed, %lld at work", &done, &total, &failed,
                  &busy)
               != 4)
        return;
    json_decref(w->children);
    w->children =
        json_pack("{s:I, s:I, s:I, s:I}", "done", (json_int_t)done, "total", (json_int_t)total,
                  "failed", (json_int_t)failed, "busy", (json_int_t)busy);
}

static enum lp_code
look(struct watch *w, struct lp_err *err)
{
    struct cli_path path;
    json_t *process = NULL;
    enum lp_code rc;

    cli_path_start(&path, "/processes");
    cli_path_part(&path, w->id);
    rc = cli_call(w->cli, "GET", cli_path_get(&path), NULL, &process, err);
    cli_path_free(&path);
    w->looked_us = lp_clock_mono_us(&clock_of_cli);
    if (rc != LP_OK)
        return rc;
    json_decref(w->process);
    w->process = process;
    look_at_children(w);
    if (!w->cli->json)
        put_steps(w);
    return LP_OK;
}

static bool
concerns(const struct watch *w, const struct lp_http_event *event)
{
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *data = NULL;
    const json_t *value;
    bool ours = true; /* what cannot be read is looked into */

    if (lp_json_load(event->data, strlen(event->data), &data, &ignored) == LP_OK) {
        value = json_object_get(data, "value");
        ours = strcmp(lp_json_str(value, "type", ""), "processes") == 0
               && (strcmp(lp_json_str(value, "id", ""), w->id) == 0
                   || (w->children != NULL && strcmp(lp_json_str(value, "id", ""), "LIST") == 0));
    }
    lp_err_clear(&ignored);
    return ours;
}

static enum lp_code
interrupted(struct watch *w, struct lp_err *err)
{
    return lp_fail(
        err, LP_CANCELLED,
        "stopped watching; the process goes on. `lightpath process watch %s` looks again",
        cli_short_id(w->id));
}

/* Sleeps until there is a reason to look again; the live line keeps turning. */
static enum lp_code
wait_polling(struct watch *w, struct lp_err *err)
{
    struct pollfd fd = {.fd = w->cli->cancel_fd, .events = POLLIN};

    for (int waited = 0; waited < POLL_MS; waited += TICK_MS) {
        if (poll(&fd, 1, TICK_MS) > 0)
            return interrupted(w, err);
        put_line(w);
    }
    return LP_OK;
}

static enum lp_code
wait_stream(struct watch *w, struct lp_err *err)
{
    bool ours = false;

    while (!ours && lp_clock_mono_us(&clock_of_cli) - w->looked_us < LOOK_MS * 1000) {
        struct lp_http_event event;
        bool got = false;
        enum lp_code rc = lp_http_stream_next(w->stream, TICK_MS, &event, &got, err);

        if (rc == LP_CANCELLED)
            return interrupted(w, err);
        if (rc != LP_OK) { /* the server went away: ask it until it is back */
            lp_err_clear(err);
            lp_http_stream_close(w->stream);
            w->stream = NULL;
            return LP_OK;
        }
        if (got) {
            ours = concerns(w, &event);
            lp_http_event_free(&event);
        } else
            put_line(w);
    }
    while (ours) { /* what came together is looked at once */
        struct lp_http_event event;

        if (lp_http_stream_next(w->stream, 20, &event, &ours, err) != LP_OK) {
            lp_err_clear(err);
            break;
        }
        if (ours)
            lp_http_event_free(&event);
        if (lp_clock_mono_us(&clock_of_cli) - w->looked_us > 250000)
            break;
    }
    return LP_OK;
}

/* A daemon that is being restarted is no reason to stop watching. */
static enum lp_code
look_patiently(struct watch *w, struct lp_err *err)
{
    enum lp_code rc = look(w, err);

    for (int again = 0; (rc == LP_RETRYABLE || rc == LP_UNKNOWN || rc == LP_STORE) && again < 60;
         again++) {
        enum lp_code waited;

        if (w->process == NULL)
            return rc; /* never reached it */
        lp_err_clear(err);
        waited = wait_polling(w, err);
        if (waited != LP_OK)
            return waited;
        rc = look(w, err);
    }
    return rc == LP_CANCELLED ? interrupted(w, err) : rc;
}

/* ---- the end ---- */

static const char *
failed_step(const json_t *process)
{
    return lp_json_str(process, "last_step", "a step");
}

/* The code the failed step ended with, when the server says so. */
static enum lp_code
failure_code(const json_t *process)
{
    json_t *steps = json_object_get(process, "steps");

    for (size_t i = json_array_size(steps); i-- > 0;) {
        json_t *step = json_array_get(steps, i);

        if (strcmp(lp_json_str(step, "status", ""), "failed") == 0)
            return lp_code_from_slug(lp_json_str(json_object_get(step, "state"), "class", ""));
    }
    return LP_INTERNAL;
}

static enum lp_code
stopped(const struct watch *w, enum lp_code code, struct lp_err *err)
{
    const char *id = cli_short_id(w->id);

    return lp_fail(
        err, code,
        "the process stopped at '%.80s': %.200s. Repair the cause, then `lightpath process "
        "retry %s` (or skip, mark-done, abort)",
        failed_step(w->process), lp_json_str(w->process, "failed_reason", "no reason was given"),
        id);
}

/* LP_OK with *ended false: it still runs. */
static enum lp_code
outcome(struct watch *w, bool *ended, struct lp_err *err)
{
    const char *status = lp_json_str(w->process, "last_status", "");

    *ended = true;
    if (strcmp(status, "completed") == 0)
        return LP_OK;
    if (strcmp(status, "aborted") == 0)
        return lp_fail(err, LP_CANCELLED, "the process was aborted");
    if (strcmp(status, "suspended") == 0)
        return lp_fail(err, LP_FORM_INCOMPLETE,
                       "the process waits for input: `lightpath process resume %s`",
                       cli_short_id(w->id));
    if (strcmp(status, "inconsistent_data") == 0)
        return stopped(w, LP_DRIFT, err);
    if (strcmp(status, "api_unavailable") == 0)
        return stopped(w, LP_RETRYABLE, err);
    if (strcmp(status, "failed") == 0)
        return stopped(w, failure_code(w->process), err);
    if (strcmp(status, "waiting") == 0 && lp_json_int(w->children, "failed", 0) > 0
        && lp_json_int(w->children, "busy", 0) == 0
        && strcmp(lp_json_str(w->process, "wait_kind", ""), "children") == 0)
        return lp_fail(
            err, LP_CONFLICT,
            "it waits for %lld failed child processes: `lightpath todo` lists them; retry or "
            "abort each, and it goes on by itself",
            (long long)lp_json_int(w->children, "failed", 0));
    *ended = false;
    return LP_OK;
}

static void
say_completed(struct watch *w)
{
    char *time =
        cli_duration(real_of(w->process, "last_modified_at") - real_of(w->process, "started_at"));

    wipe_line(w);
    cli_put(&w->cli->out, CLI_GOOD, "Completed");
    fprintf(w->cli->out.file, "%s%s\n", w->again ? "" : " in ", w->again ? "" : time);
    free(time);
}

static void
print_json(struct watch *w)
{
    char *text = w->process != NULL ? lp_json_text(w->process) : NULL;

    if (text != NULL)
        fprintf(w->cli->out.file, "%s\n", text);
    free(text);
}

json_t *
cli_watch_seen(struct cli *cli, const char *process_id)
{
    struct cli_path path;
    struct lp_err ignored = LP_ERR_INIT;
    json_auto_t *process = NULL;
    json_t *seen = json_object();
    size_t i;
    json_t *step;

    cli_path_start(&path, "/processes");
    cli_path_part(&path, process_id);
    if (cli_call(cli, "GET", cli_path_get(&path), NULL, &process, &ignored) != LP_OK)
        lp_err_clear(&ignored);
    cli_path_free(&path);
    json_array_foreach(json_object_get(process, "steps"), i, step)
    {
        char *text = seen_text(step);

        json_object_set_new(seen, lp_json_str(step, "step_id", ""), json_string(text));
        free(text);
    }
    return seen;
}

enum lp_code
cli_watch(struct cli *cli, const char *process_id, json_t *seen, struct lp_err *err)
{
    struct watch w = {.cli = cli,
                      .id = process_id,
                      .shown = seen != NULL ? seen : json_object(),
                      .again = seen != NULL};
    bool ended = false;
    int status = 0;
    enum lp_code rc;

    w.begun_us = lp_clock_mono_us(&clock_of_cli);
    if (lp_http_stream_open(cli->http, "/api/events", NULL, &w.stream, &status, err) != LP_OK)
        lp_err_clear(err); /* then by asking again and again */
    rc = look_patiently(&w, err);
    while (rc == LP_OK && !ferror(cli->out.file) && (rc = outcome(&w, &ended, err)) == LP_OK
           && !ended) {
        rc = w.stream != NULL ? wait_stream(&w, err) : wait_polling(&w, err);
        if (rc == LP_OK)
            rc = look_patiently(&w, err);
    }
    wipe_line(&w);
    if (cli->json && rc != LP_CANCELLED)
        print_json(&w);
    else if (rc == LP_OK)
        say_completed(&w);
    fflush(cli->out.file);
    lp_http_stream_close(w.stream);
    json_decref(w.shown);
    json_decref(w.process);
    json_decref(w.children);
    return rc;
}
