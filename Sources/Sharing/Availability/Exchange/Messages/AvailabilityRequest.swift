import DIGContent
import DIGIdentity

/// What one node says to, or asks of, another.
enum AvailabilityRequest: Hashable, Sendable {
    /// Records as they came, none of them looked at yet.
    case tell([Statement])
    /// What is known about a content.
    case ask(ContentHash)
    /// Of a later version.
    case unknown
}

/// A signed record in transit.
enum Statement: Hashable, Sendable {
    case envelope([UInt8])
    case json([UInt8])

    init(_ form: SignedRecord.Form) {
        switch form {
        case .envelope(let envelope): self = .envelope(envelope.encoded)
        case .json(let data): self = .json(data.json)
        }
    }

    var byteCount: Int {
        switch self {
        case .envelope(let bytes), .json(let bytes): bytes.count
        }
    }
}
