import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGCircuitRelay

@Suite("circuit addresses")
struct CircuitAddressTests {
    private let relay: PeerID
    private let target: PeerID

    init() throws {
        self.relay = try KeyPair.generate().peerID
        self.target = try KeyPair.generate().peerID
    }

    @Test("are taken apart and put together again")
    func parts() throws {
        let text = "/ip4/192.0.2.1/tcp/4001/p2p/\(self.relay)/p2p-circuit"
        let listening = try CircuitAddress(Multiaddr(text))
        #expect(listening.relay == self.relay)
        #expect(listening.target == nil)
        #expect(listening.relayAddress.description == "/ip4/192.0.2.1/tcp/4001")
        #expect(listening.address.description == text)
        let dialed = try CircuitAddress(Multiaddr("\(text)/p2p/\(self.target)"))
        #expect(dialed.target == self.target)
        #expect(dialed.circuit.description == text)
        #expect(dialed.address.description == "\(text)/p2p/\(self.target)")
        // A relay that is connected needs no address.
        #expect(try CircuitAddress(Multiaddr("/p2p/\(self.relay)/p2p-circuit")).relayAddress.components.isEmpty)
    }

    @Test(
        "of other forms are refused",
        arguments: [
            "/ip4/192.0.2.1/tcp/1", "/p2p-circuit", "/ip4/192.0.2.1/tcp/1/p2p-circuit", "/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit/tcp/1",
            "/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit/p2p/T/tcp/1", "/ip4/192.0.2.1/tcp/1/p2p/R/p2p-circuit/p2p/T/p2p-circuit",
            "/p2p/T/p2p-circuit/p2p/R/p2p-circuit/p2p/T",
        ])
    func refused(text: String) throws {
        let text = text.replacing("/R", with: "/\(self.relay)").replacing("/T", with: "/\(self.target)")
        let address = try Multiaddr(text)
        #expect(throws: CircuitRelayError(.invalidAddress, "")) { try CircuitAddress(address) }
    }
}
