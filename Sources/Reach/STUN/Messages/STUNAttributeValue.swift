/// What an attribute means. TURN and ICE add their own.
public protocol STUNAttributeValue: Hashable, Sendable {
    static var type: STUNAttributeType { get }

    /// Reads the value of an attribute.
    ///
    /// - Parameter transactionID: Of the message, for addresses that are masked with it.
    /// - Throws: ``STUNDecodingError`` with `.invalidAttribute`.
    init(decoding bytes: [UInt8], transactionID: STUNTransactionID) throws(STUNDecodingError)

    /// The value without padding, at most 65,535 bytes.
    func encoded(transactionID: STUNTransactionID) -> [UInt8]
}
