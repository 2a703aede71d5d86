import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import NIOCore
import NIOPosix
import Testing

@testable import DIGSwarm

/// What `/dnsaddr` names stand for in a test.
struct MadeUpNames: AddressResolver {
    var names: [String: [Multiaddr]]
    let asked = Shared<Multiaddr>()
    let peers = Shared<PeerID?>()

    init(_ names: [String: [Multiaddr]]) { self.names = names }

    func addresses(behind address: Multiaddr, of peer: PeerID?) async throws -> [Multiaddr] {
        self.asked.append(address)
        self.peers.append(peer)
        guard case .dnsaddr(let name)? = address.components.first, let addresses = self.names[name] else {
            throw ConnectionError(.timedOut, "nobody knows \(address)")
        }
        return addresses
    }
}

@Suite("dnsaddr", .timeLimit(.minutes(2)))
struct DNSAddrTests {
    @Test("is dialed by what it stands for, beside other addresses")
    func connects() async throws {
        try await withNodes(.memory) { nodes in
            let b = try await nodes.make()
            let names = MadeUpNames(["example.org": b.listenAddresses.map { $0.withPeerID(b.localPeer) }])
            let a = try await nodes.make { $0.addressResolver = names }
            let address = try Multiaddr("/dnsaddr/example.org")
            let connection = try await a.connect(to: b.localPeer, addresses: [Multiaddr("/memory/999999"), address.withPeerID(b.localPeer)])
            #expect(connection.remotePeer == b.localPeer)
            #expect(connection.remoteAddress == b.listenAddresses[0])
            #expect(names.peers.all == [b.localPeer])

            let c = try await nodes.make { $0.addressResolver = names }
            #expect(try await c.connect(to: address).remotePeer == b.localPeer)
            #expect(names.peers.all == [b.localPeer, nil])
        }
    }

    @Test("without a resolver the error says why it is not dialed")
    func noResolver() async throws {
        try await withNodes(.memory) { nodes in
            let a = try await nodes.make()
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: Multiaddr("/dnsaddr/example.org")) }
            #expect(error?.description.contains("dnsaddr names need TXT records") == true)
        }
    }

    @Test("why a name can't be resolved is in the error, and other addresses are dialed all the same")
    func fails() async throws {
        try await withNodes(.memory) { nodes in
            let b = try await nodes.make()
            let a = try await nodes.make { $0.addressResolver = MadeUpNames([:]) }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: b.localPeer, addresses: [Multiaddr("/dnsaddr/example.org")]) }
            #expect(error?.description.contains("nobody knows /dnsaddr/example.org") == true)
            _ = try await a.connect(to: b.localPeer, addresses: [Multiaddr("/dnsaddr/example.org")] + b.listenAddresses)
            let inside = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: Multiaddr("/tcp/1/dnsaddr/example.org")) }
            #expect(inside?.description.contains("can only begin an address") == true)
        }
    }

    @Test("the peer that a record names has to answer there, also when the caller named none")
    func pinned() async throws {
        try await withNodes(.memory) { nodes in
            let b = try await nodes.make()
            let other = try KeyPair.generate().peerID
            let a = try await nodes.make { $0.addressResolver = MadeUpNames(["example.org": b.listenAddresses.map { $0.withPeerID(other) }]) }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: Multiaddr("/dnsaddr/example.org")) }
            #expect(error?.code == .allAttemptsFailed)
            #expect(a.connection(to: b.localPeer) == nil)
            let named = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: b.localPeer, addresses: [Multiaddr("/dnsaddr/example.org")]) }
            #expect(named?.description.contains("the address belongs to \(other)") == true)
        }
    }

    @Test("a stranger's name that stands for private addresses is refused, also behind a further name")
    func strangers() async throws {
        try await withNodes(.tcp) { nodes in
            let b = try await nodes.make()
            let port = b.listenAddresses[0].components[1]
            let names = MadeUpNames([
                "example.org": b.listenAddresses + [Multiaddr(components: [.dns4("private.example"), port]), try Multiaddr("/ip4/10.0.0.1/tcp/4001")],
                "circuit.example": [b.listenAddresses[0].withPeerID(b.localPeer)],
            ])
            var transport = RecordingTransport(base: nodes.transport)
            transport.names = ["private.example": ["/ip4/127.0.0.1"]]
            let a = try await nodes.make(transports: [transport]) { $0.addressResolver = names }
            var options = DialOptions()
            options.source = .stranger
            let address = try Multiaddr("/dnsaddr/example.org")
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: b.localPeer, addresses: [address], options: options) }
            #expect(names.asked.all == [address])
            for refused in b.listenAddresses.map(\.description) + ["/ip4/10.0.0.1/tcp/4001", "/ip4/127.0.0.1\(Multiaddr(components: [port]))"] {
                #expect(error?.description.contains("\(refused): the address is not on the public internet") == true, "\(refused)")
            }
            #expect(transport.purposes.all.isEmpty)
            // The user may.
            #expect(try await a.connect(to: b.localPeer, addresses: [address]).remotePeer == b.localPeer)
        }
    }

    @Test("the filter of the configuration sees the name and what it stands for")
    func filtered() async throws {
        try await withNodes(.memory) { nodes in
            let b = try await nodes.make()
            let names = MadeUpNames(["example.org": b.listenAddresses])
            for forbidden in ["/dnsaddr/", "/memory/"] {
                let a = try await nodes.make {
                    $0.addressResolver = names
                    $0.addressFilter = { !$0.description.hasPrefix(forbidden) }
                }
                let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: Multiaddr("/dnsaddr/example.org")) }
                #expect(error?.description.contains("the configuration forbids this address") == true)
            }
            #expect(names.asked.all.count == 1)
        }
    }

    @Test("a resolver that answers with names for ever is asked once")
    func endless() async throws {
        try await withNodes(.memory) { nodes in
            let names = MadeUpNames(["example.org": [try Multiaddr("/dnsaddr/other.example.org")], "other.example.org": [try Multiaddr("/dnsaddr/example.org")]])
            let a = try await nodes.make { $0.addressResolver = names }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: Multiaddr("/dnsaddr/example.org")) }
            #expect(error?.description.contains("a dnsaddr name stands for another") == true)
            #expect(names.asked.all.count == 1)
        }
    }

    @Test("of a circuit it names the relay")
    func circuit() async throws {
        try await withNodes(.memory) { nodes in
            let circuits = CircuitStandIn(memory: nodes.memory, loop: nodes.group.next())
            let b = try await nodes.make(transports: [circuits, nodes.memory])
            let relay = try KeyPair.generate().peerID
            let listening = try await b.listen(on: [Multiaddr(components: [.memory(0), .p2p(relay.multihash), .p2pCircuit])])
            let names = MadeUpNames(["relay.example": [listening[0].decapsulating(Multiaddr(components: [.p2pCircuit]))]])
            let a = try await nodes.make(transports: [circuits, nodes.memory]) { $0.addressResolver = names }
            let address = Multiaddr(components: [.dnsaddr("relay.example"), .p2p(relay.multihash), .p2pCircuit])
            let connection = try await a.connect(to: b.localPeer, addresses: [address])
            #expect(connection.isRelayed)
            #expect(circuits.dialed.all == [listening[0].withPeerID(b.localPeer)])
            #expect(names.asked.all == [Multiaddr(components: [.dnsaddr("relay.example"), .p2p(relay.multihash)])])
            #expect(names.peers.all == [relay])
        }
    }

    @Test("only so many names are asked for in one dial")
    func bounded() async throws {
        try await withNodes(.memory) { nodes in
            let names = MadeUpNames([:])
            let a = try await nodes.make { $0.addressResolver = names }
            let addresses = try (0..<100).map { try Multiaddr("/dnsaddr/n\($0).example") }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: try KeyPair.generate().peerID, addresses: addresses) }
            #expect(names.asked.all.count == 16)
            #expect(error?.description.contains("more than 16 names") == true)
        }
    }
}
