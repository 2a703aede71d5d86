/// How eagerly a content is kept known.
///
/// Whatever the level, it is announced by every mechanism at once. A mechanism that keeps up by itself what it took, such as a DHT, does so with every level.
public enum AnnounceLevel: String, Hashable, Sendable, CaseIterable {
    /// Again every quarter of an hour, by every mechanism.
    case high
    /// Again every half hour: one announcement may get lost before others forget.
    case medium
    /// Again shortly before others would forget.
    case low

    /// Of the interval of ``medium``.
    package var intervalFactor: Double {
        switch self {
        case .high: 0.5
        case .medium: 1
        case .low: 2
        }
    }
}
