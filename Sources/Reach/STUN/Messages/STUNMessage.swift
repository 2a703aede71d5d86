/// A STUN message without what protects it: integrity and fingerprint are made by ``encoded(integrity:hasFingerprint:)`` and checked
/// on a ``ReceivedSTUNMessage``.
public struct STUNMessage: Hashable, Sendable {
    public var messageClass: STUNMessageClass
    public var method: STUNMethod
    public var transactionID: STUNTransactionID
    /// In order. Of a type that comes twice, only the first counts (RFC 8489 §14).
    public var attributes: [STUNAttribute]

    public init(_ messageClass: STUNMessageClass, _ method: STUNMethod, transactionID: STUNTransactionID, attributes: [STUNAttribute] = []) {
        self.messageClass = messageClass
        self.method = method
        self.transactionID = transactionID
        self.attributes = attributes
    }

    /// A binding request with a random transaction id.
    public static func bindingRequest() -> Self {
        Self(.request, .binding, transactionID: .random())
    }

    public func contains(_ type: STUNAttributeType) -> Bool {
        self.attributes.contains { $0.type == type }
    }

    /// The first attribute of this kind; nil if there is none.
    ///
    /// - Throws: ``STUNDecodingError`` with `.invalidAttribute`.
    public func value<Value: STUNAttributeValue>(_ kind: Value.Type) throws(STUNDecodingError) -> Value? {
        guard let attribute = self.attributes.first(where: { $0.type == Value.type }) else { return nil }
        return try Value(decoding: attribute.value, transactionID: self.transactionID)
    }

    public mutating func append(_ value: some STUNAttributeValue) {
        self.attributes.append(STUNAttribute(type: type(of: value).type, value: value.encoded(transactionID: self.transactionID)))
    }

    /// The attributes that `known` does not list although nobody may ignore them.
    func unknownRequiredTypes(known: Set<STUNAttributeType>) -> [STUNAttributeType] {
        var types: [STUNAttributeType] = []
        for attribute in self.attributes where attribute.type.isComprehensionRequired && !known.contains(attribute.type) {
            if !types.contains(attribute.type) { types.append(attribute.type) }
        }
        return types
    }
}
