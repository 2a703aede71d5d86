#include "sha256_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Sixteen messages, one in each 32-bit lane. AVX-512 has a rotation and any three-operand bit function in one instruction.

#define TARGET __attribute__((target("avx512f,avx512bw,avx2")))

#define ADD(x, y) _mm512_add_epi32(x, y)
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define SHIFT(x, n) _mm512_srli_epi32(x, n)
#define ROTATE(x, n) _mm512_ror_epi32(x, n)

#define ROUND(a, b, c, d, e, f, g, h, i, word)                                                                \
    do {                                                                                                      \
        __m512i t1 = ADD(ADD(h, ADD(_mm512_set1_epi32((int)dig_sha256_k[i]), word)),                          \
                         ADD(XOR3(ROTATE(e, 6), ROTATE(e, 11), ROTATE(e, 25)), CHOOSE(e, f, g)));             \
        d = ADD(d, t1);                                                                                       \
        h = ADD(t1, ADD(XOR3(ROTATE(a, 2), ROTATE(a, 13), ROTATE(a, 22)), MAJORITY(a, b, c)));                 \
    } while (0)

/// Schedule word i, in place of word i − 16.
#define NEXT(i)                                                                                                           \
    (w[(i) & 15] = ADD(ADD(w[(i) & 15], w[((i) + 9) & 15]),                                                               \
                       ADD(XOR3(ROTATE(w[((i) + 1) & 15], 7), ROTATE(w[((i) + 1) & 15], 18), SHIFT(w[((i) + 1) & 15], 3)), \
                           XOR3(ROTATE(w[((i) + 14) & 15], 17), ROTATE(w[((i) + 14) & 15], 19), SHIFT(w[((i) + 14) & 15], 10)))))

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

/// Transposes 16×16 words: `r[i]` holds sixteen words of message i before, word i of sixteen messages after.
///
/// First 4×4 words within the four 128-bit quarters, then the 4×4 quarters themselves.
TARGET static inline __attribute__((always_inline)) void transpose(__m512i r[16]) {
    __m512i t[16], u[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        __m512i even_low = _mm512_shuffle_i32x4(u[i], u[i + 4], 0x88), odd_low = _mm512_shuffle_i32x4(u[i], u[i + 4], 0xdd);
        __m512i even_high = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0x88), odd_high = _mm512_shuffle_i32x4(u[i + 8], u[i + 12], 0xdd);
        r[i] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        r[i + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        r[i + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

TARGET void dig_sha256_avx512_x16(const uint8_t *const *data, size_t block_count, const uint8_t *const *tail, size_t tail_count,
                                  uint8_t *digests) {
    const __m512i byte_order = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll));
    __m512i state[8];
    for (int i = 0; i < 8; ++i) state[i] = _mm512_set1_epi32((int)dig_sha256_initial[i]);
    for (int part = 0; part < 2; ++part) {
        const uint8_t *const *pointers = part == 0 ? data : tail;
        const size_t count = part == 0 ? block_count : tail_count;
        for (size_t n = 0; n < count; ++n) {
            __m512i w[16];
            for (int i = 0; i < 16; ++i) {
                w[i] = _mm512_shuffle_epi8(_mm512_loadu_si512((const void *)(pointers[i] + 64 * n)), byte_order);
            }
            transpose(w);
            __m512i s0 = state[0], s1 = state[1], s2 = state[2], s3 = state[3];
            __m512i s4 = state[4], s5 = state[5], s6 = state[6], s7 = state[7];
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
    __m512i out[16];
    for (int i = 0; i < 16; ++i) out[i] = i < 8 ? state[i] : _mm512_setzero_si512();
    transpose(out);
    for (int i = 0; i < 16; ++i) {
        // The lower half of out[i] is the digest of message i, one host-order word after the other.
        _mm256_storeu_si256((__m256i *)(void *)(digests + 32 * i), _mm512_castsi512_si256(_mm512_shuffle_epi8(out[i], byte_order)));
    }
}

#endif
