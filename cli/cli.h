/**
 * The command line client: one table of commands, one context that is handed to every handler.
 * Help, completion and the manual page lightpath(1) are made from the table.
 */
#ifndef LP_CLI_CLI_H
#define LP_CLI_CLI_H

#include "base/json.h"
#include "cli/text.h"
#include "clients/http.h"

struct cli;

struct cli_option {
    const char *name;  /* long name without dashes */
    char letter;       /* short form, or 0 */
    const char *value; /* placeholder of its value; NULL = a switch */
    const char *help;
    const char *words; /* blank-separated words offered by completion, or NULL */
};

/** What completion offers for positional arguments. */
enum cli_complete { CLI_COMPLETE_NONE, CLI_COMPLETE_FILE, CLI_COMPLETE_WORDS };

struct cli_command {
    const char *noun, *verb; /* verb NULL: the noun stands alone */
    const char *args;        /* as shown, "" for none */
    size_t min_args, max_args;
    const char *summary; /* half a sentence */
    const char *help;    /* further sentences, or NULL */
    const struct cli_option *options;
    size_t option_count;
    enum cli_complete complete;
    const char *words; /* CLI_COMPLETE_WORDS */
    bool local;        /* asks no server */
    enum lp_code (*run)(struct cli *cli, struct lp_err *err);
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;
extern const struct cli_option cli_globals[];
extern const size_t cli_global_count;
/** Environment variables: name and text, for the manual page. */
extern const char *const cli_environment[][2];
extern const size_t cli_environment_count;

struct cli_given {
    const struct cli_option *option;
    const char *value; /* "" for switches */
};

struct cli {
    struct lp_http *http;
    struct cli_screen out, err;
    bool json;     /* -o json */
    bool ask;      /* a person sits at the terminal and may be asked */
    bool yes;      /* take every confirmation as given */
    int cancel_fd; /* readable after Ctrl-C */
    const struct cli_command *command;
    char *const *args;
    size_t arg_count;
    struct cli_given *given;
    size_t given_count;
};

/** The last value of an option of the command or a global one; NULL when it was not given. */
const char *cli_opt(const struct cli *cli, const char *name);
bool cli_has(const struct cli *cli, const char *name);
/** An option's value as an integer of a range; fallback when it was not given. */
enum lp_code cli_opt_int(const struct cli *cli, const char *name, int64_t min, int64_t max,
                         int64_t fallback, int64_t *out, struct lp_err *err) LP_MUST_CHECK;

const struct cli_command *cli_command_find(const char *noun, const char *verb);
bool cli_noun_known(const char *noun);

/* help.c: made from the table */
void cli_help(const struct cli_screen *screen, const struct cli_command *command);
void cli_overview(const struct cli_screen *screen, const char *noun); /* NULL = all */
void cli_completion_bash(FILE *file);
void cli_manual(FILE *file);
/** What to do next about an error of this code; NULL when the message says it all. */
const char *cli_hint(enum lp_code code);

#endif
