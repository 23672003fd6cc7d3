#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "wire/tl1.h"

struct parse {
    struct cli *cli;
    size_t messages, bytes;
};

static enum lp_code
print_message(void *arg, const struct lp_tl1_message *message, struct lp_err *err)
{
    struct parse *parse = arg;
    json_auto_t *json = lp_tl1_message_json(message);

    if (json == NULL)
        return lp_fail(err, LP_NOMEM, "no memory for a TL1 message");
    cli_print_json(parse->cli, json);
    parse->messages++;
    return LP_OK;
}

/* In pieces: a capture may be larger than the memory. */
static enum lp_code
parse_stream(struct parse *parse, struct lp_tl1_rx *rx, FILE *file, const char *name,
             struct lp_err *err)
{
    char chunk[65536];
    size_t len;

    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0) {
        enum lp_code rc = lp_tl1_rx_feed(rx, chunk, len, print_message, parse, err);

        parse->bytes += len;
        if (rc != LP_OK)
            return rc;
    }
    if (ferror(file) != 0)
        return lp_fail(err, LP_INVALID, "%.200s cannot be read: %s", name, strerror(errno));
    return lp_tl1_rx_end(rx, print_message, parse, err);
}

enum lp_code
cli_tl1_parse(struct cli *cli, struct lp_err *err)
{
    /* echoes, prompts and whatever else a capture has between messages is passed over */
    const struct lp_tl1_rx_options options = {.max_garbage = UINT_MAX};
    const char *name = cli->arg_count > 0 ? cli->args[0] : "-";
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "re");
    struct lp_tl1_rx *rx;
    struct parse parse = {.cli = cli};
    enum lp_code rc;

    if (file == NULL)
        return lp_fail_at(err, errno == ENOENT ? LP_NOT_FOUND : LP_INVALID, name,
                          "%.200s cannot be read: %s", name, strerror(errno));
    rx = lp_tl1_rx_new(&options);
    rc = rx == NULL ? lp_fail(err, LP_NOMEM, "no memory for a TL1 receiver")
                    : parse_stream(&parse, rx, file, name, err);
    if (rc == LP_OK && parse.messages == 0 && parse.bytes > 0)
        rc = lp_fail(err, LP_PROTOCOL, "there is no TL1 message in it");
    if (rc != LP_OK)
        rc = lp_err_prefix(err, "%.200s: ", standard ? "standard input" : name);
    lp_tl1_rx_free(rx);
    if (!standard)
        fclose(file);
    return rc;
}
