/// A domain name as its labels. Letters are kept in lower case, because names compare without it (RFC 6762 §16).
struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// RFC 1035 §2.3.4.
    static let maximumLabelByteCount = 63
    /// RFC 1035 §2.3.4: with the length byte of each label and the one that ends the name.
    static let maximumByteCount = 255

    let labels: [[UInt8]]

    /// Takes labels that are known to keep to the limits.
    init(_ labels: [String]) {
        self.labels = labels.map { Array($0.lowercased().utf8) }
    }

    /// Takes labels off the wire. `nil` if one is empty or too long or the whole is.
    init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...Self.maximumLabelByteCount).contains($0.count) }),
            labels.reduce(1, { $0 + 1 + $1.count }) <= Self.maximumByteCount
        else { return nil }
        self.labels = labels.map { label in
            label.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 0x20 : $0 }
        }
    }

    /// The name one level up; `nil` for the root.
    var parent: DNSName? {
        self.labels.isEmpty ? nil : DNSName(checked: Array(self.labels.dropFirst()))
    }

    /// The name one level down.
    func child(_ label: String) -> DNSName {
        DNSName(checked: [Array(label.lowercased().utf8)] + self.labels)
    }

    private init(checked labels: [[UInt8]]) {
        self.labels = labels
    }

    var description: String {
        self.labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".") + "."
    }
}
