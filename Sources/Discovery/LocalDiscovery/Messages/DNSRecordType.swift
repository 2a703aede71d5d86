/// The kind of a resource record (RFC 1035 §3.2.2).
struct DNSRecordType: Hashable, Sendable, RawRepresentable {
    var rawValue: UInt16

    static let a = Self(rawValue: 1)
    static let pointer = Self(rawValue: 12)
    static let text = Self(rawValue: 16)
    /// RFC 3596 §2.1.
    static let aaaa = Self(rawValue: 28)
    /// RFC 2782.
    static let service = Self(rawValue: 33)
    /// In questions only: every kind (RFC 1035 §3.2.3).
    static let any = Self(rawValue: 255)
}
