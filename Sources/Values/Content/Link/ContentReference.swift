public import DIGIdentity

/// What a person typed to say which content they want.
public enum ContentReference: Hashable, Sendable {
    /// `dig:…`
    case link(ShareLink)
    /// A bare content hash, `bciq…` or `1220…`.
    case contentHash(ContentHash)
    /// A bare 64-digit SHA-256 as printed by `sha256sum`. A name, to be resolved through signed bindings.
    case sha256(SHA256Digest)
    /// Anything else: a name, to be resolved through signed bindings. With `@` and a peer id at its end: as that peer binds it, whatever others say.
    case name(String, signer: PeerID? = nil)

    /// Bytes of a name.
    public static let maximumNameByteCount = 255

    /// From how many characters on hexadecimal digits, or base32 after `bciq`, can only be meant as a hash.
    private static let hashLikeLength = 32

    /// Recognizes links and hashes by their form; what looks like a damaged hash is an error and not a name.
    ///
    /// - Throws: ``ContentError`` with `.malformedLink`, `.invalidParameter`, `.wrongHashLength`, `.malformedHash`, `.unsupportedHash`, or `.unsafePath`
    ///   if it is no usable name either: empty, over 255 bytes, or with control characters.
    public init(parsing text: String) throws(ContentError) {
        let trimmed = Self.trimmed(text)
        if ShareLink.hasScheme(trimmed) {
            self = .link(try ShareLink(parsing: trimmed))
        } else if trimmed.utf8.count == 2 * SHA256Digest.byteCount, let digest = SHA256Digest(hex: trimmed) {
            self = .sha256(digest)
        } else if Self.looksLikeContentHash(trimmed) {
            self = .contentHash(try ContentHash(parsing: trimmed))
        } else if HexText.isHex(trimmed), trimmed.utf8.count >= Self.hashLikeLength {
            if trimmed.utf8.count == 2 * ContentHash.multihashByteCount {
                self = .contentHash(try ContentHash(parsing: trimmed))
            } else {
                throw ContentError(
                    .wrongHashLength,
                    "a SHA-256 has \(2 * SHA256Digest.byteCount) hexadecimal digits and a content hash \(2 * ContentHash.multihashByteCount), these are \(trimmed.utf8.count)")
            }
        } else {
            guard !trimmed.isEmpty else { throw ContentError(.unsafePath, "a link, a hash or a name is needed") }
            guard trimmed.utf8.count <= Self.maximumNameByteCount else {
                throw ContentError(.unsafePath, "a name has at most \(Self.maximumNameByteCount) bytes, this one has \(trimmed.utf8.count)")
            }
            guard !trimmed.unicodeScalars.contains(where: DisplayText.isControl) else {
                throw ContentError(.unsafePath, "the name \"\(DisplayText.escaped(trimmed))\" has control characters")
            }
            self = Self.named(trimmed)
        }
    }

    /// An `@` that no peer id follows is part of the name.
    private static func named(_ text: String) -> Self {
        guard let at = text.lastIndex(of: "@"), at != text.startIndex else { return .name(text) }
        do {
            return .name(String(text[..<at]), signer: try PeerID(String(text[text.index(after: at)...])))
        } catch {
            return .name(text)
        }
    }

    /// `bciq` stands for the bytes 0x12 0x20 in base32; a long text of letters and digits that begins so is meant as a content hash.
    private static func looksLikeContentHash(_ text: String) -> Bool {
        text.utf8.count >= self.hashLikeLength && text.prefix(4).lowercased() == "bciq"
            && text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil) }
    }

    private static func trimmed(_ text: String) -> String {
        let rest = text.drop { $0.isWhitespace }
        guard let last = rest.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(rest[...last])
    }
}
