public import DIGMultiformats
import DIGNet

/// When an address counts as reachable, and how often that is looked at again.
public struct ReachabilityConfiguration: Sendable {
    /// Servers in distinct networks by which those that say one thing must outnumber the others before it is believed. As go-libp2p.
    public var confirmations = 3
    /// With fewer servers of version 2 than ``confirmations`` within reach, all of them together suffice. A success of version 2 is proven, so a
    /// lying server can only deny it. The word of servers of version 1 always needs ``confirmations``.
    public var acceptsFewerServers = true
    /// Between two questions about an address of which nothing is certain.
    public var unsureInterval: Duration = .seconds(5)
    /// The same when every server within reach has been asked already.
    public var retryInterval: Duration = .seconds(300)
    /// Between two questions about an address of which all is certain; twice as long each time, up to ``maximumSureInterval``.
    public var minimumSureInterval: Duration = .seconds(15 * 60)
    public var maximumSureInterval: Duration = .seconds(60 * 60)
    /// How long an answer counts. Longer than ``maximumSureInterval``, or nothing ever stays certain.
    public var voteLifetime: Duration = .seconds(3 * 60 * 60)
    /// Between two questions to one server of version 2; servers answer some 12 a minute.
    public var serverSpacing: Duration = .seconds(6)
    /// Between two questions to one server of version 1; servers answer some 3 a minute.
    public var v1ServerSpacing: Duration = .seconds(30)
    /// How long a server is left alone that gave no answer; twice as long each time, up to ``maximumServerBackoff``.
    public var serverBackoff: Duration = .seconds(15)
    public var maximumServerBackoff: Duration = .seconds(30 * 60)
    /// Servers kept; further ones are ignored until one leaves.
    public var maximumServers = 128
    /// Addresses looked at; the most promising are kept.
    public var maximumAddresses = 16
    /// Addresses in one question.
    public var maximumTargets = 8
    /// Hosts remembered that a NAT may let in because this node has sent them something.
    public var maximumContacts = 4096
    /// Snapshots that wait for a slow reader of ``ReachabilityService/updates()``; the oldest are dropped.
    public var updateBufferCount = 16

    public var observed = ObservedAddressesConfiguration()
    public var client = AutoNATv2ClientConfiguration()
    /// Which addresses can be reached by everybody, and which servers are out there.
    public var isPublic: @Sendable (Multiaddr) -> Bool = { AddressPolicy().isPublic($0) }

    public init() {}
}
