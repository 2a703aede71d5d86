import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v1: what a server dials")
struct AutoNATv1RequestTests {
    private let peer: PeerID
    private let observed: Multiaddr

    init() throws {
        self.peer = try KeyPair.generate().peerID
        self.observed = try Multiaddr("/ip4/9.9.9.9/tcp/51000")
    }

    private func request(_ message: AutoNATv1Message, observed: Multiaddr?) -> AutoNATv1Request {
        AutoNATv1Request(
            message, from: self.peer, observed: observed, policy: DialBackPolicy(canDial: DialBackPolicy.isPlainTCP), maximumDialedAddresses: 8)
    }

    private func request(_ addresses: [String], observed: String? = "/ip4/9.9.9.9/tcp/51000") throws -> AutoNATv1Request {
        self.request(.dial(peer: self.peer.bytes, addresses: try addresses.map { try Multiaddr($0) }), observed: try observed.map { try Multiaddr($0) })
    }

    private func status(_ request: AutoNATv1Request) -> AutoNATv1Response.Status? {
        if case .respond(let response) = request { response.status } else { nil }
    }

    @Test("Only addresses with the IP address that the asker comes from, once each, without the peer's name")
    func sameAddress() throws {
        let request = try self.request([
            "/ip4/9.9.9.10/tcp/4001", "/ip4/9.9.9.9/tcp/4001", "/ip4/9.9.9.9/tcp/4001/p2p/\(self.peer)", "/ip4/192.168.1.2/tcp/4001",
            "/ip6/::ffff:9.9.9.9/tcp/4002",
        ])
        #expect(request == .dial([try Multiaddr("/ip4/9.9.9.9/tcp/4001"), try Multiaddr("/ip6/::ffff:9.9.9.9/tcp/4002")]))
    }

    @Test(
        "A third party, names, relays and what can't be dialed are refused",
        arguments: [
            "/ip4/8.8.8.8/tcp/4001", "/dns4/example.com/tcp/4001", "/ip4/9.9.9.9/tcp/0", "/ip4/9.9.9.9/udp/4001/quic-v1",
            "/ip4/9.9.9.9/tcp/4001/p2p-circuit", "/ip4/9.9.9.9/tcp/4001/ws",
        ])
    func refused(_ address: String) throws {
        #expect(try self.status(self.request([address])) == .dialRefused)
    }

    @Test("An asker from an address that is not public, or behind a relay, is refused", arguments: ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.9/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1", "/ip4/169.254.169.254/tcp/80"])
    func privateAsker(_ address: String) throws {
        #expect(try self.status(self.request([address], observed: address)) == .dialRefused)
        #expect(try self.status(self.request(["/ip4/9.9.9.9/tcp/4001"], observed: nil)) == .dialRefused)
    }

    @Test("An address that belongs to another peer is refused; a request that names another peer is bad")
    func otherPeer() throws {
        let other = try KeyPair.generate().peerID
        #expect(try self.status(self.request(["/ip4/9.9.9.9/tcp/4001/p2p/\(other)"])) == .dialRefused)
        #expect(self.status(self.request(.dial(peer: other.bytes, addresses: [self.observed]), observed: self.observed)) == .badRequest)
        #expect(self.status(self.request(.response(AutoNATv1Response(.ok)), observed: self.observed)) == .badRequest)
    }

    @Test("No more than eight addresses are dialed")
    func bounded() throws {
        guard case .dial(let addresses) = try self.request((1...64).map { "/ip4/9.9.9.9/tcp/\($0)" }) else {
            Issue.record("refused")
            return
        }
        #expect(addresses.count == 8)
    }
}
