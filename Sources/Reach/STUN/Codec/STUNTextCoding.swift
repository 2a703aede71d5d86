/// UTF-8 in attributes.
enum STUNTextCoding {
    /// RFC 8489 §14.9, §14.10, §14.14, §14.8: 127 characters of up to six bytes, and one.
    static let maximumByteCount = 763

    static func decode(_ bytes: [UInt8], of type: STUNAttributeType, maximumByteCount: Int) throws(STUNDecodingError) -> String {
        guard bytes.count <= maximumByteCount, let text = String(validating: bytes, as: UTF8.self) else { throw .invalidAttribute(type) }
        return text
    }

    /// Cut at a character if it is too long.
    static func encode(_ text: String, maximumByteCount: Int) -> [UInt8] {
        guard text.utf8.count > maximumByteCount else { return Array(text.utf8) }
        var bytes: [UInt8] = []
        for character in text {
            let next = Array(String(character).utf8)
            guard bytes.count + next.count <= maximumByteCount else { break }
            bytes += next
        }
        return bytes
    }
}
