import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTestSupport
import NIOCore
import Synchronization
import Testing

@testable import DIGSwarm

@Suite("Announced addresses", .timeLimit(.minutes(2)))
struct AnnouncedAddressesTests {
    @Test("public ones first, then relayed, private and loopback ones, each once, no more than the limit")
    func order() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make { $0.maximumAnnouncedAddresses = 4 }
            let relay = try KeyPair.generate().peerID
            let circuit = try Multiaddr("/ip4/9.9.9.9/tcp/1/p2p/\(relay)/p2p-circuit")
            let (mapped, home) = try (Multiaddr("/ip4/8.8.8.8/tcp/4001"), Multiaddr("/ip4/192.168.1.2/tcp/4001"))
            a.setAdvertised([circuit.withPeerID(a.localPeer)], by: "relays")
            a.setAdvertised([home, mapped, mapped.withPeerID(a.localPeer)], by: "mapping")
            #expect(a.announcedAddresses == [mapped, circuit, home] + a.listenAddresses)
            a.setAdvertised(try (1...50).map { try Multiaddr("/ip4/8.8.4.\($0)/tcp/1") }, by: "many")
            #expect(a.announcedAddresses.count == 4)
            a.setAdvertised([], by: "many")
            a.setAdvertised([mapped], by: "mapping")
            #expect(a.announcedAddresses == [mapped, circuit] + a.listenAddresses)
            // Not more sources than fit.
            for index in 0..<100 { a.setAdvertised([home], by: "source \(index)") }
            #expect(a.state.withLock { $0.advertised.count } == 32)
        }
    }

    @Test("a change is told to peers, in the signed record too, and to whoever reads events; no change is not")
    func told() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            _ = try await b.connect(to: a)
            try await eventually { b.identify(of: a.localPeer) != nil && a.identify(of: b.localPeer) != nil }
            let events = a.events
            let mapped = try Multiaddr("/ip4/8.8.8.8/tcp/4001")
            a.setAdvertised([mapped], by: "mapping")
            a.setAdvertised([mapped], by: "mapping")
            try await eventually { b.identify(of: a.localPeer)?.listenAddresses == [mapped] + a.listenAddresses }
            #expect(b.identify(of: a.localPeer)?.isCertified == true)
            a.setAdvertised([], by: "mapping")
            try await eventually { b.identify(of: a.localPeer)?.listenAddresses == a.listenAddresses }
            await a.shutdown()
            var count = 0
            for await event in events { if case .listenAddressesChanged = event { count += 1 } }
            #expect(count == 2)
        }
    }

    @Test("a change of the machine's interfaces is noticed and told")
    func interfaces() async throws {
        try await withNodes(.tcp) { nodes in
            let machine = Box<[Multiaddr.Component]>([.ip4(.loopback)])
            let a = try await nodes.make(listening: false) { configuration in
                configuration.interfacePollInterval = .milliseconds(10)
                configuration.interfaceAddresses = { machine.value }
            }
            guard case .tcp(let port) = try await a.listen(on: [Multiaddr("/ip4/0.0.0.0/tcp/0")])[0].components.last else { throw NeverHappened() }
            let b = try await nodes.make()
            _ = try await b.connect(to: a)
            try await eventually { b.identify(of: a.localPeer) != nil && a.identify(of: b.localPeer) != nil }
            var events = a.events.makeAsyncIterator()
            machine.value = [.ip4(.loopback), .ip4(IPv4Address(192, 168, 7, 7)), .ip6(.loopback)]
            var isTold = false
            while !isTold, let event = await events.next() { if case .listenAddressesChanged = event { isTold = true } }
            #expect(a.listenAddresses == [try Multiaddr("/ip4/192.168.7.7/tcp/\(port)"), try Multiaddr("/ip4/127.0.0.1/tcp/\(port)")])
            try await eventually { b.identify(of: a.localPeer)?.listenAddresses == a.listenAddresses }
            await a.shutdown()
            #expect(a.state.withLock { $0.interfacePoll == nil })
        }
    }
}

/// A value that a test changes while others look at it.
final class Box<Value: Sendable>: Sendable {
    private let storage: Mutex<Value>
    init(_ value: Value) { self.storage = Mutex(value) }
    var value: Value {
        get { self.storage.withLock { $0 } }
        set { self.storage.withLock { $0 = newValue } }
    }
}
