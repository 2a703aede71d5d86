/// Whether a home has IPv6, and who gets in over it.
public enum IPv6Plan: String, CaseIterable, Hashable, Sendable, Codable {
    case none
    /// A global prefix; only what was asked for comes in.
    case firewalled
    /// A global prefix and no firewall.
    case open
}
