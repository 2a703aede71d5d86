#include "sha256_internal.h"

#if defined(__aarch64__)

#include <arm_neon.h>

// Arm ARM, SHA256H, SHA256H2, SHA256SU0, SHA256SU1: four rounds per pair of instructions, one message at a time.

#if defined(__ARM_FEATURE_SHA2)
#define TARGET
#else
#define TARGET __attribute__((target("sha2")))
#endif

#define LOAD(p) vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p)))

#define ROUNDS(m, i)                                            \
    do {                                                        \
        uint32x4_t wk = vaddq_u32((m), vld1q_u32(dig_sha256_k + (i))); \
        uint32x4_t abcd_before = abcd;                          \
        abcd = vsha256hq_u32(abcd, efgh, wk);                   \
        efgh = vsha256h2q_u32(efgh, abcd_before, wk);           \
    } while (0)

/// The next four schedule words, in place of the oldest: a = f(a, b, c, d), where d holds the newest.
#define SCHEDULE(a, b, c, d) a = vsha256su1q_u32(vsha256su0q_u32(a, b), c, d)

TARGET void dig_sha256_armv8_x1(const uint8_t *const *data, size_t block_count, const uint8_t *const *tail, size_t tail_count,
                                uint8_t *digests) {
    uint32x4_t abcd = vld1q_u32(dig_sha256_initial), efgh = vld1q_u32(dig_sha256_initial + 4);
    for (int part = 0; part < 2; ++part) {
        const uint8_t *p = part == 0 ? data[0] : tail[0];
        for (size_t n = part == 0 ? block_count : tail_count; n > 0; --n, p += 64) {
            const uint32x4_t abcd_start = abcd, efgh_start = efgh;
            uint32x4_t a = LOAD(p), b = LOAD(p + 16), c = LOAD(p + 32), d = LOAD(p + 48);
            ROUNDS(a, 0);
            ROUNDS(b, 4);
            ROUNDS(c, 8);
            ROUNDS(d, 12);
            for (int i = 16; i < 64; i += 16) {
                SCHEDULE(a, b, c, d);
                ROUNDS(a, i);
                SCHEDULE(b, c, d, a);
                ROUNDS(b, i + 4);
                SCHEDULE(c, d, a, b);
                ROUNDS(c, i + 8);
                SCHEDULE(d, a, b, c);
                ROUNDS(d, i + 12);
            }
            abcd = vaddq_u32(abcd, abcd_start);
            efgh = vaddq_u32(efgh, efgh_start);
        }
    }
    vst1q_u8(digests, vrev32q_u8(vreinterpretq_u8_u32(abcd)));
    vst1q_u8(digests + 16, vrev32q_u8(vreinterpretq_u8_u32(efgh)));
}

#endif
