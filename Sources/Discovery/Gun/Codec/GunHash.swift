/// The hash of a message's `put`, sent as `##` so that the same answer is not sent twice.
enum GunHash {
    /// `h = h·31 + code unit` over UTF-16, as a signed 32-bit integer: the string hash of Java.
    static func hash(_ text: String) -> Int32 {
        var hash: Int32 = 0
        for unit in text.utf16 { hash = hash &* 31 &+ Int32(unit) }
        return hash
    }

    static func hash(_ put: GunJSON) -> Int32 { Self.hash(GunJSONWriter.string(put)) }
}
