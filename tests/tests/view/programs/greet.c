/* A program beside its libraries: one linked, found by its run path, one loaded by dlopen. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *greeting(void);

int main(int argc, char **argv) {
    void *plugin = dlopen("libplugin.so", RTLD_NOW);
    if (!plugin) return fprintf(stderr, "%s\n", dlerror()), 1;
    const char *(*name)(void) = (const char *(*)(void))dlsym(plugin, "name");
    if (!name) return fprintf(stderr, "%s\n", dlerror()), 1;
    printf("%s, %s\n", greeting(), name());

    /* A private mapping of ourselves may be executed, and be written without a trace. */
    int self = open(argv[0], O_RDONLY);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, self, 0);
    if (map == MAP_FAILED) return perror("mmap"), 1;
    memset(map, 'x', 4096);
    char first[4];
    if (pread(self, first, 4, 0) != 4 || memcmp(first, "\177ELF", 4) != 0) return 1;
    return argc > 1 ? 40 + argc : 0;
}
