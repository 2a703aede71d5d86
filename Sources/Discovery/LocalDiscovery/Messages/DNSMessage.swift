/// A DNS message as multicast DNS uses it (RFC 6762 §18).
struct DNSMessage: Hashable, Sendable {
    /// 0 except in answers to simple resolvers (RFC 6762 §6.7, §18.1).
    var identifier: UInt16 = 0
    var isResponse: Bool
    /// More known answers follow in another query (RFC 6762 §7.2).
    var isTruncated = false
    var questions: [DNSQuestion] = []
    var answers: [DNSRecord] = []
    var additionals: [DNSRecord] = []
}
