import CDIGSHA256

/// The 32 bytes of a SHA-256 (FIPS 180-4), stored in place.
public struct SHA256Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The size of a digest.
    public static let byteCount = 32

    /// The digest in memory order: the raw bytes of these four words are the digest, whatever the byte order of the machine.
    private var words: (UInt64, UInt64, UInt64, UInt64)

    /// 32 zero bytes: the hash of a padding leaf and the root of the empty file.
    public static let zero = SHA256Digest()

    private init() {
        self.words = (0, 0, 0, 0)
    }

    /// Takes exactly 32 bytes; `nil` for any other count.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init()
        withUnsafeMutableBytes(of: &self.words) { $0.copyBytes(from: bytes) }
    }

    /// Takes exactly 64 hexadecimal digits of either case; `nil` for anything else.
    public init?(hex: some StringProtocol) {
        guard let bytes = HexText.decode(hex) else { return nil }
        self.init(bytes: bytes)
    }

    /// Hashes `bytes` at once. For whole files see ``FileHasher`` and ``PlainSHA256``.
    public init(hashing bytes: some Collection<UInt8>) {
        self.init()
        let direct: Void? = bytes.withContiguousStorageIfAvailable { self.fill(hashing: UnsafeRawBufferPointer($0)) }
        if direct == nil { Array(bytes).withUnsafeBytes { self.fill(hashing: $0) } }
    }

    /// Hashes `bytes` at once.
    public init(hashing bytes: UnsafeRawBufferPointer) {
        self.init()
        self.fill(hashing: bytes)
    }

    /// Copies a digest from memory that holds at least 32 bytes.
    package init(loadingFrom pointer: UnsafeRawPointer) {
        self.init()
        withUnsafeMutableBytes(of: &self.words) { $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Self.byteCount)) }
    }

    private mutating func fill(hashing bytes: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; the hash function wants one even if it reads nothing from it.
        Swift.withUnsafeBytes(of: 0 as UInt8) { dummy in
            var message = (bytes.baseAddress ?? dummy.baseAddress)?.assumingMemoryBound(to: UInt8.self)
            withUnsafeMutableBytes(of: &self.words) { dig_sha256_blocks(&message, 1, bytes.count, $0.baseAddress) }
        }
    }

    /// Calls `body` with the 32 bytes.
    public func withUnsafeBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        try Swift.withUnsafeBytes(of: self.words, body)
    }

    public var bytes: [UInt8] { self.withUnsafeBytes { Array($0) } }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { HexText.encode(self.bytes) }

    public var description: String { self.hex }

    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.words.0 == rhs.words.0 && lhs.words.1 == rhs.words.1 && lhs.words.2 == rhs.words.2 && lhs.words.3 == rhs.words.3
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.words.0)
        hasher.combine(self.words.1)
        hasher.combine(self.words.2)
        hasher.combine(self.words.3)
    }

    /// Compares as strings of bytes.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.words.0 != rhs.words.0 { return lhs.words.0.bigEndian < rhs.words.0.bigEndian }
        if lhs.words.1 != rhs.words.1 { return lhs.words.1.bigEndian < rhs.words.1.bigEndian }
        if lhs.words.2 != rhs.words.2 { return lhs.words.2.bigEndian < rhs.words.2.bigEndian }
        return lhs.words.3.bigEndian < rhs.words.3.bigEndian
    }
}

/// As 64 hexadecimal digits.
extension SHA256Digest: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let digest = Self(hex: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a SHA-256 has 64 hexadecimal digits")
        }
        self = digest
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.hex)
    }
}
