import DIGMultiformats

extension AccessToken: LosslessStringConvertible {
    /// `dig-token-` and the envelope in base 64 for URLs, without padding: some 300 characters, which a link holds as they are.
    public var text: String {
        Self.textPrefix + Base64URL.encode(self.encoded)
    }

    /// The same as ``text``. A token without a holder is a secret: it does not belong into logs.
    public var description: String { self.text }

    /// Reads ``text``.
    ///
    /// - Throws: ``AccessError`` with `.tokenInvalid`, also for other characters and for ends that are not those of its one encoding.
    public init(parsing text: String) throws(AccessError) {
        let characters = text.utf8
        guard characters.count <= Self.maximumTextByteCount, text.hasPrefix(Self.textPrefix) else { throw .tokenInvalid }
        let bytes: [UInt8]
        do { bytes = try Base64URL.decode(String(text.dropFirst(Self.textPrefix.count))) } catch { throw .tokenInvalid }
        try self.init(decoding: bytes)
        // One token has one text.
        guard self.text == text else { throw .tokenInvalid }
    }

    /// As ``init(parsing:)``, without the reason.
    public init?(_ description: String) {
        do throws(AccessError) { try self.init(parsing: description) } catch { return nil }
    }

    /// Of ``text``.
    public static let maximumTextByteCount = Self.textPrefix.utf8.count + (Self.maximumByteCount * 4 + 2) / 3
}
