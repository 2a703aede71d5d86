import DIGIdentity
import DIGMultiformats
import DIGNet
import Testing

@testable import DIGHolePunching

@Suite("Addresses to punch")
struct PunchAddressesTests {
    private let peer: PeerID
    private let other: PeerID

    init() throws {
        self.peer = try KeyPair.generate().peerID
        self.other = try KeyPair.generate().peerID
    }

    private func selection(_ configure: (inout PunchAddresses) -> Void = { _ in }) -> PunchAddresses {
        var selection = PunchAddresses(policy: AddressPolicy(), maximumCount: 8, maximumHosts: 4, maximumPortsPerHost: 4)
        configure(&selection)
        return selection
    }

    @Test(
        "a peer that asks to dial inside this network, or elsewhere than at a public TCP port, is refused",
        arguments: [
            "/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.1/tcp/4001", "/ip4/192.168.1.1/tcp/80", "/ip4/169.254.169.254/tcp/80",
            "/ip4/100.64.0.1/tcp/4001", "/ip4/0.0.0.0/tcp/4001", "/ip4/224.0.0.1/tcp/4001", "/ip4/255.255.255.255/tcp/4001",
            "/ip4/203.0.113.1/tcp/4001", "/ip6/::1/tcp/4001", "/ip6/::ffff:127.0.0.1/tcp/4001", "/ip6/::ffff:10.0.0.1/tcp/4001",
            "/ip6/fe80::1/tcp/4001", "/ip6/fd00::1/tcp/4001", "/ip6/64:ff9b::7f00:1/tcp/4001", "/ip6zone/eth0/ip6/fe80::1/tcp/4001",
            "/dns4/example.com/tcp/4001", "/dnsaddr/example.com", "/ip4/1.1.1.1/udp/4001/quic-v1", "/ip4/1.1.1.1/tcp/443/wss", "/ip4/1.1.1.1/tcp/0",
            "/memory/1",
        ])
    func refused(address: String) throws {
        #expect(self.selection().select([try Multiaddr(address)], of: self.peer).usable.isEmpty)
        #expect(self.selection().select([try Multiaddr(address)], of: self.peer).refused.count == 1)
    }

    @Test("public TCP addresses are taken, each once, without the peer's name; another's are not, and no circuits")
    func taken() throws {
        let address = try Multiaddr("/ip4/1.1.1.1/tcp/4001")
        let six = try Multiaddr("/ip6/2606:4700::1111/tcp/4001")
        let (usable, refused) = self.selection().select(
            [
                address.withPeerID(self.peer), address, six, address.withPeerID(self.other), address.withPeerID(self.other).encapsulating(.p2pCircuit),
                address.withPeerID(self.other).encapsulating(.p2pCircuit).withPeerID(self.peer),
            ], of: self.peer)
        #expect(usable == [address, six])
        #expect(refused.map(\.1) == [.relayed, .relayed])
        #expect(self.selection().select([six.withPeerID(self.other)], of: self.peer).refused.map(\.1) == [.otherPeer])
    }

    @Test("in one network private addresses are meant, but never link-local or unspecified ones")
    func local() throws {
        let selection = self.selection { $0.allowsLocal = true }
        let good = try ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.1/tcp/1"].map { try Multiaddr($0) }
        let bad = try ["/ip4/169.254.169.254/tcp/1", "/ip4/0.0.0.0/tcp/1"].map { try Multiaddr($0) }
        #expect(selection.select(good + bad, of: self.peer).usable == good)
    }

    @Test("a peer can't make this node knock on many doors")
    func bounds() throws {
        let machines = try (1...20).map { try Multiaddr("/ip4/1.1.1.\($0)/tcp/4001") }
        #expect(self.selection().select(machines, of: self.peer).usable == Array(machines.prefix(4)))
        let ports = try (1...20).map { try Multiaddr("/ip4/1.1.1.1/tcp/\($0)") }
        #expect(self.selection().select(ports, of: self.peer).usable == Array(ports.prefix(4)))
        let both = try (1...20).map { try Multiaddr("/ip4/1.1.1.\($0 % 4)/tcp/\($0)") }
        #expect(self.selection().select(both, of: self.peer).usable == Array(both.prefix(8)))
    }

    @Test("a laboratory's addresses are public where the policy says so")
    func laboratory() throws {
        let address = try Multiaddr("/ip4/203.0.113.1/tcp/4001")
        let selection = self.selection { $0.policy.treatsDocumentationAsPublic = true }
        #expect(selection.select([address], of: self.peer).usable == [address])
    }
}
