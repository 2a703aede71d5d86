#include "sha256_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Eight messages, one in each 32-bit lane.

#define TARGET __attribute__((target("avx2")))

#define ADD(x, y) _mm256_add_epi32(x, y)
#define XOR(x, y) _mm256_xor_si256(x, y)
#define AND(x, y) _mm256_and_si256(x, y)
#define SHIFT(x, n) _mm256_srli_epi32(x, n)
#define ROTATE(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))

/// Transposes 8×8 words: `r[i]` holds eight words of message i before, word i of eight messages after.
#define TRANSPOSE(r)                                                                                    \
    do {                                                                                                \
        __m256i t0 = _mm256_unpacklo_epi32((r)[0], (r)[1]), t1 = _mm256_unpackhi_epi32((r)[0], (r)[1]); \
        __m256i t2 = _mm256_unpacklo_epi32((r)[2], (r)[3]), t3 = _mm256_unpackhi_epi32((r)[2], (r)[3]); \
        __m256i t4 = _mm256_unpacklo_epi32((r)[4], (r)[5]), t5 = _mm256_unpackhi_epi32((r)[4], (r)[5]); \
        __m256i t6 = _mm256_unpacklo_epi32((r)[6], (r)[7]), t7 = _mm256_unpackhi_epi32((r)[6], (r)[7]); \
        __m256i u0 = _mm256_unpacklo_epi64(t0, t2), u1 = _mm256_unpackhi_epi64(t0, t2);                 \
        __m256i u2 = _mm256_unpacklo_epi64(t1, t3), u3 = _mm256_unpackhi_epi64(t1, t3);                 \
        __m256i u4 = _mm256_unpacklo_epi64(t4, t6), u5 = _mm256_unpackhi_epi64(t4, t6);                 \
        __m256i u6 = _mm256_unpacklo_epi64(t5, t7), u7 = _mm256_unpackhi_epi64(t5, t7);                 \
        (r)[0] = _mm256_permute2x128_si256(u0, u4, 0x20);                                               \
        (r)[1] = _mm256_permute2x128_si256(u1, u5, 0x20);                                               \
        (r)[2] = _mm256_permute2x128_si256(u2, u6, 0x20);                                               \
        (r)[3] = _mm256_permute2x128_si256(u3, u7, 0x20);                                               \
        (r)[4] = _mm256_permute2x128_si256(u0, u4, 0x31);                                               \
        (r)[5] = _mm256_permute2x128_si256(u1, u5, 0x31);                                               \
        (r)[6] = _mm256_permute2x128_si256(u2, u6, 0x31);                                               \
        (r)[7] = _mm256_permute2x128_si256(u3, u7, 0x31);                                               \
    } while (0)

#define ROUND(a, b, c, d, e, f, g, h, i, word)                                                                       \
    do {                                                                                                             \
        __m256i t1 = ADD(ADD(h, ADD(_mm256_set1_epi32((int)dig_sha256_k[i]), word)),                                 \
                         ADD(XOR(XOR(ROTATE(e, 6), ROTATE(e, 11)), ROTATE(e, 25)), XOR(g, AND(e, XOR(f, g)))));      \
        d = ADD(d, t1);                                                                                              \
        h = ADD(t1, ADD(XOR(XOR(ROTATE(a, 2), ROTATE(a, 13)), ROTATE(a, 22)), XOR(AND(a, b), AND(c, XOR(a, b)))));    \
    } while (0)

/// Schedule word i, in place of word i − 16.
#define NEXT(i)                                                                                                        \
    (w[(i) & 15] = ADD(ADD(w[(i) & 15], w[((i) + 9) & 15]),                                                            \
                       ADD(XOR(XOR(ROTATE(w[((i) + 1) & 15], 7), ROTATE(w[((i) + 1) & 15], 18)), SHIFT(w[((i) + 1) & 15], 3)), \
                           XOR(XOR(ROTATE(w[((i) + 14) & 15], 17), ROTATE(w[((i) + 14) & 15], 19)),                    \
                               SHIFT(w[((i) + 14) & 15], 10)))))

#define EIGHT_ROUNDS(i, W)                                        \
    ROUND(s0, s1, s2, s3, s4, s5, s6, s7, (i), W((i)));           \
    ROUND(s7, s0, s1, s2, s3, s4, s5, s6, (i) + 1, W((i) + 1));   \
    ROUND(s6, s7, s0, s1, s2, s3, s4, s5, (i) + 2, W((i) + 2));   \
    ROUND(s5, s6, s7, s0, s1, s2, s3, s4, (i) + 3, W((i) + 3));   \
    ROUND(s4, s5, s6, s7, s0, s1, s2, s3, (i) + 4, W((i) + 4));   \
    ROUND(s3, s4, s5, s6, s7, s0, s1, s2, (i) + 5, W((i) + 5));   \
    ROUND(s2, s3, s4, s5, s6, s7, s0, s1, (i) + 6, W((i) + 6));   \
    ROUND(s1, s2, s3, s4, s5, s6, s7, s0, (i) + 7, W((i) + 7))

#define LOADED(i) w[(i) & 15]

TARGET void dig_sha256_avx2_x8(const uint8_t *const *data, size_t block_count, const uint8_t *const *tail, size_t tail_count,
                               uint8_t *digests) {
    const __m256i byte_order = _mm256_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll, 0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
    __m256i state[8];
    for (int i = 0; i < 8; ++i) state[i] = _mm256_set1_epi32((int)dig_sha256_initial[i]);
    for (int part = 0; part < 2; ++part) {
        const uint8_t *const *pointers = part == 0 ? data : tail;
        const size_t count = part == 0 ? block_count : tail_count;
        for (size_t n = 0; n < count; ++n) {
            __m256i w[16];
            for (int half = 0; half < 16; half += 8) {
                for (int i = 0; i < 8; ++i) {
                    const uint8_t *p = pointers[i] + 64 * n + 4 * half;
                    w[half + i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p), byte_order);
                }
            }
            TRANSPOSE(w);
            TRANSPOSE(w + 8);
            __m256i s0 = state[0], s1 = state[1], s2 = state[2], s3 = state[3];
            __m256i s4 = state[4], s5 = state[5], s6 = state[6], s7 = state[7];
            EIGHT_ROUNDS(0, LOADED);
            EIGHT_ROUNDS(8, LOADED);
            for (int i = 16; i < 64; i += 16) {
                EIGHT_ROUNDS(i, NEXT);
                EIGHT_ROUNDS(i + 8, NEXT);
            }
            state[0] = ADD(state[0], s0), state[1] = ADD(state[1], s1), state[2] = ADD(state[2], s2), state[3] = ADD(state[3], s3);
            state[4] = ADD(state[4], s4), state[5] = ADD(state[5], s5), state[6] = ADD(state[6], s6), state[7] = ADD(state[7], s7);
        }
    }
    TRANSPOSE(state);
    for (int i = 0; i < 8; ++i) {
        _mm256_storeu_si256((__m256i *)(void *)(digests + 32 * i), _mm256_shuffle_epi8(state[i], byte_order));
    }
}

#endif
