/// Keccak with 256 bits of output as Ethereum uses it: the padding of the competition (0x01), not that of SHA-3 (FIPS 202).
enum Keccak256 {
    /// 1,600 bits of state less twice the 256 of output.
    private static let rate = 136

    static func hash(_ message: some Collection<UInt8>) -> [UInt8] {
        var padded = Array(message)
        let paddingCount = Self.rate - padded.count % Self.rate
        padded += [UInt8](repeating: 0, count: paddingCount)
        padded[padded.count - paddingCount] |= 0x01
        padded[padded.count - 1] |= 0x80

        var state = [UInt64](repeating: 0, count: 25)
        for block in stride(from: 0, to: padded.count, by: Self.rate) {
            for lane in 0..<(Self.rate / 8) {
                for byte in 0..<8 {
                    state[lane] ^= UInt64(padded[block + 8 * lane + byte]) << UInt64(8 * byte)
                }
            }
            Self.permute(&state)
        }
        return (0..<32).map { UInt8(truncatingIfNeeded: state[$0 / 8] >> UInt64(8 * ($0 % 8))) }
    }

    /// Keccak-f[1600] (FIPS 202 §3.2, 3.3). Lane (x, y) is at index x + 5y.
    private static func permute(_ state: inout [UInt64]) {
        for constant in Self.roundConstants {
            // θ
            var parity = [UInt64](repeating: 0, count: 5)
            for index in 0..<25 { parity[index % 5] ^= state[index] }
            for x in 0..<5 {
                let d = parity[(x + 4) % 5] ^ Self.rotate(parity[(x + 1) % 5], 1)
                for y in 0..<5 { state[x + 5 * y] ^= d }
            }
            // ρ and π
            var moved = state
            for x in 0..<5 {
                for y in 0..<5 {
                    moved[y + 5 * ((2 * x + 3 * y) % 5)] = Self.rotate(state[x + 5 * y], Self.rotations[x + 5 * y])
                }
            }
            // χ
            for x in 0..<5 {
                for y in 0..<5 {
                    let next = moved[(x + 1) % 5 + 5 * y]
                    let afterNext = moved[(x + 2) % 5 + 5 * y]
                    state[x + 5 * y] = moved[x + 5 * y] ^ (~next & afterNext)
                }
            }
            // ι
            state[0] ^= constant
        }
    }

    private static func rotate(_ lane: UInt64, _ count: UInt64) -> UInt64 {
        count == 0 ? lane : lane << count | lane >> (64 - count)
    }

    /// FIPS 202 §3.2.2, table 2, modulo 64.
    private static let rotations: [UInt64] = [
        0, 1, 62, 28, 27,
        36, 44, 6, 55, 20,
        3, 10, 43, 25, 39,
        41, 45, 15, 21, 8,
        18, 2, 61, 56, 14,
    ]

    /// FIPS 202 §3.2.5.
    private static let roundConstants: [UInt64] = [
        0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a, 0x8000_0000_8000_8000,
        0x0000_0000_0000_808b, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
        0x0000_0000_0000_008a, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
        0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
        0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800a, 0x8000_0000_8000_000a,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ]
}
