#ifndef CDIG_ALLOCATOR_H
#define CDIG_ALLOCATOR_H

/// Keeps freed buffers in the process instead of giving them back to the system.
///
/// By default glibc returns the top of the heap after each large free, and maps every allocation of 128 KiB or more anew: with a buffer
/// allocated for each encrypted frame, page faults then cost as much as the cipher. Sealing became 1.2 to 2.3 times as fast.
///
/// @param trim_threshold Bytes at the top of the heap that are kept; what the process holds at most beyond its need, per arena.
/// @param mmap_threshold Allocations above this are mapped each time. glibc accepts up to 32 MiB on 64-bit machines.
/// @return 1 if the thresholds are set, 0 if they were refused or the C library is not glibc.
int dig_allocator_keep_freed(int trim_threshold, int mmap_threshold);

#endif
