/// A host with a public IPv4 and IPv6 address and no router before it: where relays and rendezvous servers live.
public struct PublicHostPlan: Hashable, Sendable, Codable {
    public var name: String
    public var link: LinkPlan

    public init(_ name: String, link: LinkPlan = LinkPlan()) {
        self.name = name
        self.link = link
    }
}
