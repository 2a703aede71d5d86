import CDIGResolver

/// Reads the TXT records out of a DNS message.
enum TextRecords {
    /// - Parameter limit: Records beyond are left out.
    /// - Throws: ``DNSError`` `.malformed` if `message` is none. A record whose parts do not fill it exactly is left out.
    static func texts(in message: [UInt8], limit: Int) throws(DNSError) -> [[UInt8]] {
        var spans = [dig_resolver_span](repeating: dig_resolver_span(), count: max(1, limit))
        let count = message.withUnsafeBufferPointer { message in
            spans.withUnsafeMutableBufferPointer { spans in
                dig_resolver_txt_records(message.baseAddress, Int32(clamping: message.count), spans.baseAddress, Int32(clamping: spans.count))
            }
        }
        guard count >= 0 else { throw DNSError(.malformed, "the answer is no DNS message") }
        return spans.prefix(Int(count)).prefix(max(0, limit)).compactMap { span in
            let end = Int(span.offset) + Int(span.length)
            guard end <= message.count else { return nil }
            return Self.joined(message[Int(span.offset)..<end])
        }
    }

    /// The parts of one record, each behind its length (RFC 1035 §3.3.14), joined; nil if they do not fill `data` exactly.
    static func joined(_ data: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = data
        var text: [UInt8] = []
        while let length = rest.popFirst() {
            guard Int(length) <= rest.count else { return nil }
            text += rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
        }
        return text
    }
}
