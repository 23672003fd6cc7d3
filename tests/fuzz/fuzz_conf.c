/* Configuration files: any file is either a configuration or a list of problems. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/conf.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lp_err err = LP_ERR_INIT;
    struct lp_conf *conf = NULL;
    int fd = memfd_create("conf", MFD_CLOEXEC);
    char path[64];

    assert(fd >= 0);
    assert(write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (lp_conf_load(path, NULL, 0, &conf, &err) == LP_OK)
        assert(conf != NULL && conf->api_listen != NULL);
    else
        assert(conf == NULL && json_array_size(json_object_get(err.detail, "problems")) > 0);
    lp_conf_free(conf);
    lp_err_clear(&err);
    (void)close(fd);
    return 0;
}
