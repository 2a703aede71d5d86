#include "sha256_internal.h"

#if defined(__x86_64__)

#include <immintrin.h>

// The SHA extensions keep the state as two vectors, ABEF and CDGH (Intel SDM, SHA256RNDS2). One instruction does two
// rounds with a latency that leaves the unit idle half of the time; a second, independent message fills the gap.

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))

#define LOAD(p) _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p)), byte_order)

/// Four rounds with the schedule words `m`.
#define ROUNDS(s, m, i)                                                                                     \
    do {                                                                                                    \
        __m128i wk = _mm_add_epi32((m), _mm_loadu_si128((const __m128i *)(const void *)(dig_sha256_k + (i)))); \
        s##1 = _mm_sha256rnds2_epu32(s##1, s##0, wk);                                                       \
        s##0 = _mm_sha256rnds2_epu32(s##0, s##1, _mm_shuffle_epi32(wk, 0x0e));                              \
    } while (0)

/// The next four schedule words, in place of the oldest: a = f(a, b, c, d), where d holds the newest.
#define SCHEDULE(a, b, c, d) \
    a = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4)), d)

TARGET static inline __m128i initial_abef(void) {
    return _mm_set_epi32((int)0x6a09e667, (int)0xbb67ae85, (int)0x510e527f, (int)0x9b05688c);
}

TARGET static inline __m128i initial_cdgh(void) {
    return _mm_set_epi32((int)0x3c6ef372, (int)0xa54ff53a, (int)0x1f83d9ab, (int)0x5be0cd19);
}

TARGET static inline void store(uint8_t *digest, __m128i abef, __m128i cdgh, __m128i byte_order) {
    // From low to high abef is (f e b a) and cdgh is (h g d c).
    __m128i abcd = _mm_shuffle_epi32(_mm_unpackhi_epi64(abef, cdgh), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_unpacklo_epi64(abef, cdgh), 0xb1);
    _mm_storeu_si128((__m128i *)(void *)digest, _mm_shuffle_epi8(abcd, byte_order));
    _mm_storeu_si128((__m128i *)(void *)(digest + 16), _mm_shuffle_epi8(efgh, byte_order));
}

#define BYTE_ORDER_MASK _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll)

TARGET void dig_sha256_sha_ni_x1(const uint8_t *const *data, size_t block_count, const uint8_t *const *tail, size_t tail_count,
                                 uint8_t *digests) {
    const __m128i byte_order = BYTE_ORDER_MASK;
    __m128i x0 = initial_abef(), x1 = initial_cdgh();
    for (int part = 0; part < 2; ++part) {
        const uint8_t *p = part == 0 ? data[0] : tail[0];
        for (size_t n = part == 0 ? block_count : tail_count; n > 0; --n, p += 64) {
            const __m128i x0_before = x0, x1_before = x1;
            __m128i a = LOAD(p), b = LOAD(p + 16), c = LOAD(p + 32), d = LOAD(p + 48);
            ROUNDS(x, a, 0);
            ROUNDS(x, b, 4);
            ROUNDS(x, c, 8);
            ROUNDS(x, d, 12);
            for (int i = 16; i < 64; i += 16) {
                SCHEDULE(a, b, c, d);
                ROUNDS(x, a, i);
                SCHEDULE(b, c, d, a);
                ROUNDS(x, b, i + 4);
                SCHEDULE(c, d, a, b);
                ROUNDS(x, c, i + 8);
                SCHEDULE(d, a, b, c);
                ROUNDS(x, d, i + 12);
            }
            x0 = _mm_add_epi32(x0, x0_before);
            x1 = _mm_add_epi32(x1, x1_before);
        }
    }
    store(digests, x0, x1, byte_order);
}

TARGET void dig_sha256_sha_ni_x2(const uint8_t *const *data, size_t block_count, const uint8_t *const *tail, size_t tail_count,
                                 uint8_t *digests) {
    const __m128i byte_order = BYTE_ORDER_MASK;
    __m128i x0 = initial_abef(), x1 = initial_cdgh();
    __m128i y0 = x0, y1 = x1;
    for (int part = 0; part < 2; ++part) {
        const uint8_t *p = part == 0 ? data[0] : tail[0];
        const uint8_t *q = part == 0 ? data[1] : tail[1];
        for (size_t n = part == 0 ? block_count : tail_count; n > 0; --n, p += 64, q += 64) {
            const __m128i x0_before = x0, x1_before = x1, y0_before = y0, y1_before = y1;
            __m128i a = LOAD(p), b = LOAD(p + 16), c = LOAD(p + 32), d = LOAD(p + 48);
            __m128i e = LOAD(q), f = LOAD(q + 16), g = LOAD(q + 32), h = LOAD(q + 48);
            ROUNDS(x, a, 0);
            ROUNDS(y, e, 0);
            ROUNDS(x, b, 4);
            ROUNDS(y, f, 4);
            ROUNDS(x, c, 8);
            ROUNDS(y, g, 8);
            ROUNDS(x, d, 12);
            ROUNDS(y, h, 12);
            for (int i = 16; i < 64; i += 16) {
                SCHEDULE(a, b, c, d);
                ROUNDS(x, a, i);
                SCHEDULE(e, f, g, h);
                ROUNDS(y, e, i);
                SCHEDULE(b, c, d, a);
                ROUNDS(x, b, i + 4);
                SCHEDULE(f, g, h, e);
                ROUNDS(y, f, i + 4);
                SCHEDULE(c, d, a, b);
                ROUNDS(x, c, i + 8);
                SCHEDULE(g, h, e, f);
                ROUNDS(y, g, i + 8);
                SCHEDULE(d, a, b, c);
                ROUNDS(x, d, i + 12);
                SCHEDULE(h, e, f, g);
                ROUNDS(y, h, i + 12);
            }
            x0 = _mm_add_epi32(x0, x0_before);
            x1 = _mm_add_epi32(x1, x1_before);
            y0 = _mm_add_epi32(y0, y0_before);
            y1 = _mm_add_epi32(y1, y1_before);
        }
    }
    store(digests, x0, x1, byte_order);
    store(digests + 32, y0, y1, byte_order);
}

#endif
