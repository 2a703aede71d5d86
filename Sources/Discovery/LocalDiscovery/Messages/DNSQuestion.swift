/// What a query asks for.
struct DNSQuestion: Hashable, Sendable {
    var name: DNSName
    var type: DNSRecordType
    /// The asker would like the answer by unicast (RFC 6762 §5.4).
    var prefersUnicast = false
}
