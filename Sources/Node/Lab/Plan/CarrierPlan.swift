/// A provider that puts its customers behind a NAT of its own (RFC 6888), in 100.64.0.0/10. Customers can't reach each other inside.
public struct CarrierPlan: Hashable, Sendable, Codable {
    public var name: String
    /// One of the kinds with a single router that translates.
    public var nat: NATKind
    public var hairpin: Bool
    public var link: LinkPlan

    public init(_ name: String, nat: NATKind, hairpin: Bool = false, link: LinkPlan = LinkPlan()) {
        self.name = name
        self.nat = nat
        self.hairpin = hairpin
        self.link = link
    }
}
