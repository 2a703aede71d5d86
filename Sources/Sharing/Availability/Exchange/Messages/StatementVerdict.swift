/// What a peer has made of a record that it was told.
public enum StatementVerdict: Hashable, Sendable {
    case taken
    case refused(AvailabilityError)
    /// For a reason that is not known here.
    case refusedOtherwise(UInt32)
}

extension StatementVerdict {
    /// On the wire. These never change.
    private static let codes: [(AvailabilityError, UInt32)] = [
        (.malformed, 1), (.limitExceeded, 2), (.unsupportedAlgorithm, 3), (.invalidSignature, 4), (.wrongPeer, 5), (.expired, 6), (.fromTheFuture, 7), (.replayed, 8),
        (.refuted, 9), (.aboutItself, 10), (.unknownPeer, 11), (.unknownContent, 12), (.quotaExceeded, 13), (.noRoom, 14),
    ]

    var code: UInt32 {
        switch self {
        case .taken: 0
        case .refused(let error): Self.codes.first { $0.0 == error }?.1 ?? 1
        case .refusedOtherwise(let code): code
        }
    }

    init(code: UInt32) {
        self = code == 0 ? .taken : Self.codes.first { $0.1 == code }.map { .refused($0.0) } ?? .refusedOtherwise(code)
    }
}
