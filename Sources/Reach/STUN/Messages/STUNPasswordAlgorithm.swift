/// How a long-term key is made of name, realm and password (RFC 8489 §14.11, §14.12, §18.5).
public struct STUNPasswordAlgorithm: STUNAttributeValue {
    public static let type = STUNAttributeType.passwordAlgorithm
    public var number: UInt16
    public var parameters: [UInt8]

    public init(number: UInt16, parameters: [UInt8] = []) {
        self.number = number
        self.parameters = parameters
    }

    public static let md5 = Self(number: 1)
    public static let sha256 = Self(number: 2)

    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        var rest = bytes[...]
        guard let value = Self.read(&rest), rest.isEmpty else { throw .invalidAttribute(Self.type) }
        self = value
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        var bytes = self.header + self.parameters
        while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
        return bytes
    }

    /// ```
    /// number (2) | length of the parameters (2) | parameters, padded to four bytes
    /// ```
    /// Some leave the padding of the last one out.
    static func read(_ bytes: inout ArraySlice<UInt8>) -> Self? {
        guard bytes.count >= 4 else { return nil }
        let start = bytes.startIndex
        let number = UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1])
        let count = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
        guard count <= bytes.count - 4 else { return nil }
        let value = Self(number: number, parameters: Array(bytes[(start + 4)..<(start + 4 + count)]))
        bytes = bytes.dropFirst(4 + (count + 3) / 4 * 4)
        return value
    }

    private var header: [UInt8] {
        [
            UInt8(truncatingIfNeeded: self.number >> 8), UInt8(truncatingIfNeeded: self.number),
            UInt8(truncatingIfNeeded: self.parameters.count >> 8), UInt8(truncatingIfNeeded: self.parameters.count),
        ]
    }
}

/// The algorithms that a server offers, the best first (RFC 8489 §14.11).
public struct STUNPasswordAlgorithms: STUNAttributeValue {
    public static let type = STUNAttributeType.passwordAlgorithms
    /// Ours: more in one attribute are refused.
    public static let maximumCount = 16
    public var algorithms: [STUNPasswordAlgorithm]

    public init(_ algorithms: [STUNPasswordAlgorithm]) { self.algorithms = algorithms }

    public init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError) {
        var rest = bytes[...]
        self.algorithms = []
        while !rest.isEmpty {
            guard self.algorithms.count < Self.maximumCount, let next = STUNPasswordAlgorithm.read(&rest) else { throw .invalidAttribute(Self.type) }
            self.algorithms.append(next)
        }
    }

    public func encoded(transactionID: STUNTransactionID) -> [UInt8] {
        self.algorithms.flatMap { $0.encoded(transactionID: transactionID) }
    }
}
