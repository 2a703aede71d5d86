#include "CDIGAllocator.h"

#include <stdlib.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

int dig_allocator_keep_freed(int trim_threshold, int mmap_threshold) {
#if defined(__GLIBC__)
    // Setting one of them switches off glibc's own adjustment of both, so both are set (mallopt(3)).
    return mallopt(M_TRIM_THRESHOLD, trim_threshold) == 1 && mallopt(M_MMAP_THRESHOLD, mmap_threshold) == 1;
#else
    (void)trim_threshold;
    (void)mmap_threshold;
    return 0;
#endif
}
