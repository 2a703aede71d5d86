import DIGMultiformats
import DIGNet
import Testing

@testable import DIGAutoNAT

@Suite("Observed addresses")
struct ObservedAddressesTests {
    private let start = ContinuousClock.now
    private static let local = "/ip4/192.168.1.2/tcp/4001"

    private func make(listening: [String] = [local], _ configure: (inout ObservedAddressesConfiguration) -> Void = { _ in }) throws -> ObservedAddresses {
        var configuration = ObservedAddressesConfiguration()
        configure(&configuration)
        var observed = ObservedAddresses(configuration: configuration)
        observed.listenAddressesChanged(try listening.map { try Multiaddr($0) })
        return observed
    }

    /// What the peer with `number` reports, over a connection of the same number.
    @discardableResult
    private func see(
        _ external: String, by number: UInt64, at remote: String? = nil, from local: String? = ObservedAddressesTests.local, role: ConnectionRole = .dialer,
        after seconds: Int = 0, in observed: inout ObservedAddresses
    ) throws -> Bool {
        observed.observed(
            try Multiaddr(external), over: ConnectionID(rawValue: number), local: try local.map { try Multiaddr($0) },
            remote: try Multiaddr(remote ?? "/ip4/8.8.0.\(number)/tcp/4001"), role: role, now: self.start + .seconds(seconds))
    }

    private func ignores(
        _ external: String, by number: UInt64, at remote: String? = nil, from local: String? = ObservedAddressesTests.local, in observed: inout ObservedAddresses
    ) throws -> Bool {
        try !self.see(external, by: number, at: remote, from: local, in: &observed)
    }

    private func addresses(_ observed: inout ObservedAddresses, after seconds: Int = 0, basis: ExternalAddress.Basis = .observed) -> [String] {
        observed.externalAddresses(now: self.start + .seconds(seconds)).filter { $0.basis == basis }.map { "\($0.address)" }
    }

    private func behavior(_ observed: inout ObservedAddresses) -> TCPMapping.Behavior { observed.tcpMapping(now: self.start).behavior }

    @Test("An address counts when four distinct hosts have seen it, not three of them twice")
    func threshold() throws {
        var observed = try self.make()
        for number in UInt64(1)...3 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        try self.see("/ip4/9.9.9.9/tcp/5001", by: 4, at: "/ip4/8.8.0.1/tcp/9", in: &observed)
        #expect(self.addresses(&observed).isEmpty)
        try self.see("/ip4/9.9.9.9/tcp/5001", by: 5, in: &observed)
        #expect(self.addresses(&observed) == ["/ip4/9.9.9.9/tcp/5001"])
        let all = observed.externalAddresses(now: self.start)
        let found = try #require(all.first)
        #expect(found.observerCount == 4 && "\(found.listenAddress)" == Self.local)
    }

    @Test("One IPv6 network of 56 bits is one observer, as is one IPv4 network of the length that is set")
    func networks() throws {
        var observed = try self.make(listening: ["/ip6/2620:fe::2/tcp/4001"])
        for number in UInt64(1)...6 {
            try self.see("/ip6/2620:fe::2/tcp/4001", by: number, at: "/ip6/2001:4860:0:\(number)::1/tcp/1", from: "/ip6/2620:fe::2/tcp/4001", in: &observed)
        }
        #expect(self.addresses(&observed).isEmpty)

        observed = try self.make { $0.ipv4PrefixLength = 24 }
        for number in UInt64(1)...6 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        #expect(self.addresses(&observed).isEmpty)
    }

    @Test("The threshold is settable: a laboratory has few observers")
    func settable() throws {
        var observed = try self.make { $0.minimumObservers = 1 }
        try self.see("/ip4/9.9.9.9/tcp/5001", by: 1, in: &observed)
        #expect(self.addresses(&observed) == ["/ip4/9.9.9.9/tcp/5001"])
    }

    @Test("What is no observation of this node from the internet is ignored")
    func ignored() throws {
        var observed = try self.make { $0.minimumObservers = 1 }
        #expect(try self.ignores("/ip4/192.168.1.2/tcp/4001", by: 1, in: &observed), "a private address")
        #expect(try self.ignores("/ip4/127.0.0.1/tcp/4001", by: 1, in: &observed))
        #expect(try self.ignores("/ip4/9.9.9.9/tcp/5001", by: 1, at: "/ip4/192.168.1.9/tcp/1", in: &observed), "an observer in the same network")
        #expect(try self.ignores("/ip4/9.9.9.9/tcp/5001/p2p-circuit", by: 1, in: &observed))
        #expect(try self.ignores("/ip4/9.9.9.9/tcp/5001", by: 1, at: "/ip4/8.8.8.8/tcp/1/p2p-circuit", in: &observed))
        #expect(try self.ignores("/ip6/64:ff9b::909:909/tcp/5001", by: 1, from: "/ip6/fd00::2/tcp/4001", in: &observed), "NAT64 of the observer")
        #expect(try self.ignores("/ip4/9.9.9.9/udp/5001/quic-v1", by: 1, in: &observed), "another transport than the connection's")
        #expect(try self.ignores("/ip6/2620:fe::1/tcp/5001", by: 1, in: &observed), "another family")
        #expect(try self.ignores("/ip4/9.9.9.9/tcp/0", by: 1, in: &observed))
        #expect(try self.ignores("/dns4/example.com/tcp/1", by: 1, in: &observed))
        #expect(try self.ignores("/ip4/9.9.9.9/tcp/5001", by: 1, from: nil, in: &observed))
        #expect(observed.count == 0 && self.addresses(&observed).isEmpty)
    }

    @Test("Open connections count on; after their end, observations count for ten minutes")
    func forgets() throws {
        var observed = try self.make()
        for number in UInt64(1)...4 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        #expect(self.addresses(&observed, after: 100_000).count == 1)
        observed.connectionClosed(ConnectionID(rawValue: 1), now: self.start + .seconds(100_000))
        #expect(self.addresses(&observed, after: 100_599).count == 1)
        #expect(self.addresses(&observed, after: 100_600).isEmpty)
        #expect(observed.count == 3)
    }

    @Test("A new external address takes the place of the old one as the observers say so")
    func changes() throws {
        var observed = try self.make()
        for number in UInt64(1)...4 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        for number in UInt64(1)...4 {
            observed.connectionClosed(ConnectionID(rawValue: number), now: self.start + .seconds(10))
            try self.see("/ip4/9.9.8.8/tcp/5001", by: number + 10, at: "/ip4/8.8.0.\(number)/tcp/4001", after: 11, in: &observed)
        }
        #expect(self.addresses(&observed, after: 12) == ["/ip4/9.9.8.8/tcp/5001"])
        #expect(observed.count == 4)
    }

    @Test("In another network nothing that was seen holds")
    func networkChanged() throws {
        var observed = try self.make()
        for number in UInt64(1)...4 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        observed.networkChanged()
        #expect(self.addresses(&observed).isEmpty && self.addresses(&observed, basis: .guessed).isEmpty)
    }

    @Test("No more observations are kept than are allowed: the oldest of ended connections go first")
    func bounded() throws {
        var observed = try self.make { $0.maximumObservations = 5; $0.minimumObservers = 1 }
        for number in UInt64(1)...5 { try self.see("/ip4/9.9.9.9/tcp/\(5000 + number)", by: number, in: &observed) }
        observed.connectionClosed(ConnectionID(rawValue: 3), now: self.start)
        try self.see("/ip4/9.9.9.9/tcp/5006", by: 6, in: &observed)
        #expect(observed.count == 5)
        for number in UInt64(7)...200 { try self.see("/ip4/9.9.9.9/tcp/\(5000 + number)", by: number, in: &observed) }
        #expect(observed.count == 5)
        #expect(self.addresses(&observed).count == 3, "external addresses of one listen address")
    }

    @Test("The transports that share a port share what is seen of it")
    func sameWaist() throws {
        var observed = try self.make(listening: [Self.local, Self.local + "/ws"]) { $0.minimumObservers = 1 }
        try self.see("/ip4/9.9.9.9/tcp/5001", by: 1, in: &observed)
        #expect(self.addresses(&observed) == ["/ip4/9.9.9.9/tcp/5001", "/ip4/9.9.9.9/tcp/5001/ws"])
    }

    @Test("What is seen of a wildcard's address counts for the wildcard")
    func wildcard() throws {
        var observed = try self.make(listening: ["/ip4/0.0.0.0/tcp/4001"]) { $0.minimumObservers = 1 }
        try self.see("/ip4/9.9.9.9/tcp/5001", by: 1, role: .listener, in: &observed)
        #expect(self.addresses(&observed) == ["/ip4/9.9.9.9/tcp/5001"])
    }

    @Test("Of dials from other ports only the IP address is believed, and the listening port guessed")
    func guesses() throws {
        var observed = try self.make()
        for number in UInt64(1)...4 {
            try self.see("/ip4/9.9.9.9/tcp/\(30_000 + number)", by: number, from: "/ip4/192.168.1.2/tcp/\(40_000 + number)", in: &observed)
        }
        #expect(self.addresses(&observed).isEmpty)
        #expect(self.addresses(&observed, basis: .guessed) == ["/ip4/9.9.9.9/tcp/4001"])
        #expect(self.behavior(&observed) == .unknown)
    }

    // MARK: How the NAT maps

    @Test("One external port for all: endpoint-independent mapping, with the evidence")
    func endpointIndependent() throws {
        var observed = try self.make()
        for number in UInt64(1)...2 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        #expect(self.behavior(&observed) == .unknown, "two may be by chance")
        try self.see("/ip4/9.9.9.9/tcp/5001", by: 3, in: &observed)
        let mapping = observed.tcpMapping(now: self.start)
        #expect(mapping.behavior == .endpointIndependent)
        #expect(mapping.evidence.map { "\($0.observer)" } == ["/ip4/8.8.0.3/tcp/4001", "/ip4/8.8.0.2/tcp/4001", "/ip4/8.8.0.1/tcp/4001"])
        #expect(mapping.evidence.allSatisfy { "\($0.local)" == Self.local && "\($0.external)" == "/ip4/9.9.9.9/tcp/5001" })
    }

    @Test("Another external port for each: endpoint-dependent mapping, and no address to give away")
    func endpointDependent() throws {
        var observed = try self.make()
        for number in UInt64(1)...20 { try self.see("/ip4/9.9.9.9/tcp/\(5000 + number)", by: number, in: &observed) }
        let mapping = observed.tcpMapping(now: self.start)
        #expect(mapping.behavior == .endpointDependent)
        #expect(mapping.evidence.count == TCPMapping.maximumEvidence)
        #expect(self.addresses(&observed).isEmpty)
    }

    @Test("The far ends see the address that is dialed from: no NAT")
    func untranslated() throws {
        var observed = try self.make(listening: ["/ip4/9.9.9.9/tcp/4001"])
        for number in UInt64(1)...3 { try self.see("/ip4/9.9.9.9/tcp/4001", by: number, from: "/ip4/9.9.9.9/tcp/4001", in: &observed) }
        #expect(self.behavior(&observed) == .untranslated)
    }

    @Test("Two observers who lie don't turn a verdict; what inbound connections saw is no evidence of mapping")
    func liars() throws {
        var observed = try self.make()
        for number in UInt64(1)...5 { try self.see("/ip4/9.9.9.9/tcp/5001", by: number, in: &observed) }
        for number in UInt64(6)...7 { try self.see("/ip4/9.9.9.9/tcp/\(6000 + number)", by: number, in: &observed) }
        #expect(self.behavior(&observed) == .endpointIndependent)

        observed = try self.make()
        for number in UInt64(1)...9 { try self.see("/ip4/9.9.9.9/tcp/\(6000 + number)", by: number, role: .listener, in: &observed) }
        let mapping = observed.tcpMapping(now: self.start)
        #expect(mapping == TCPMapping(behavior: .unknown, evidence: []))
    }
}
