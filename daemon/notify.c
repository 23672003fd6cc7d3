#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/daemon.h"

void
lp_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    int fd;

    if (len == 0 || len >= sizeof where.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(where.sun_path, path, len);
    if (where.sun_path[0] == '@')
        where.sun_path[0] = '\0'; /* abstract namespace */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&where,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

int
lp_notify_watchdog_ms(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long us = text == NULL ? 0 : strtoll(text, NULL, 10);

    if (us <= 0 || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
        return -1;
    us /= 3000; /* a third: two may be late */
    return us < 1 ? 1 : us > 60000 ? 60000 : (int)us;
}
