#ifndef DIG_SHA256_INTERNAL_H
#define DIG_SHA256_INTERNAL_H

#include "CDIGSHA256.h"

/// The widest path.
#define DIG_SHA256_MAXIMUM_LANES 16

/// FIPS 180-4 §4.2.2.
extern const uint32_t dig_sha256_k[64];
/// FIPS 180-4 §5.3.3.
extern const uint32_t dig_sha256_initial[8];

/// Hashes `lane_count` messages: `block_count` whole 64-byte blocks from `data[i]`, then `tail_count` from `tail[i]`.
/// Writes 32 bytes to each `digests + 32 * i`, only after everything has been read.
typedef void dig_sha256_batch(const uint8_t *const *data, size_t block_count, const uint8_t *const *tail, size_t tail_count,
                              uint8_t *digests);

// Each of these takes exactly the stated number of messages.
dig_sha256_batch dig_sha256_portable_x1;
#if defined(__x86_64__)
dig_sha256_batch dig_sha256_sha_ni_x1;
dig_sha256_batch dig_sha256_sha_ni_x2;
dig_sha256_batch dig_sha256_avx2_x8;
dig_sha256_batch dig_sha256_avx512_x16;
#elif defined(__aarch64__)
dig_sha256_batch dig_sha256_armv8_x1;
#endif

#endif
