/// The validators of a network, by namespace. Keys without one are refused.
struct ValidatorTable: Sendable {
    private let validators: [[UInt8]: any ValueValidator]

    init(_ validators: [String: any ValueValidator]) {
        self.validators = Dictionary(validators.map { (Array($0.key.utf8), $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// The validator for `/NAMESPACE/…`.
    func validator(for key: [UInt8]) throws(ValueError) -> any ValueValidator {
        guard key.first == UInt8(ascii: "/") else { throw .unknownNamespace }
        let rest = key.dropFirst()
        guard let end = rest.firstIndex(of: UInt8(ascii: "/")), end + 1 < key.endIndex, let validator = self.validators[Array(rest[..<end])] else {
            throw .unknownNamespace
        }
        return validator
    }
}
