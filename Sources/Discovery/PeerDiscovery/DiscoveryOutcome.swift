/// How one mechanism's part of a search has ended.
public enum DiscoveryOutcome: Hashable, Sendable, CustomStringConvertible {
    /// It has said all it knows, or was listened to for long enough. The number of holders it has named; 0: it knows none.
    case completed(found: Int)
    /// It can't search, or could not go on; for a person.
    case failed(String)
    /// It was given up.
    case timedOut
    /// It has named more than anybody could mean, and was given up.
    case flooded
    /// The search was over before.
    case cancelled

    public var description: String {
        switch self {
        case .completed(let found): "found \(found)"
        case .failed(let reason): "failed: \(reason)"
        case .timedOut: "no answer in time"
        case .flooded: "too many answers"
        case .cancelled: "cancelled"
        }
    }
}
