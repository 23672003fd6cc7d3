/* Credentials files: any text is either a table of entries or an error with its line, and the error
 * holds nothing of what stands behind a '='. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/credentials.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_credentials *file = NULL;
    struct lp_credential found;
    int fd = memfd_create("credentials", MFD_CLOEXEC);
    char path[64];

    assert(fd >= 0 && fchmod(fd, 0600) == 0);
    assert(write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (lp_credentials_open(path, &file, &err) == LP_OK) {
        if (lp_credentials_get(file, "a", &found, &err) == LP_OK) {
            assert(found.user != NULL || found.token != NULL);
            assert(found.user == NULL || (found.password != NULL && found.ssh_user != NULL));
            lp_credential_wipe(&found);
        }
    } else {
        assert(file == NULL && strstr(err.msg, "credentials file") != NULL);
    }
    lp_credentials_free(file);
    lp_err_clear(&err);
    (void)close(fd);
    return 0;
}
