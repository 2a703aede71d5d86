/// An address that says which protocols to speak, from the outermost in: `/ip4/192.0.2.1/tcp/4001/p2p/12D3…`
/// (<https://github.com/multiformats/multiaddr>).
public struct Multiaddr: Hashable, Sendable {
    /// Ours: the longest address that is read from bytes or text, in either form.
    public static let maximumByteCount = 1024
    /// Ours: the most components that are read.
    public static let maximumComponentCount = 32

    public var components: [Component]

    public init(components: [Component]) {
        self.components = components
    }

    /// This address, reached first, then `other` inside it.
    public func encapsulating(_ other: Multiaddr) -> Multiaddr {
        Multiaddr(components: self.components + other.components)
    }

    public func encapsulating(_ component: Component) -> Multiaddr {
        Multiaddr(components: self.components + [component])
    }

    /// What is left of this address before the last occurrence of `other`; all of it if there is none.
    public func decapsulating(_ other: Multiaddr) -> Multiaddr {
        let length = other.components.count
        guard length > 0, length <= self.components.count else { return self }
        for start in stride(from: self.components.count - length, through: 0, by: -1)
        where self.components[start..<(start + length)].elementsEqual(other.components) {
            return Multiaddr(components: Array(self.components[..<start]))
        }
        return self
    }
}
