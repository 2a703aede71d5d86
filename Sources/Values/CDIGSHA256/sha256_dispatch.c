#include "sha256_internal.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_SHA2
#define HWCAP_SHA2 (1 << 6)
#endif
#endif

// What the processor offers

#if defined(__x86_64__)
static unsigned long long xgetbv0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}
#endif

/// One bit per path.
static unsigned detect(void) {
    unsigned available = 1u << DIG_SHA256_AUTOMATIC | 1u << DIG_SHA256_PORTABLE;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return available;
    const bool ssse3 = c >> 9 & 1, sse41 = c >> 19 & 1, osxsave = c >> 27 & 1;
    // Intel SDM, XCR0: the operating system saves SSE+AVX (bits 1, 2) and the AVX-512 state (bits 5 to 7).
    const unsigned long long saved = osxsave ? xgetbv0() : 0;
    const bool ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xe6) == 0xe6;
    // CPUID leaf 7: EBX bits 5 AVX2, 16 AVX-512F, 29 SHA, 30 AVX-512BW.
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return available;
    const bool avx2 = ymm && (b >> 5 & 1);
    if (ssse3 && sse41 && (b >> 29 & 1)) available |= 1u << DIG_SHA256_SHA_NI;
    if (avx2) available |= 1u << DIG_SHA256_AVX2;
    if (avx2 && zmm && (b >> 16 & 1) && (b >> 30 & 1)) available |= 1u << DIG_SHA256_AVX512;
#elif defined(__aarch64__)
#if defined(__ARM_FEATURE_SHA2)
    available |= 1u << DIG_SHA256_ARMV8;
#elif defined(__linux__)
    if (getauxval(AT_HWCAP) & HWCAP_SHA2) available |= 1u << DIG_SHA256_ARMV8;
#endif
#endif
    return available;
}

static unsigned available_paths(void) {
    // Zero is "not looked yet": automatic is always available. Two threads that look at once store the same value.
    static _Atomic unsigned cached = 0;
    unsigned available = atomic_load_explicit(&cached, memory_order_relaxed);
    if (available == 0) {
        available = detect();
        atomic_store_explicit(&cached, available, memory_order_relaxed);
    }
    return available;
}

static bool has(dig_sha256_path path) { return available_paths() >> path & 1; }

bool dig_sha256_is_available(dig_sha256_path path) { return (unsigned)path < DIG_SHA256_PATH_COUNT && has(path); }

const char *dig_sha256_path_name(dig_sha256_path path) {
    static const char *const names[DIG_SHA256_PATH_COUNT] = {"automatic", "portable", "sha-ni", "avx2", "avx512", "armv8"};
    return (unsigned)path < DIG_SHA256_PATH_COUNT ? names[path] : "unknown";
}

// The plans

/// A batch function and the number of messages it takes.
typedef struct width {
    dig_sha256_batch *hash;
    size_t lane_count;
    /// The fewest messages worth it: lanes without a message repeat one, so their work is lost.
    size_t minimum_count;
} width;

/// The functions of one path from the widest to the one for a single message.
typedef struct plan {
    width widths[4];
} plan;

static const plan portable_plan = {{{dig_sha256_portable_x1, 1, 1}}};
#if defined(__x86_64__)
static const plan sha_ni_plan = {{{dig_sha256_sha_ni_x2, 2, 2}, {dig_sha256_sha_ni_x1, 1, 1}}};
static const plan avx2_plan = {{{dig_sha256_avx2_x8, 8, 3}, {dig_sha256_portable_x1, 1, 1}}};
static const plan avx512_plan = {{{dig_sha256_avx512_x16, 16, 9}, {dig_sha256_avx2_x8, 8, 3}, {dig_sha256_portable_x1, 1, 1}}};
#elif defined(__aarch64__)
static const plan armv8_plan = {{{dig_sha256_armv8_x1, 1, 1}}};
#endif

// Padding and batches

/// FIPS 180-4 §5.1.1: 0x80, zeros, the length in bits as 64-bit big-endian; `tail` ends at the returned count of blocks.
static size_t pad(uint8_t tail[128], size_t rest, size_t byte_count) {
    const size_t tail_count = rest < 56 ? 1 : 2;
    memset(tail + rest, 0, 64 * tail_count - rest);
    tail[rest] = 0x80;
    const uint64_t bits = (uint64_t)byte_count << 3;
    for (int i = 0; i < 8; ++i) tail[64 * tail_count - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    return tail_count;
}

/// Hashes messages at `blocks[i]`, or, if `blocks` is null, at `nodes + i * byte_count`.
static void hash_all(const plan *plan, const uint8_t *const *blocks, const uint8_t *nodes, size_t count, size_t byte_count,
                     uint8_t *digests) {
    const size_t block_count = byte_count / 64, rest = byte_count % 64;
    uint8_t tails[DIG_SHA256_MAXIMUM_LANES][128];
    uint8_t spare[DIG_SHA256_MAXIMUM_LANES * DIG_SHA256_BYTE_COUNT];
    const uint8_t *data[DIG_SHA256_MAXIMUM_LANES], *tail[DIG_SHA256_MAXIMUM_LANES];
    const size_t tail_count = pad(tails[0], rest, byte_count);
    for (size_t i = 0; i < DIG_SHA256_MAXIMUM_LANES; ++i) {
        tail[i] = tails[rest == 0 ? 0 : i];
        if (rest != 0 && i != 0) memcpy(tails[i], tails[0], 128);
    }
    const width *width = plan->widths;
    for (size_t done = 0; done < count;) {
        while (count - done < width->minimum_count) ++width;
        const size_t taken = count - done < width->lane_count ? count - done : width->lane_count;
        for (size_t i = 0; i < width->lane_count; ++i) {
            const size_t message = done + (i < taken ? i : 0);
            data[i] = blocks != NULL ? blocks[message] : nodes + message * byte_count;
            if (rest != 0) memcpy(tails[i], data[i] + 64 * block_count, rest);
        }
        if (taken == width->lane_count) {
            width->hash(data, block_count, tail, tail_count, digests + done * DIG_SHA256_BYTE_COUNT);
        } else {
            width->hash(data, block_count, tail, tail_count, spare);
            memcpy(digests + done * DIG_SHA256_BYTE_COUNT, spare, taken * DIG_SHA256_BYTE_COUNT);
        }
        done += taken;
    }
}

// The choice

#if defined(__x86_64__)
/// Full batches in sixteen lanes, the rest with the SHA extensions, which need no company.
static const plan avx512_and_sha_ni_plan = {{{dig_sha256_avx512_x16, 16, 16}, {dig_sha256_sha_ni_x2, 2, 2}, {dig_sha256_sha_ni_x1, 1, 1}}};

/// The ticks for sixteen messages of 2 KiB, the best of a few tries.
static unsigned long long measure(const plan *plan) {
    static const uint8_t zeros[2048];
    const uint8_t *blocks[16];
    uint8_t digests[16 * DIG_SHA256_BYTE_COUNT];
    for (int i = 0; i < 16; ++i) blocks[i] = zeros;
    unsigned long long best = ~0ull;
    for (int attempt = 0; attempt < 8; ++attempt) {
        const unsigned long long start = __rdtsc();
        hash_all(plan, blocks, NULL, 16, sizeof zeros, digests);
        const unsigned long long ticks = __rdtsc() - start;
        if (ticks < best) best = ticks;
    }
    return best;
}

/// Which of the two is faster differs between makers and generations (Zen 4: 3.6 and 3.3 GB/s), so where a processor has both, the
/// first use measures once, about 0.2 ms. What is measured lies in the first-level cache, where sixteen real blocks, all equally aligned, do
/// not fit; so the lanes must win by a seventh. Two threads that measure at once may differ; both answers are right.
static bool sixteen_lanes_beat_sha_ni(void) {
    static _Atomic int cached = -1;
    int answer = atomic_load_explicit(&cached, memory_order_relaxed);
    if (answer < 0) {
        answer = measure(&avx512_plan) < measure(&sha_ni_plan) / 8 * 7;
        atomic_store_explicit(&cached, answer, memory_order_relaxed);
    }
    return answer != 0;
}
#endif

dig_sha256_path dig_sha256_preferred_path(void) {
#if defined(__x86_64__)
    if (has(DIG_SHA256_SHA_NI)) {
        return has(DIG_SHA256_AVX512) && sixteen_lanes_beat_sha_ni() ? DIG_SHA256_AVX512 : DIG_SHA256_SHA_NI;
    }
    if (has(DIG_SHA256_AVX512)) return DIG_SHA256_AVX512;
    if (has(DIG_SHA256_AVX2)) return DIG_SHA256_AVX2;
#elif defined(__aarch64__)
    if (has(DIG_SHA256_ARMV8)) return DIG_SHA256_ARMV8;
#endif
    return DIG_SHA256_PORTABLE;
}

static const plan *plan_for(dig_sha256_path path) {
    if (path == DIG_SHA256_AUTOMATIC) {
        path = dig_sha256_preferred_path();
#if defined(__x86_64__)
        if (path == DIG_SHA256_AVX512 && has(DIG_SHA256_SHA_NI)) return &avx512_and_sha_ni_plan;
#endif
    }
    switch (path) {
#if defined(__x86_64__)
        case DIG_SHA256_SHA_NI: return &sha_ni_plan;
        case DIG_SHA256_AVX2: return &avx2_plan;
        case DIG_SHA256_AVX512: return &avx512_plan;
#elif defined(__aarch64__)
        case DIG_SHA256_ARMV8: return &armv8_plan;
#endif
        default: return &portable_plan;
    }
}

// The interface

void dig_sha256_blocks(const uint8_t *const *blocks, size_t count, size_t byte_count, uint8_t *digests) {
    if (count > 0) hash_all(plan_for(DIG_SHA256_AUTOMATIC), blocks, NULL, count, byte_count, digests);
}

void dig_sha256_pairs(const uint8_t *nodes, size_t pair_count, uint8_t *digests) {
    if (pair_count > 0) hash_all(plan_for(DIG_SHA256_AUTOMATIC), NULL, nodes, pair_count, 64, digests);
}

bool dig_sha256_blocks_on(dig_sha256_path path, const uint8_t *const *blocks, size_t count, size_t byte_count, uint8_t *digests) {
    if (!dig_sha256_is_available(path)) return false;
    if (count > 0) hash_all(plan_for(path), blocks, NULL, count, byte_count, digests);
    return true;
}

bool dig_sha256_pairs_on(dig_sha256_path path, const uint8_t *nodes, size_t pair_count, uint8_t *digests) {
    if (!dig_sha256_is_available(path)) return false;
    if (pair_count > 0) hash_all(plan_for(path), NULL, nodes, pair_count, 64, digests);
    return true;
}
