#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/daemon.h"

#define MAX_OVERRIDES 64

static const char usage[] =
    "usage: lightpathd [options]                  run the daemon in the foreground\n"
    "       lightpathd [options] db migrate       bring the database up to date\n"
    "       lightpathd [options] db restore FILE  fill an empty database from a backup\n"
    "       lightpathd [options] db check         open database and catalogue, change nothing\n"
    "       lightpathd [options] doctor [--fix]   look for what is wrong while no daemon runs\n"
    "       lightpathd config sample              a commented configuration file\n"
    "       lightpathd [options] config show      the configuration in effect, secrets masked\n"
    "\n"
    "  -c, --config FILE            configuration (YAML)\n"
    "  -s, --set SECTION.KEY=VALUE  override one key; may be repeated\n"
    "  -r, --role ROLE[,ROLE...]    api, executor, scheduler, all (default: all)\n"
    "      --fix                    doctor: repair what is safe to repair\n"
    "      --no-migrate             refuse an older database instead of updating it\n"
    "  -V, --version                show the version\n"
    "  -h, --help                   show this text\n";

struct parsed {
    struct lp_command_line line;
    const char *overrides[MAX_OVERRIDES];
    char **words;
    int word_count;
};

static enum lp_code
take_roles(struct lp_command_line *line, const char *text, struct lp_err *err)
{
    static const char *const names[] = {"api", "executor", "scheduler", "all"};
    unsigned got = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        size_t i = 0;

        while (i < LP_COUNT(names) && (strlen(names[i]) != len || memcmp(names[i], text, len) != 0))
            i++;
        if (i == LP_COUNT(names))
            return lp_fail(err, LP_INVALID,
                           "'%.*s' is no role; there are api, executor, scheduler and all",
                           (int)len, text);
        got |= i == 3 ? 7u : LP_BIT(i);
        text += len + (text[len] == ',');
    }
    line->api = (got & 1) != 0;
    line->executor = (got & 2) != 0;
    line->scheduler = (got & 4) != 0;
    return got == 0 ? lp_fail(err, LP_INVALID, "no role was given") : LP_OK;
}

/** LP_CANCELLED: everything was said and done (--help, --version). */
static enum lp_code
parse(int argc, char **argv, struct parsed *out, struct lp_err *err)
{
    enum { OPT_NO_MIGRATE = 256, OPT_FIX };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
        {"role", required_argument, NULL, 'r'},   {"no-migrate", no_argument, NULL, OPT_NO_MIGRATE},
        {"fix", no_argument, NULL, OPT_FIX},      {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct lp_command_line *line = &out->line;
    enum lp_code rc;
    int c;

    *line =
        (struct lp_command_line){.api = true, .executor = true, .scheduler = true, .migrate = true};
    line->overrides = out->overrides;
    while ((c = getopt_long(argc, argv, "c:s:r:Vh", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            line->config = optarg;
            break;
        case 's':
            if (line->override_count == MAX_OVERRIDES)
                return lp_fail(err, LP_INVALID, "more than %d --set", MAX_OVERRIDES);
            out->overrides[line->override_count++] = optarg;
            break;
        case 'r':
            rc = take_roles(line, optarg, err);
            if (rc != LP_OK)
                return rc;
            break;
        case OPT_NO_MIGRATE:
            line->migrate = false;
            break;
        case OPT_FIX:
            line->fix = true;
            break;
        case 'V':
            printf("lightpathd %s\n", LP_VERSION);
            return LP_CANCELLED;
        case 'h':
            fputs(usage, stdout);
            return LP_CANCELLED;
        default: /* getopt has named the option */
            return lp_fail(err, LP_INVALID, "try 'lightpathd --help'");
        }
    }
    out->words = argv + optind;
    out->word_count = argc - optind;
    return LP_OK;
}

static bool
words_are(const struct parsed *parsed, int count, const char *first, const char *second)
{
    return parsed->word_count == count && strcmp(parsed->words[0], first) == 0
           && strcmp(parsed->words[1], second) == 0;
}

static enum lp_code
sample(struct lp_err *err)
{
    char *text = lp_conf_sample();

    if (text == NULL)
        return lp_fail(err, LP_NOMEM, "no memory");
    fputs(text, stdout);
    free(text);
    return LP_OK;
}

static enum lp_code
dispatch(const struct parsed *parsed, struct lp_err *err)
{
    const struct lp_command_line *line = &parsed->line;

    if (parsed->word_count == 0)
        return lp_daemon_run(line, err);
    if (words_are(parsed, 2, "db", "migrate"))
        return lp_offline_migrate(line, err);
    if (words_are(parsed, 3, "db", "restore"))
        return lp_offline_restore(line, parsed->words[2], err);
    if (words_are(parsed, 2, "db", "check"))
        return lp_offline_check(line, err);
    if (parsed->word_count == 1 && strcmp(parsed->words[0], "doctor") == 0)
        return lp_offline_doctor(line, err);
    if (words_are(parsed, 2, "config", "sample"))
        return sample(err);
    if (words_are(parsed, 2, "config", "show"))
        return lp_offline_show(line, err);
    return lp_fail(err, LP_INVALID, "there is no command '%s%s%s'%s; try 'lightpathd --help'",
                   parsed->words[0], parsed->word_count > 1 ? " " : "",
                   parsed->word_count > 1 ? parsed->words[1] : "",
                   words_are(parsed, 2, "db", "restore") ? " without a FILE" : "");
}

/** One line for a person, whatever the configuration's problems are. */
static void
complain(const struct lp_err *err)
{
    char text[sizeof err->msg];

    memcpy(text, err->msg, sizeof text);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    fprintf(stderr, "lightpathd: %s\n", text);
}

/* One arena a core and thread, as is usual, would keep hundreds of megabytes of free memory: step
 * threads mostly wait. */
enum { MALLOC_ARENAS = 4 };

int
main(int argc, char **argv)
{
    struct lp_err err = LP_ERR_INIT;
    struct parsed parsed = {.words = NULL};
    enum lp_code rc = parse(argc, argv, &parsed, &err);
    int status;

    umask(umask(077) | 077); /* the database holds the server's key and everybody's data */
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    if (rc == LP_CANCELLED)
        return 0;
    if (rc == LP_OK)
        rc = dispatch(&parsed, &err);
    if (rc != LP_OK)
        complain(&err);
    status = lp_code_info(rc)->exit;
    lp_err_clear(&err);
    if (fflush(stdout) != 0 && status == 0)
        status = 1;
    return status;
}
