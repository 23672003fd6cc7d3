/*
 * lightpath: finds the row of the command table, reads its options, opens the connection and runs
 * the handler. Every error ends here: what happened, where, what to do next, and the exit code of
 * base/codes.def.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/form.h"

#ifndef LP_VERSION
#define LP_VERSION "unknown"
#endif

enum { LONG_BASE = 1000, MAX_TOKEN = 4096 };

/* ---- Ctrl-C ---- */

static int interrupt_pipe[2] = {-1, -1}; /* written by the handler, read by whoever waits */

static void
on_interrupt(int number)
{
    int saved = errno;

    (void)number;
    if (write(interrupt_pipe[1], "x", 1) < 0)
        _exit(lp_code_info(LP_CANCELLED)->exit); /* a third Ctrl-C: nobody listens */
    errno = saved;
}

static void
catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* without SA_RESTART: prompts end */

    if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* `lightpath ... | head -1`: who reads us has seen enough, which is no error. */
static bool
reader_left(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLERR | POLLHUP)) != 0;
}

/* ---- the screen ---- */

static int
terminal_width(int fd)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");

    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return columns != NULL && strtol(columns, NULL, 10) > 20 ? (int)strtol(columns, NULL, 10) : 80;
}

static struct cli_screen
screen_of(FILE *file)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool terminal = isatty(fileno(file));

    return (struct cli_screen){
        .file = file,
        .live = terminal && (term == NULL || strcmp(term, "dumb") != 0),
        .color = terminal && (no_color == NULL || *no_color == '\0')
                 && (term == NULL || strcmp(term, "dumb") != 0),
        .width = terminal ? terminal_width(fileno(file)) : 0,
    };
}

/* ---- options ---- */

/* getopt's tables made from ours: index LONG_BASE + n stands for the n-th option, globals first. */
struct option_table {
    struct option *longs;
    char *shorts;
    const struct cli_option **rows;
    size_t count;
};

static void
add_options(struct option_table *table, const struct cli_option *options, size_t count, char **end)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = table->count++;

        table->rows[n] = &options[i];
        table->longs[n] =
            (struct option){.name = options[i].name,
                            .has_arg = options[i].value != NULL ? required_argument : no_argument,
                            .val = LONG_BASE + (int)n};
        if (options[i].letter != 0) {
            *(*end)++ = options[i].letter;
            if (options[i].value != NULL)
                *(*end)++ = ':';
        }
    }
}

/* stop_early: options end at the first word (the noun). */
static struct option_table
make_options(const struct cli_command *command, bool stop_early)
{
    size_t most = cli_global_count + (command != NULL ? command->option_count : 0);
    struct option_table table = {.longs = cli_alloc((most + 1) * sizeof *table.longs),
                                 .rows = cli_alloc((most + 1) * sizeof *table.rows),
                                 .shorts = cli_alloc(2 * most + 8)};
    char *end = table.shorts;

    if (stop_early)
        *end++ = '+';
    *end++ = ':'; /* a missing value is told apart */
    add_options(&table, cli_globals, cli_global_count, &end);
    if (command != NULL)
        add_options(&table, command->options, command->option_count, &end);
    return table;
}

static void
free_options(struct option_table *table)
{
    free(table->longs);
    free(table->rows);
    free(table->shorts);
}

static const struct cli_option *
option_row(const struct option_table *table, int c)
{
    if (c >= LONG_BASE)
        return table->rows[c - LONG_BASE];
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i]->letter == c)
            return table->rows[i];
    }
    return NULL;
}

/* Options that take one of a few words: a typing error must not become an empty answer. */
static enum lp_code
check_word(const struct cli_option *option, const char *value, struct lp_err *err)
{
    struct lp_buf good = LP_BUF_INIT;
    size_t len = value != NULL ? strlen(value) : 0;
    bool found = option->words == NULL;
    enum lp_code rc = LP_OK;

    for (const char *at = option->words; !found && at != NULL && *at != '\0';) {
        size_t word = strcspn(at, " ");

        found = word == len && memcmp(at, value, len) == 0;
        lp_buf_printf(&good, "%s%.*s", good.len > 0 ? ", " : "", (int)word, at);
        at += word + (at[word] == ' ');
    }
    if (!found)
        rc = lp_fail(err, LP_INVALID, "--%s: there is no '%.40s', there are %s", option->name,
                     value != NULL ? value : "", good.data != NULL ? good.data : "none");
    lp_buf_free(&good);
    return rc;
}

static void
keep_given(struct cli *cli, const struct cli_option *option, const char *value)
{
    struct cli_given *grown = reallocarray(cli->given, cli->given_count + 1, sizeof *grown);

    if (grown == NULL)
        cli_no_memory();
    cli->given = grown;
    cli->given[cli->given_count++] = (struct cli_given){option, value != NULL ? value : ""};
}

static enum lp_code
read_options(struct cli *cli, int argc, char **argv, bool stop_early, struct lp_err *err)
{
    struct option_table table = make_options(cli->command, stop_early);
    enum lp_code rc = LP_OK;
    int c;

    opterr = 0;
    optind = 0; /* glibc: start again, also with another set of options */
    while (rc == LP_OK && (c = getopt_long(argc, argv, table.shorts, table.longs, NULL)) != -1) {
        const struct cli_option *option = option_row(&table, c);

        if (option != NULL) {
            rc = check_word(option, optarg, err);
            keep_given(cli, option, optarg);
        } else
            rc = lp_fail(err, LP_INVALID,
                         c == ':' ? "the option %s wants a value" : "there is no option %s here",
                         argv[optind - 1]);
    }
    free_options(&table);
    return rc;
}

/* ---- finding the command ---- */

static enum lp_code
unknown(const char *noun, const char *verb, struct lp_err *err)
{
    if (!cli_noun_known(noun))
        return lp_fail(err, LP_INVALID,
                       "there is no command '%.60s'; `lightpath --help` lists them", noun);
    return lp_fail(err, LP_INVALID,
                   "'%.60s' cannot %s%.60s%s; `lightpath %.60s --help` lists what it can", noun,
                   verb != NULL ? "'" : "stand alone", verb != NULL ? verb : "",
                   verb != NULL ? "'" : "", noun);
}

static enum lp_code
check_args(const struct cli_command *c, size_t count, struct lp_err *err)
{
    if (count >= c->min_args && count <= c->max_args)
        return LP_OK;
    return lp_fail(err, LP_INVALID, "%s argument%s; usage: lightpath %s%s%s %s",
                   count < c->min_args ? "missing" : "too many", count < c->min_args ? "" : "s",
                   c->noun, c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "", c->args);
}

/* Global options, noun, verb, then everything else in any order. *help: print it and stop. */
static enum lp_code
parse(struct cli *cli, int argc, char **argv, bool *done, struct lp_err *err)
{
    enum lp_code rc = read_options(cli, argc, argv, true, err);
    const char *noun = optind < argc ? argv[optind] : NULL;
    const char *verb =
        noun != NULL && optind + 1 < argc && argv[optind + 1][0] != '-' ? argv[optind + 1] : NULL;
    int at = optind;

    if (rc != LP_OK)
        return rc;
    if (cli_has(cli, "version") && noun == NULL)
        noun = "version";
    if (noun == NULL || (cli_has(cli, "help") && !cli_noun_known(noun))) {
        cli_overview(&cli->out, NULL);
        *done = true;
        return noun == NULL && !cli_has(cli, "help") ? lp_fail(err, LP_INVALID, "no command given")
                                                     : LP_OK;
    }
    cli->command = cli_command_find(noun, verb);
    if (cli->command == NULL && verb == NULL && cli_noun_known(noun)) {
        cli_overview(&cli->out, noun);
        *done = true;
        return at + 1 < argc || cli_has(cli, "help") ? LP_OK : unknown(noun, verb, err);
    }
    if (cli->command == NULL)
        return unknown(noun, verb, err);
    if (at >= argc)
        return LP_OK; /* --version alone */
    at += cli->command->verb != NULL ? 1 : 0;
    rc = read_options(cli, argc - at, argv + at, false, err);
    cli->args = argv + at + optind;
    cli->arg_count = (size_t)(argc - at - optind);
    if (rc == LP_OK && cli_has(cli, "help")) {
        cli_help(&cli->out, cli->command);
        *done = true;
        return LP_OK;
    }
    return rc == LP_OK ? check_args(cli->command, cli->arg_count, err) : rc;
}

/* ---- where the server is ---- */

static const char *
setting(const struct cli *cli, const char *option, const char *variable)
{
    const char *value = cli_opt(cli, option);

    if (value == NULL && variable != NULL)
        value = getenv(variable);
    return value != NULL && *value != '\0' ? value : NULL;
}

/* Where the daemon of this user keeps its socket, as base/conf.def says; NULL when there is none.
 */
static char *
default_socket(void)
{
    const char *home = getenv("HOME"), *data = getenv("LIGHTPATH_DAEMON_DATA_DIR");
    struct stat info;
    char *path;

    if (data != NULL && *data != '\0')
        path = cli_strfmt("%s/lightpathd.sock", data);
    else if (geteuid() == 0 || home == NULL)
        path = cli_strdup("/var/lib/lightpath/lightpathd.sock");
    else
        path = cli_strfmt("%s/.local/state/lightpath/lightpathd.sock", home);
    if (stat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        return path;
    free(path);
    return NULL;
}

static enum lp_code
read_token(const struct cli *cli, char **token, struct lp_err *err)
{
    const char *file = cli_opt(cli, "token-file");
    const char *text = getenv("LIGHTPATH_TOKEN");
    struct lp_buf content = LP_BUF_INIT;
    enum lp_code rc;

    *token = NULL;
    if (file == NULL) {
        *token = text != NULL && *text != '\0' ? cli_strdup(text) : NULL;
        return LP_OK;
    }
    rc = cli_read_file(file, &content, err);
    if (rc == LP_OK && (content.len == 0 || content.len > MAX_TOKEN))
        rc = lp_fail_at(err, LP_INVALID, file, "%.200s does not hold a token", file);
    if (rc == LP_OK)
        *token = cli_strfmt("%.*s", (int)strcspn(content.data, "\r\n"), content.data);
    lp_buf_free(&content);
    return rc;
}

static enum lp_code
connect_server(struct cli *cli, struct lp_err *err)
{
    const char *url = cli_opt(cli, "url"), *socket = cli_opt(cli, "socket");
    char *found = NULL, *token = NULL;
    int64_t timeout = 30;
    enum lp_code rc = cli_opt_int(cli, "timeout", 1, 3600, 30, &timeout, err);

    if (rc == LP_OK && url != NULL && socket != NULL)
        rc = lp_fail(err, LP_INVALID, "--url and --socket exclude each other");
    if (rc == LP_OK)
        rc = read_token(cli, &token, err);
    if (rc != LP_OK)
        return rc;
    if (url == NULL && socket == NULL) {
        socket = setting(cli, "socket", "LIGHTPATH_SOCKET");
        url = socket == NULL ? setting(cli, "url", "LIGHTPATH_URL") : NULL;
    }
    if (url == NULL && socket == NULL)
        socket = found = default_socket();
    rc = lp_http_new(&(struct lp_http_options){.url = url != NULL      ? url
                                                      : socket != NULL ? "http://localhost"
                                                                       : "http://127.0.0.1:8420",
                                               .socket_path = socket,
                                               .token = token,
                                               .ca_file = cli_opt(cli, "ca-file"),
                                               .agent = "lightpath/" LP_VERSION,
                                               .timeout_ms = timeout * 1000,
                                               .cancel_fd = cli->cancel_fd},
                     &cli->http, err);
    if (token != NULL)
        explicit_bzero(token, strlen(token));
    free(token);
    free(found);
    return rc;
}

/* ---- the end ---- */

static void
complain_json(const struct cli *cli, const struct lp_err *err)
{
    const struct lp_code_info *info = lp_code_info(err->code);
    json_t *body = json_pack("{s:{s:s, s:s, s:s, s:i, s:s*, s:O*}}", "error", "code", info->slug,
                             "message", err->msg, "place", err->pointer, "exit", info->exit, "next",
                             cli_hint(err->code), "detail", err->detail);
    char *text = body != NULL ? lp_json_text(body) : NULL;

    fprintf(cli->err.file, "%s\n", text != NULL ? text : err->msg);
    free(text);
    json_decref(body);
}

static void
complain(const struct cli *cli, const struct lp_err *err)
{
    char *message = cli_clean(err->msg, false);
    char *place = cli_clean(err->pointer, false);
    const char *hint = cli_hint(err->code);

    cli_put(&cli->err, CLI_BAD, "lightpath: ");
    fputs(message, cli->err.file);
    if (*place != '\0' && strstr(message, place) == NULL)
        fprintf(cli->err.file, " (at %s)", place);
    fputc('\n', cli->err.file);
    if (hint != NULL)
        cli_putf(&cli->err, CLI_DIM, "  → %s\n", hint);
    free(message);
    free(place);
}

static enum lp_code
run(struct cli *cli, int argc, char **argv, struct lp_err *err)
{
    bool done = false;
    enum lp_code rc = parse(cli, argc, argv, &done, err);
    const char *format = cli_opt(cli, "output");

    if (rc != LP_OK || done)
        return rc;
    cli->json = format != NULL && strcmp(format, "json") == 0;
    cli->yes = cli_has(cli, "yes");
    cli->ask = !cli_has(cli, "no-input") && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    if (!cli->command->local)
        rc = connect_server(cli, err);
    return rc == LP_OK ? cli->command->run(cli, err) : rc;
}

int
main(int argc, char **argv)
{
    struct cli cli = {.cancel_fd = -1};
    struct lp_err err = LP_ERR_INIT;
    enum lp_code rc;

    setlocale(LC_CTYPE, "C.UTF-8"); /* widths of characters; our texts are UTF-8 everywhere */
    catch_interrupt();
    cli.cancel_fd = interrupt_pipe[0];
    cli.out = screen_of(stdout);
    cli.err = screen_of(stderr);
    rc = run(&cli, argc, argv, &err);
    if (rc == LP_OK && (fflush(stdout) != 0 || ferror(stdout)) && !reader_left())
        rc = lp_fail(&err, LP_INTERNAL, "the output cannot be written: %s", strerror(errno));
    if (rc != LP_OK && cli.json)
        complain_json(&cli, &err);
    else if (rc != LP_OK)
        complain(&cli, &err);
    lp_http_free(cli.http);
    free(cli.given);
    lp_err_clear(&err);
    return lp_code_info(rc)->exit;
}
