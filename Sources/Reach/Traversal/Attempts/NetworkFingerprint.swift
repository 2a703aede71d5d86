public import DIGMultiformats

/// Tells one network that this machine has been in from another, so that what was learned in one does not mislead in the next.
///
/// The public address where it is known, else the local ones: never sent anywhere.
public struct NetworkFingerprint: Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public static let unknown = Self(description: "unknown")

    /// As the database keeps it.
    public init(description: String) {
        self.description = description
    }

    /// - Parameters:
    ///   - external: The address that others see, if any are known.
    ///   - interfaces: The addresses of this machine's interfaces.
    public init(external: [Multiaddr], interfaces: [Multiaddr]) {
        func hosts(_ addresses: [Multiaddr]) -> [String] {
            Set(
                addresses.compactMap { address in
                    address.components.lazy.compactMap { component -> String? in
                        switch component {
                        case .ip4(let ip): "\(ip)"
                        // The network part: privacy addresses change daily.
                        case .ip6(let ip): ip.bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
                        default: nil
                        }
                    }.first
                }
            ).sorted()
        }
        let outside = hosts(external)
        let known = outside.isEmpty ? hosts(interfaces) : outside
        self.description = known.isEmpty ? Self.unknown.description : known.joined(separator: " ")
    }
}
