import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAutoNAT

@Suite("Limits of AutoNAT servers")
struct RequestLimiterTests {
    private let start = ContinuousClock.now
    private let limits = AutoNATServerLimits(
        requestsPerMinute: 6, requestsPerMinutePerPeer: 2, requestsPerMinutePerNetwork: 3, dialDataRequestsPerMinute: 2, concurrentRequests: 2,
        concurrentRequestsPerPeer: 1)

    private func network(_ text: String) throws -> HostNetwork {
        HostNetwork(try #require(HostAddress(try Multiaddr(text))))
    }

    private func peers(_ count: Int) throws -> [PeerID] { try (0..<count).map { _ in try KeyPair.generate().peerID } }

    @Test("One peer, one network and all together have their share of a minute")
    func minute() throws {
        var limiter = RequestLimiter(limits: self.limits)
        let peers = try self.peers(7)
        func ask(_ peer: Int, _ network: HostNetwork, at seconds: Int) -> Bool {
            let isAdmitted = limiter.admit(peer: peers[peer], network: network, now: self.start + .seconds(seconds))
            if isAdmitted { limiter.finished(peers[peer]) }
            return isAdmitted
        }
        let (a, b, c) = (try self.network("/ip4/9.9.9.1"), try self.network("/ip4/9.9.9.2"), try self.network("/ip6/2620:fe::1"))
        #expect(ask(0, a, at: 0) && ask(0, a, at: 1))
        #expect(!ask(0, b, at: 2), "the peer has had its share")
        #expect(ask(1, a, at: 3))
        #expect(!ask(2, a, at: 4), "the network has had its share")
        #expect(ask(2, b, at: 5) && ask(3, c, at: 6) && ask(4, c, at: 7))
        #expect(!ask(5, b, at: 8), "all together have had their share")
        #expect(!ask(0, b, at: 59))
        #expect(ask(0, b, at: 60))
    }

    @Test("No more run at the same time than are allowed, of one peer and of all")
    func concurrent() throws {
        var limiter = RequestLimiter(limits: self.limits)
        let peers = try self.peers(3)
        do {
            let isAdmitted = limiter.admit(peer: peers[0], network: nil, now: self.start)
            #expect(isAdmitted)
        }
        let second = limiter.admit(peer: peers[0], network: nil, now: self.start)
        #expect(!second)
        do {
            let isAdmitted = limiter.admit(peer: peers[1], network: nil, now: self.start)
            #expect(isAdmitted)
        }
        let third = limiter.admit(peer: peers[2], network: nil, now: self.start)
        #expect(!third)
        limiter.finished(peers[0])
        do {
            let isAdmitted = limiter.admit(peer: peers[2], network: nil, now: self.start)
            #expect(isAdmitted)
        }
        limiter.finished(peers[0])
        let tooMany = limiter.admit(peer: peers[0], network: nil, now: self.start)
        #expect(!tooMany, "what was not admitted does not end")
    }

    @Test("Dials to other machines have a share of their own")
    func dialData() {
        var limiter = RequestLimiter(limits: self.limits)
        let (first, second) = (limiter.admitDialData(now: self.start), limiter.admitDialData(now: self.start))
        #expect(first && second)
        let third = limiter.admitDialData(now: self.start + .seconds(59))
        #expect(!third)
        let later = limiter.admitDialData(now: self.start + .seconds(60))
        #expect(later)
    }

    @Test("IPv6 addresses of one network of 56 bits are one network, also IPv4-mapped ones of one IPv4 address")
    func networks() throws {
        #expect(try self.network("/ip6/2620:fe:0:1::1") == self.network("/ip6/2620:fe:0:ff:1::2"))
        #expect(try self.network("/ip6/2620:fe:0:100::1") != self.network("/ip6/2620:fe:0:ff::1"))
        #expect(try self.network("/ip6/::ffff:9.9.9.9") == self.network("/ip4/9.9.9.9"))
        let (near, far) = (try #require(HostAddress(try Multiaddr("/ip4/9.9.1.1"))), try #require(HostAddress(try Multiaddr("/ip4/9.10.1.1"))))
        #expect(HostNetwork(near, ipv4PrefixLength: 16) != HostNetwork(far, ipv4PrefixLength: 16))
        #expect(HostNetwork(near, ipv4PrefixLength: 8) == HostNetwork(far, ipv4PrefixLength: 8))
        #expect(HostNetwork(near, ipv4PrefixLength: 0) == HostNetwork(far, ipv4PrefixLength: 0))
    }
}
