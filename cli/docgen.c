/* Build-time program: writes the manual page or the completion script out of the command table. */
#include <string.h>

#include "cli/cli.h"

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "manual") == 0)
        cli_manual(stdout);
    else if (argc == 2 && strcmp(argv[1], "completion") == 0)
        cli_completion_bash(stdout);
    else {
        fputs("usage: docgen manual|completion\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
