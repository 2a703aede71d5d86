import DIGMultiformats

/// What content is called: the SHA-256 of its ``FileDescriptor`` or ``FolderListing``.
///
/// The descriptor commits to the size and the root of the hash tree, so descriptor, tree and bytes from any stranger prove
/// themselves. The text form is the sha2-256 multihash (`0x12 0x20`, then 32 bytes) in multibase base32: 56 characters that
/// begin with `bciq`. It is not what `sha256sum` prints; that is a *name* for content, see ``ContentReference``.
public struct ContentHash: Hashable, Sendable, Comparable {
    /// Bytes of the multihash: function, length, digest.
    public static let multihashByteCount = 34
    /// Characters of the text form: the multibase prefix and ⌈34 × 8 / 5⌉ digits.
    public static let textLength = 56

    private static let multihashPrefix: [UInt8] = [0x12, 0x20]

    public let digest: SHA256Digest

    public init(digest: SHA256Digest) {
        self.digest = digest
    }

    /// The 34 bytes of the sha2-256 multihash, as used for DHT keys.
    public var multihashBytes: [UInt8] { Self.multihashPrefix + self.digest.bytes }

    /// Takes the 34 bytes of a sha2-256 multihash.
    ///
    /// - Throws: ``ContentError`` with `.wrongHashLength` or `.unsupportedHash`.
    public init(multihashBytes bytes: some Collection<UInt8>) throws(ContentError) {
        guard bytes.count == Self.multihashByteCount else {
            throw ContentError(.wrongHashLength, "a content hash is \(Self.multihashByteCount) bytes, these are \(bytes.count)")
        }
        guard bytes.starts(with: Self.multihashPrefix) else {
            throw ContentError(
                .unsupportedHash, "a content hash is a SHA-256 multihash and starts with 1220, this one starts with \(HexText.encode(bytes.prefix(2)))")
        }
        guard let digest = SHA256Digest(bytes: bytes.dropFirst(2)) else {
            throw ContentError(.wrongHashLength, "a content hash holds \(SHA256Digest.byteCount) bytes of SHA-256")
        }
        self.init(digest: digest)
    }

    /// Parses a text form: `bciq…` (56 characters), the same in capitals as printed in QR codes, or `1220…` (68 hexadecimal digits).
    ///
    /// - Throws: ``ContentError`` with `.wrongHashLength`, `.malformedHash` or `.unsupportedHash`; the message says what was expected and found.
    public init(parsing text: String) throws(ContentError) {
        let count = text.utf8.count
        switch text.utf8.first {
        case nil:
            throw ContentError(.malformedHash, "the content hash is empty")
        case UInt8(ascii: "b"), UInt8(ascii: "B"):
            if HexText.isHex(text), count == 2 * SHA256Digest.byteCount { throw Self.plainSHA256Error }
            guard count == Self.textLength else { throw Self.lengthError(expected: Self.textLength, actual: count) }
            let decoded: (Multibase, [UInt8])
            do {
                decoded = try Multibase.decode(text)
            } catch {
                throw ContentError(.malformedHash, "the content hash is not base32", cause: error)
            }
            try self.init(multihashBytes: decoded.1)
            // One hash, one text: bits left over in the last digit must be zero.
            guard self.description == text || self.description.uppercased() == text else {
                throw ContentError(.malformedHash, "the content hash is not in its canonical form")
            }
        default:
            guard let bytes = HexText.decode(text) else {
                if HexText.isHex(text) { throw Self.lengthError(expected: 2 * Self.multihashByteCount, actual: count) }
                throw ContentError(
                    .malformedHash, "a content hash starts with \"bciq\" or \"1220\", this text starts with \"\(DisplayText.escaped(String(text.prefix(8))))\"")
            }
            if bytes.count == SHA256Digest.byteCount { throw Self.plainSHA256Error }
            guard bytes.count == Self.multihashByteCount else { throw Self.lengthError(expected: 2 * Self.multihashByteCount, actual: count) }
            try self.init(multihashBytes: bytes)
        }
    }

    static func lengthError(expected: Int, actual: Int) -> ContentError {
        ContentError(.wrongHashLength, "a content hash of this form has \(expected) characters, this one has \(actual)")
    }

    private static var plainSHA256Error: ContentError {
        ContentError(.unsupportedHash, "these 64 hexadecimal digits are a plain SHA-256, not a content hash; use them as a name, without \"dig:\"")
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.digest < rhs.digest }
}

extension ContentHash: LosslessStringConvertible {
    /// As ``init(parsing:)``, without the reason.
    public init?(_ description: String) {
        guard let hash = try? ContentHash(parsing: description) else { return nil }
        self = hash
    }

    /// The text form: `bciq…`, 56 characters.
    public var description: String { Multibase.base32.encode(self.multihashBytes) }
}

/// As text.
extension ContentHash: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        try self.init(parsing: container.decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}
