@testable import DIGLocalDiscovery
import DIGIdentity
import DIGMultiformats
import NIOCore

/// One link with some machines on it, in virtual time. Every message goes through the codec.
struct TestNetwork {
    typealias Machine = LocalDiscoveryStateMachine
    typealias Instant = ContinuousClock.Instant

    struct Sent {
        var at: Instant
        var from: Int
        var message: DNSMessage
        var destination: Machine.Destination
    }

    static let interface = Machine.InterfaceID(rawValue: 1)

    var machines: [Machine] = []
    var isConnected: [Bool] = []
    var reports: [[DiscoveredPeer]] = []
    var sent: [Sent] = []
    var generator = SplitMix64(state: 1)
    let start = ContinuousClock.now
    var now: Instant

    init() {
        self.now = self.start
    }

    static func source(_ host: Int, port: Int = 5353, isThisMachine: Bool = false) throws -> Machine.Source {
        Machine.Source(address: try SocketAddress(ipAddress: "10.0.0.\(host + 1)", port: port), isThisMachine: isThisMachine)
    }

    mutating func add(
        _ peer: PeerID, addresses: [Multiaddr], configuration: LocalDiscoveryConfiguration = .init()
    ) -> Int {
        let name = Machine.randomPeerName(using: &self.generator)
        var machine = Machine(peer: peer, peerName: name, addresses: addresses, configuration: configuration)
        machine.interfaceAppeared(Self.interface, isLoopback: false, now: self.now, using: &self.generator)
        self.machines.append(machine)
        self.isConnected.append(true)
        self.reports.append([])
        return self.machines.count - 1
    }

    /// Lets time pass.
    mutating func run(for duration: Duration) throws {
        let end = self.now + duration
        while let deadline = self.machines.indices.filter({ self.isConnected[$0] }).compactMap({ self.machines[$0].deadline }).min(), deadline <= end {
            self.now = max(self.now, deadline)
            for index in self.machines.indices where self.isConnected[index] {
                self.machines[index].deadlineReached(now: self.now, using: &self.generator)
            }
            try self.deliver()
        }
        self.now = end
    }

    mutating func stop(_ index: Int) throws {
        self.machines[index].stopped()
        try self.deliver()
        self.isConnected[index] = false
    }

    /// Sends a message as if from `host`, which need not be one of the machines.
    mutating func inject(_ message: DNSMessage, from source: Machine.Source, to index: Int) throws {
        var buffer = ByteBuffer()
        buffer.writeDNSMessage(message)
        self.machines[index].received(
            try buffer.decodeDNSMessage(), from: source, on: Self.interface, now: self.now, using: &self.generator)
        try self.deliver()
    }

    mutating func deliver() throws {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            for index in self.machines.indices {
                while let output = self.machines[index].poll() {
                    isQuiet = false
                    switch output {
                    case .report(let peer): self.reports[index].append(peer)
                    case .send(let message, _, let destination):
                        self.sent.append(Sent(at: self.now, from: index, message: message, destination: destination))
                        guard destination == .group else { continue }
                        var buffer = ByteBuffer()
                        buffer.writeDNSMessage(message)
                        // A sender hears itself, as with IP_MULTICAST_LOOP.
                        for other in self.machines.indices where self.isConnected[other] && self.isConnected[index] {
                            self.machines[other].received(
                                try buffer.decodeDNSMessage(), from: try Self.source(index, isThisMachine: other == index), on: Self.interface,
                                now: self.now, using: &self.generator)
                        }
                    }
                }
            }
        }
    }
}
