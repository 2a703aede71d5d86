#ifndef CDIGSHA256_H
#define CDIGSHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 (FIPS 180-4) of many messages of equal length at once.
 *
 * A hash tree gives the processor many independent messages, so it is hashed across lanes: message i in lane i of a
 * vector. Swift cannot choose a vector width for one function, C can; the implementation is chosen at run time from
 * what the processor offers. All functions are pure, allocate nothing and may be called from any thread.
 */

#ifdef __cplusplus
extern "C" {
#endif

/// The size of one digest in bytes.
#define DIG_SHA256_BYTE_COUNT 32

/// One implementation. Not every processor has each of them.
typedef enum dig_sha256_path {
    /// The fastest combination for this processor; always available.
    DIG_SHA256_AUTOMATIC = 0,
    /// Plain C, one message at a time; always available.
    DIG_SHA256_PORTABLE = 1,
    /// x86-64 SHA extensions, two interleaved messages.
    DIG_SHA256_SHA_NI = 2,
    /// x86-64 AVX2, eight lanes.
    DIG_SHA256_AVX2 = 3,
    /// x86-64 AVX-512F+BW, sixteen lanes.
    DIG_SHA256_AVX512 = 4,
    /// ARMv8 SHA2 extension, one message at a time.
    DIG_SHA256_ARMV8 = 5,
} dig_sha256_path;

/// One more than the largest `dig_sha256_path`.
#define DIG_SHA256_PATH_COUNT 6

/// Whether this processor (and operating system) can run `path`.
bool dig_sha256_is_available(dig_sha256_path path);

/// The path that `DIG_SHA256_AUTOMATIC` takes for full batches here.
dig_sha256_path dig_sha256_preferred_path(void);

/// A short name of `path`, such as "avx512", for benchmarks and diagnostics.
const char *dig_sha256_path_name(dig_sha256_path path);

/// Hashes `count` messages of `byte_count` bytes each.
///
/// - blocks: `count` pointers, each to `byte_count` readable bytes of any alignment. May be null if `count` is 0.
/// - digests: receives `count` × 32 bytes in the order of `blocks`. Must not overlap the messages.
void dig_sha256_blocks(const uint8_t *const *blocks, size_t count, size_t byte_count, uint8_t *digests);

/// Hashes `pair_count` inner nodes of a binary tree: each message is 64 contiguous bytes, two digests.
///
/// `digests` (32 × `pair_count` bytes) may be `nodes` itself: a layer is then replaced by the one above it.
void dig_sha256_pairs(const uint8_t *nodes, size_t pair_count, uint8_t *digests);

/// `dig_sha256_blocks` on one given path, so that tests and benchmarks can compare them.
///
/// - Returns: false, with nothing written, if `path` is not available.
bool dig_sha256_blocks_on(dig_sha256_path path, const uint8_t *const *blocks, size_t count, size_t byte_count, uint8_t *digests);

/// `dig_sha256_pairs` on one given path.
///
/// - Returns: false, with nothing written, if `path` is not available.
bool dig_sha256_pairs_on(dig_sha256_path path, const uint8_t *nodes, size_t pair_count, uint8_t *digests);

#ifdef __cplusplus
}
#endif

#endif
