/* Runs a fuzz target over files and folders of files: the stored corpus is a test of every build,
 * libFuzzer or not. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

enum { LARGEST = 1 << 20 };

static int
run_file(const char *path)
{
    FILE *in = fopen(path, "rb");
    uint8_t *data = malloc(LARGEST);
    size_t size;

    if (in == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size = fread(data, 1, LARGEST, in);
    (void)fclose(in);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int
run_path(const char *path)
{
    struct stat st;
    DIR *dir;
    int count = 0;

    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return run_file(path);
    dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char name[4096];

        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            count += run_file(name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

int
main(int argc, char **argv)
{
    int count = LLVMFuzzerTestOneInput((const uint8_t *)"", 0);

    for (int i = 1; i < argc; i++)
        count += run_path(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
