import DIGIdentity
import DIGMultiformats
import DIGNet
import Testing

@testable import DIGTraversal

@Suite("What each method dials")
struct LadderPlanTests {
    private let lab = AddressPolicy(treatsDocumentationAsPublic: true)

    @Test("Addresses go to the method that they are for", arguments: [
        ("/ip4/192.168.1.2/tcp/4001", TraversalMethod.local),
        ("/ip4/127.0.0.1/tcp/4001", .local),
        ("/ip6/fe80::1/tcp/4001", .local),
        ("/ip4/100.64.3.4/tcp/4001", .local),
        ("/ip4/203.0.113.4/tcp/4001", .direct),
        ("/ip6/2001:db8::4/tcp/4001", .direct),
        ("/dns4/example.org/tcp/4001", .direct),
        ("/ip4/203.0.113.4/tcp/443/wss", .webSocket),
        ("/ip4/203.0.113.4/tcp/80/ws", .webSocket),
    ])
    func method(_ text: String, _ method: TraversalMethod) throws {
        #expect(LadderPlan.method(of: try Multiaddr(text), capabilities: nil, policy: self.lab) == method)
    }

    @Test("A circuit is a circuit whatever leads to the relay, and a mapped address is known by the peer's record")
    func special() throws {
        let peer = try KeyPair.generate().peerID
        let circuit = try Multiaddr("/ip4/203.0.113.4/tcp/443/wss/p2p/\(peer)/p2p-circuit")
        let mapped = try Multiaddr("/ip4/203.0.113.9/tcp/5000")
        let record = PeerConnectionCapabilities(peer: peer, issuedAt: 0, addresses: [.init(mapped, origin: .natPMP)])
        #expect(LadderPlan.method(of: circuit, capabilities: record, policy: self.lab) == .circuitRelay)
        #expect(LadderPlan.method(of: mapped, capabilities: record, policy: self.lab) == .portMapping)
        #expect(LadderPlan.method(of: mapped, capabilities: nil, policy: self.lab) == .direct)
        #expect(LadderPlan.method(of: mapped, capabilities: nil, policy: AddressPolicy()) == .local, "a documentation address is nobody's")

        let rungs = LadderPlan.rungs(TraversalPreset.dualRole.methods, addresses: [circuit, mapped, circuit], capabilities: record, policy: self.lab)
        #expect(rungs.map(\.method) == [.portMapping, .tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay])
        #expect(rungs.last?.addresses == [circuit])
    }

    @Test("Of what a peer says about itself only public addresses are taken, as a stranger's word, and once")
    func heard() throws {
        let peer = try KeyPair.generate().peerID
        let relay = try KeyPair.generate().peerID
        let said = try [
            "/ip4/192.168.1.9/tcp/22", "/ip4/127.0.0.1/tcp/22", "/ip6/::ffff:10.0.0.1/tcp/22", "/ip4/169.254.169.254/tcp/80", "/ip4/100.64.0.1/tcp/1",
            "/ip4/10.0.0.1/tcp/1/p2p/\(relay)/p2p-circuit", "/ip4/203.0.113.9/tcp/1", "/ip4/203.0.113.8/tcp/1", "/dns4/peer.example/tcp/1",
            "/ip4/203.0.113.7/tcp/1/p2p/\(relay)/p2p-circuit",
        ].map { try Multiaddr($0) }
        let record = PeerConnectionCapabilities(peer: peer, issuedAt: 0, addresses: said.map { .init($0, origin: .interface) })
        let named = try [Multiaddr("/ip4/192.168.1.2/tcp/1"), Multiaddr("/ip4/203.0.113.9/tcp/1/p2p/\(peer)")]
        let rungs = LadderPlan.rungs(TraversalMethod.allCases, addresses: named, capabilities: record, policy: self.lab)
        #expect(rungs.map(\.method) == [.local, .direct, .tcpHolePunch, .tcpSimultaneousOpen, .circuitRelay])
        #expect(rungs[0].addresses == [named[0]] && rungs[0].heard.isEmpty)
        #expect(rungs[1].addresses == [named[1]])
        #expect(rungs[1].heard == [said[7], said[8]])
        #expect(rungs[4].addresses.isEmpty && rungs[4].heard == [said[9]])
    }

    @Test("Without any address there are the punches that a backend can agree on: one rung for layer 3, one for the DHT (LAY-07)")
    func signaling() throws {
        let methods = TraversalPreset.dualRole.methods
        func rungs(_ addresses: [Multiaddr], _ signaling: [String], _ methods: [TraversalMethod] = methods) -> [LadderStateMachine.Rung] {
            LadderPlan.rungs(methods, addresses: addresses, capabilities: nil, signaling: signaling, policy: self.lab)
        }
        #expect(rungs([], []).isEmpty)
        #expect(
            rungs([], ["dht", "gun", "post"]) == [
                .init(method: .tcpHolePunch, addresses: [], signaling: ["gun", "post"]), .init(method: .dhtAssisted, addresses: [], signaling: ["dht"]),
            ])
        #expect(rungs([], ["gun", "dht"], [.tcpSimultaneousOpen]) == [.init(method: .tcpSimultaneousOpen, addresses: [], signaling: ["gun"])])
        #expect(rungs([], ["gun", "dht"], [.direct, .circuitRelay]).isEmpty)
        let circuit = try Multiaddr("/ip4/203.0.113.4/tcp/443/p2p/\(KeyPair.generate().peerID)/p2p-circuit")
        #expect(
            rungs([circuit], ["gun"]) == [
                .init(method: .tcpHolePunch, addresses: [circuit], signaling: ["gun"]), .init(method: .tcpSimultaneousOpen, addresses: [circuit]),
                .init(method: .circuitRelay, addresses: [circuit]),
            ])
    }
}
