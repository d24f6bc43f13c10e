/* Maps a file and looks at random pages of it.
   usage: sampler FILE SEED COUNT HOLE-START HOLE-END
   Every page holds its number in its first 8 bytes, and zeros in the hole. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAGE = 4096 };

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    int fd = open(argv[1], O_RDONLY);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) != 0) return perror(argv[1]), 2;
    const unsigned char *map = mmap(NULL, found.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return perror("mmap"), 2;
    uint64_t state = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
    uint64_t hole = strtoull(argv[4], NULL, 10), hole_end = strtoull(argv[5], NULL, 10);
    uint64_t pages = (found.st_size + PAGE - 1) / PAGE;
    for (uint64_t n = 0; n < count; n++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t page = (state >> 33) % pages, offset = page * PAGE, number;
        memcpy(&number, map + offset, sizeof number);
        uint64_t expected = offset >= hole && offset < hole_end ? 0 : page;
        if (number != expected) {
            printf("page %llu holds %llu\n", (unsigned long long)page, (unsigned long long)number);
            return 1;
        }
    }
    printf("%llu pages are as they should be\n", (unsigned long long)count);
    return 0;
}
