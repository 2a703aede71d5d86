import DIGMultiformats

/// 32 bytes that stand for a content in the local network: whoever has it answers for them, and nobody else.
///
/// Questions go to everybody on the link: make the key a hash of what is looked for, so that it tells something only to those who know that already.
public struct LocalKey: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    /// Inline: a node may hold a hundred thousand.
    private let words: InlineWords

    private struct InlineWords: Hashable, Sendable {
        var a: UInt64
        var b: UInt64
        var c: UInt64
        var d: UInt64
    }

    /// Nil unless there are 32.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.words = InlineWords(a: words[0], b: words[1], c: words[2], d: words[3])
    }

    public var bytes: [UInt8] {
        [self.words.a, self.words.b, self.words.c, self.words.d].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
    }

    /// In base 32.
    public var description: String { Base32.encode(self.bytes) }

    // MARK: In the DNS

    /// RFC 6763 §7.1: the subtypes of the service. By convention a subtype begins with `_`.
    private static let parent = DNSName(["_sub", "_p2p", "_udp", "local"])

    /// `_<base 32>._sub._p2p._udp.local`
    var name: DNSName { Self.parent.child("_\(self)") }

    /// Nil if the name is none of a key.
    init?(_ name: DNSName) {
        guard let label = name.labels.first, label.first == UInt8(ascii: "_"), name.parent == Self.parent else { return nil }
        let bytes: [UInt8]
        do throws(MultibaseError) { bytes = try Base32.decode(String(decoding: label.dropFirst(), as: UTF8.self)) } catch { return nil }
        self.init(bytes: bytes)
    }
}
