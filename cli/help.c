#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    enum lp_code code;
    const char *text;
} hints[] = {
    {LP_AUTH, "give a token with --token-file or LIGHTPATH_TOKEN; an administrator makes one with "
              "`lightpath token create`"},
    {LP_DENIED, "ask for a token with a stronger role (`lightpath token list` shows the roles)"},
    {LP_PAUSED, "the engine is paused; `lightpath engine resume` lets it go on"},
    {LP_STORE, "the server cannot use its database; `lightpath engine status` and the log of "
               "lightpathd say why"},
    {LP_FORM_INCOMPLETE, "give the values with --set or --file, or run it on a terminal to be "
                         "asked for them"},
    {LP_INTERNAL, "this should not happen; the log of lightpathd holds more under the request id"},
};

const char *
cli_hint(enum lp_code code)
{
    for (size_t i = 0; i < LP_COUNT(hints); i++) {
        if (hints[i].code == code)
            return hints[i].text;
    }
    return NULL;
}

/* ---- lookups ---- */

const struct cli_command *
cli_command_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *c = &cli_commands[i];

        if (strcmp(c->noun, noun) == 0
            && (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0)))
            return c;
    }
    return NULL;
}

bool
cli_noun_known(const char *noun)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].noun, noun) == 0)
            return true;
    }
    return false;
}

/* ---- --help ---- */

static char *
usage(const struct cli_command *c)
{
    return cli_strfmt("%s%s%s%s%s", c->noun, c->verb != NULL ? " " : "",
                      c->verb != NULL ? c->verb : "", *c->args != '\0' ? " " : "", c->args);
}

static void
put_options(const struct cli_screen *screen, const struct cli_option *options, size_t count)
{
    size_t widest = 0;

    for (size_t i = 0; i < count; i++) {
        size_t width =
            strlen(options[i].name) + (options[i].value != NULL ? strlen(options[i].value) + 1 : 0);

        widest = width > widest ? width : widest;
    }
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *o = &options[i];
        char letter[8] = "    ";
        char *name = cli_strfmt("%s%s%s", o->name, o->value != NULL ? "=" : "",
                                o->value != NULL ? o->value : "");

        if (o->letter != 0)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        fprintf(screen->file, "  %s--%-*s  %s\n", letter, (int)widest, name, o->help);
        free(name);
    }
}

void
cli_help(const struct cli_screen *screen, const struct cli_command *command)
{
    char *line = usage(command);

    cli_put(screen, CLI_BOLD, "Usage: ");
    fprintf(screen->file, "lightpath %s%s\n\n", line,
            command->option_count > 0 ? " [options]" : "");
    free(line);
    line = cli_strfmt("%c%s.", toupper((unsigned char)command->summary[0]), command->summary + 1);
    cli_wrap(screen, line, 0);
    free(line);
    if (command->help != NULL) {
        fputc('\n', screen->file);
        cli_wrap(screen, command->help, 0);
    }
    if (command->option_count > 0) {
        cli_put(screen, CLI_BOLD, "\nOptions\n");
        put_options(screen, command->options, command->option_count);
    }
    cli_put(screen, CLI_BOLD, "\nOptions of every command\n");
    put_options(screen, cli_globals, cli_global_count);
}

void
cli_overview(const struct cli_screen *screen, const char *noun)
{
    const char *last = "";

    cli_put(screen, CLI_BOLD, "Usage: ");
    fputs("lightpath [options] NOUN [VERB] [arguments]\n", screen->file);
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *c = &cli_commands[i];
        char *line = usage(c);

        if (noun == NULL || strcmp(noun, c->noun) == 0) {
            if (strcmp(last, c->noun) != 0)
                fputc('\n', screen->file);
            fprintf(screen->file, "  %-44s ", line);
            cli_put(screen, CLI_DIM, c->summary);
            fputc('\n', screen->file);
            last = c->noun;
        }
        free(line);
    }
    if (noun == NULL) {
        cli_put(screen, CLI_BOLD, "\nOptions of every command\n");
        put_options(screen, cli_globals, cli_global_count);
    }
    fputs("\n`lightpath NOUN VERB --help` tells more; lightpath(1) tells all.\n", screen->file);
}

/* ---- completion ---- */

static void
put_words(FILE *file, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(file, " --%s", options[i].name);
}

static void
put_option_words(FILE *file, const struct cli_option *options, size_t count, const char *prefix)
{
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *o = &options[i];

        if (o->value == NULL)
            continue;
        fprintf(file, "        '%s--%s') ", prefix, o->name);
        if (strstr(o->value, "FILE") != NULL || strstr(o->value, "SOCKET") != NULL)
            fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", file);
        else if (o->words != NULL)
            fprintf(file, "COMPREPLY=($(compgen -W '%s' -- \"$cur\"))", o->words);
        else
            fputs("COMPREPLY=()", file);
        fputs("; return;;\n", file);
    }
}

static void
put_nouns(FILE *file)
{
    fputs("    local nouns='", file);
    for (size_t i = 0; i < cli_command_count; i++) {
        if (i == 0 || strcmp(cli_commands[i].noun, cli_commands[i - 1].noun) != 0)
            fprintf(file, "%s%s", i > 0 ? " " : "", cli_commands[i].noun);
    }
    fputs("'\n", file);
}

static void
put_verbs(FILE *file)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        bool first = i == 0 || strcmp(cli_commands[i].noun, cli_commands[i - 1].noun) != 0;
        bool last = i + 1 == cli_command_count
                    || strcmp(cli_commands[i].noun, cli_commands[i + 1].noun) != 0;

        if (cli_commands[i].verb == NULL)
            continue;
        if (first)
            fprintf(file, "        '%s') words='", cli_commands[i].noun);
        fprintf(file, "%s%s", first ? "" : " ", cli_commands[i].verb);
        if (last)
            fputs("';;\n", file);
    }
}

static void
put_command_words(FILE *file, const struct cli_command *c)
{
    fprintf(file, "        '%s %s') options='", c->noun, c->verb != NULL ? c->verb : "");
    put_words(file, c->options, c->option_count);
    fputs("'", file);
    if (c->complete == CLI_COMPLETE_FILE)
        fputs("; files=1", file);
    else if (c->complete == CLI_COMPLETE_WORDS)
        fprintf(file, "; words='%s'", c->words);
    fputs(";;\n", file);
}

/* The script itself is plain bash; every word list in it comes from the command table. */
void
cli_completion_bash(FILE *file)
{
    fputs("# bash completion for lightpath; made by `lightpath completion bash`\n"
          "_lightpath() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local noun='' verb='' words='' options='' files='' w i skip=''\n",
          file);
    put_nouns(file);
    fputs("    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        w=${COMP_WORDS[i]}\n"
          "        if [[ $skip ]]; then skip=''; continue; fi\n"
          "        case $w in\n"
          "        -*) [[ ' ",
          file);
    for (size_t i = 0; i < cli_global_count; i++) {
        if (cli_globals[i].value != NULL)
            fprintf(file, "--%s ", cli_globals[i].name);
    }
    fputs("-o ' == *\" $w \"* ]] && skip=1;;\n"
          "        *) if [[ ! $noun ]]; then noun=$w; elif [[ ! $verb ]]; then verb=$w; fi;;\n"
          "        esac\n"
          "    done\n"
          "    case \"$prev\" in\n"
          "        '-o') COMPREPLY=($(compgen -W 'table json' -- \"$cur\")); return;;\n",
          file);
    put_option_words(file, cli_globals, cli_global_count, "");
    fputs("    esac\n    case \"$noun $verb $prev\" in\n", file);
    for (size_t i = 0; i < cli_command_count; i++) {
        char *prefix = cli_strfmt("%s %s ", cli_commands[i].noun,
                                  cli_commands[i].verb != NULL ? cli_commands[i].verb : "");

        put_option_words(file, cli_commands[i].options, cli_commands[i].option_count, prefix);
        free(prefix);
    }
    fputs("    esac\n"
          "    if [[ ! $noun ]]; then words=$nouns\n"
          "    elif [[ ! $verb ]]; then case \"$noun\" in\n",
          file);
    put_verbs(file);
    fputs("    esac; fi\n    case \"$noun $verb\" in\n", file);
    for (size_t i = 0; i < cli_command_count; i++)
        put_command_words(file, &cli_commands[i]);
    fputs("    esac\n    options+='", file);
    put_words(file, cli_globals, cli_global_count);
    fputs("'\n"
          "    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "    elif [[ $files ]]; then COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    else COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); fi\n"
          "}\n"
          "complete -o filenames -F _lightpath lightpath\n",
          file);
}

/* ---- the manual page ---- */

/* roff takes a line that begins with . or ' as a request, and \ as an escape. */
static void
roff(FILE *file, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", file);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", file);
        else if (*text == '-')
            fputs("\\-", file);
        else
            fputc(*text, file);
    }
}

static void
roff_options(FILE *file, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(".TP\n.B ", file);
        if (options[i].letter != 0)
            fprintf(file, "\\-%c\\fR, \\fB", options[i].letter);
        fputs("\\-\\-", file);
        roff(file, options[i].name);
        if (options[i].value != NULL)
            fprintf(file, "\\fR=\\fI%s\\fR", options[i].value);
        fputc('\n', file);
        roff(file, options[i].help);
        fputc('\n', file);
    }
}

static void
roff_command(FILE *file, const struct cli_command *c)
{
    fputs(".SS lightpath ", file);
    roff(file, c->noun);
    if (c->verb != NULL) {
        fputc(' ', file);
        roff(file, c->verb);
    }
    if (*c->args != '\0') {
        fputs(" \\fI", file);
        roff(file, c->args);
        fputs("\\fR", file);
    }
    fputc('\n', file);
    fprintf(file, "%c", toupper((unsigned char)c->summary[0]));
    roff(file, c->summary + 1);
    fputs(".\n", file);
    if (c->help != NULL) {
        roff(file, c->help);
        fputc('\n', file);
    }
    roff_options(file, c->options, c->option_count);
}

static void
roff_exit_codes(FILE *file)
{
    bool seen[256] = {false};

    for (int code = 0; code < LP_CODE_COUNT; code++) {
        const struct lp_code_info *info = lp_code_info((enum lp_code)code);

        if (seen[info->exit & 255])
            continue;
        seen[info->exit & 255] = true;
        fprintf(file, ".TP\n.B %d\n", info->exit);
        for (int other = code; other < LP_CODE_COUNT; other++) {
            const struct lp_code_info *same = lp_code_info((enum lp_code)other);

            if (same->exit == info->exit) {
                fputs(other > code ? "; " : "", file);
                roff(file, same->slug);
                fputs(": ", file);
                roff(file, same->text);
            }
        }
        fputs(".\n", file);
    }
}

void
cli_manual(FILE *file)
{
    fputs(".TH LIGHTPATH 1 \"\" \"Lightpath\" \"User Commands\"\n"
          ".SH NAME\nlightpath \\- operate the Lightpath network orchestrator\n"
          ".SH SYNOPSIS\n.B lightpath\n[options] \\fINOUN\\fR [\\fIVERB\\fR] [\\fIarguments\\fR]\n"
          ".SH DESCRIPTION\n"
          "Lightpath keeps the subscriptions of an optical network true through workflows.\n"
          "This program asks a\n.BR lightpathd (8)\n"
          "over its local socket or over HTTP. The socket of the default data folder is used when\n"
          "it exists, else http://127.0.0.1:8420.\n.PP\n"
          "Tables are for people and fit the terminal; \\-o json prints what the API sent, for "
          "programs.\n"
          "Ids may be shortened to an unambiguous beginning or end; a subscription may also be\n"
          "named by its description or the first word of it (MI01).\n.PP\n"
          "A workflow may ask for input in pages. Values come from \\-\\-set and \\-\\-file; on a\n"
          "terminal the rest is asked for, otherwise it is listed and nothing is started.\n"
          ".SH COMMANDS\n",
          file);
    for (size_t i = 0; i < cli_command_count; i++)
        roff_command(file, &cli_commands[i]);
    fputs(".SH OPTIONS OF EVERY COMMAND\n", file);
    roff_options(file, cli_globals, cli_global_count);
    fputs(".SH ENVIRONMENT\n", file);
    for (size_t i = 0; i < cli_environment_count; i++) {
        fprintf(file, ".TP\n.B %s\n", cli_environment[i][0]);
        roff(file, cli_environment[i][1]);
        fputc('\n', file);
    }
    fputs(".SH EXIT STATUS\n", file);
    roff_exit_codes(file);
    fputs(".SH SEE ALSO\n.BR lightpathd (8),\n.BR lightpath.conf (5)\n", file);
}
