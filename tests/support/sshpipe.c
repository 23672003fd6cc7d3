/* A plain SSH client for tests: standard input into the channel, the channel to standard output.
   sshpipe HOST PORT USER PASSWORD subsystem NAME | shell. Prints "hostkey HEX" on standard error.
   Exit: 3 refused at log in, 4 the channel was refused, 0 the other side closed it. */
#include <libssh/libssh.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
log_in(ssh_session session, const char *user, const char *password)
{
    int rc = password[0] == '\0' ? ssh_userauth_none(session, user)
                                 : ssh_userauth_password(session, user, password);

    if (password[0] == '\0' && rc != SSH_AUTH_SUCCESS)
        rc = ssh_userauth_password(session, user, password);
    return rc;
}

static void
print_key(ssh_session session)
{
    ssh_key key = NULL;
    unsigned char *hash = NULL;
    size_t len = 0, i;

    if (ssh_get_server_publickey(session, &key) != SSH_OK
        || ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) != 0)
        return;
    fputs("hostkey ", stderr);
    for (i = 0; i < len; i++)
        fprintf(stderr, "%02x", hash[i]);
    fputs("\n", stderr);
    ssh_clean_pubkey_hash(&hash);
    ssh_key_free(key);
}

/* 1: bytes went through; 0: nothing; -1: the end. */
static int
channel_to_output(ssh_channel channel)
{
    char bytes[65536];
    int n = ssh_channel_read_nonblocking(channel, bytes, sizeof bytes, 0);

    if (n == SSH_ERROR || (n <= 0 && ssh_channel_is_eof(channel)))
        return -1;
    return n > 0 && write(1, bytes, (size_t)n) != n ? -1 : n > 0;
}

static void
pump(ssh_session session, ssh_channel channel)
{
    struct pollfd fds[] = {{.fd = 0, .events = POLLIN},
                           {.fd = ssh_get_fd(session), .events = POLLIN}};
    char bytes[65536];
    int moved;

    for (;;) {
        while ((moved = channel_to_output(channel)) > 0)
            continue;
        if (moved < 0 || !ssh_channel_is_open(channel))
            return;
        if (poll(fds, 2, 1000) < 0)
            return;
        if ((fds[0].revents & (POLLIN | POLLHUP)) != 0) {
            ssize_t n = read(0, bytes, sizeof bytes);

            if (n <= 0 || ssh_channel_write(channel, bytes, (uint32_t)n) != n)
                return;
        }
    }
}

/* Logs in, opens the channel and serves it; the exit code. */
static int
serve(ssh_session session, char **argv)
{
    ssh_channel channel;
    int rc;

    if (ssh_connect(session) != SSH_OK) {
        fprintf(stderr, "%s\n", ssh_get_error(session));
        return 1;
    }
    print_key(session);
    if (log_in(session, argv[3], argv[4]) != SSH_AUTH_SUCCESS)
        return 3;
    channel = ssh_channel_new(session); /* freed with the session */
    if (channel == NULL || ssh_channel_open_session(channel) != SSH_OK)
        return 4;
    rc = strcmp(argv[5], "shell") == 0 ? ssh_channel_request_shell(channel)
                                       : ssh_channel_request_subsystem(channel, argv[6]);
    if (rc != SSH_OK)
        return 4;
    pump(session, channel);
    return 0;
}

int
main(int argc, char **argv)
{
    ssh_session session = ssh_new();
    long seconds = 60;
    int rc, strict = 0;

    if (argc < 6 || session == NULL)
        return 2;
    ssh_options_set(session, SSH_OPTIONS_HOST, argv[1]);
    ssh_options_set(session, SSH_OPTIONS_PORT_STR, argv[2]);
    ssh_options_set(session, SSH_OPTIONS_USER, argv[3]);
    ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &seconds);
    ssh_options_set(session, SSH_OPTIONS_STRICTHOSTKEYCHECK, &strict);
    rc = serve(session, argv);
    ssh_disconnect(session);
    ssh_free(session);
    return rc;
}
