#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const char *
cli_opt(const struct cli *cli, const char *name)
{
    for (size_t i = cli->given_count; i-- > 0;) {
        if (strcmp(cli->given[i].option->name, name) == 0)
            return cli->given[i].value;
    }
    return NULL;
}

bool
cli_has(const struct cli *cli, const char *name)
{
    return cli_opt(cli, name) != NULL;
}

enum lp_code
cli_opt_int(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t fallback,
            int64_t *out, struct lp_err *err)
{
    const char *text = cli_opt(cli, name);
    char *end;

    *out = fallback;
    if (text == NULL)
        return LP_OK;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || *out < min || *out > max)
        return lp_fail_at(err, LP_INVALID, name,
                          "--%s wants a number from %lld to %lld, not '%.40s'", name,
                          (long long)min, (long long)max, text);
    return LP_OK;
}
