import DIGAnnouncement
import DIGContent
import DIGDiscovery
import DIGIdentity

/// What somebody looks up in a DHT.
enum DHTLookupKey {
    /// A peer's id; what `get` takes, as content is announced; or `hex:` and the bytes of any key.
    ///
    /// - Throws: `ContentError`.
    static func bytes(parsing text: String) throws -> [UInt8] {
        if let hex = Self.hex(text) { return hex }
        do { return try PeerID(text).bytes } catch {
            return KademliaMechanism.key(of: HolderInquiry.Subject(try ContentReference(parsing: text)).key)
        }
    }

    private static func hex(_ text: String) -> [UInt8]? {
        guard text.hasPrefix("hex:") else { return nil }
        let digits = Array(text.dropFirst(4))
        guard !digits.isEmpty, digits.count.isMultiple(of: 2), digits.count <= 160 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index].hexDigitValue, let low = digits[index + 1].hexDigitValue else { return nil }
            bytes.append(UInt8(high * 16 + low))
        }
        return bytes
    }
}
