@testable import DIGLocalDiscovery
import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Synchronization

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
    /// By machine: who has what, as reported.
    var holders: [[(key: LocalKey, peer: DiscoveredPeer)]] = []
    /// By machine: what it has.
    var contents: [Contents] = []
    /// Unicast answers are lost, as at a firewall.
    var losesUnicast = false
    var sent: [Sent] = []
    var generator = SeededGenerator(seed: 1)
    let start = ContinuousClock.now
    var now: Instant

    init() {
        self.now = self.start
    }

    /// What a machine has.
    final class Contents: Sendable {
        private let keys = Mutex<Set<LocalKey>>([])
        var all: Set<LocalKey> {
            get { self.keys.withLock { $0 } }
            set { self.keys.withLock { $0 = newValue } }
        }
        func has(_ key: LocalKey) -> Bool { self.keys.withLock { $0.contains(key) } }
    }

    /// The port from which each machine asks for unicast answers.
    static let ownPort = 41_000

    static func source(_ host: Int, port: Int = 5353, isThisMachine: Bool = false, isOnLink: Bool = true) throws -> Machine.Source {
        Machine.Source(address: try SocketAddress(ipAddress: "10.0.0.\(host + 1)", port: port), isThisMachine: isThisMachine, isOnLink: isOnLink)
    }

    mutating func add(
        _ peer: PeerID, addresses: [Multiaddr], configuration: LocalDiscoveryConfiguration = .init()
    ) -> Int {
        let name = Machine.randomPeerName(using: &self.generator)
        let contents = Contents()
        var machine = Machine(peer: peer, peerName: name, addresses: addresses, configuration: configuration, holds: { contents.has($0) })
        machine.interfaceAppeared(Self.interface, isLoopback: false, now: self.now, using: &self.generator)
        self.machines.append(machine)
        self.isConnected.append(true)
        self.reports.append([])
        self.holders.append([])
        self.contents.append(contents)
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
    mutating func inject(_ message: DNSMessage, from source: Machine.Source, to index: Int, isUnicast: Bool = false) throws {
        var buffer = ByteBuffer()
        buffer.writeDNSMessage(message)
        self.machines[index].received(
            try buffer.decodeDNSMessage(), from: source, on: Self.interface, isUnicast: isUnicast, now: self.now, using: &self.generator)
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
                    case .reportHolder(let peer, let key): self.holders[index].append((key, peer))
                    case .send(let message, _, let destination):
                        self.sent.append(Sent(at: self.now, from: index, message: message, destination: destination))
                        guard self.isConnected[index] else { continue }
                        var buffer = ByteBuffer()
                        buffer.writeDNSMessage(message)
                        for other in self.machines.indices where self.isConnected[other] {
                            let asker = try Self.source(other, port: Self.ownPort)
                            let source: Machine.Source
                            switch destination {
                            case .group: source = try Self.source(index, isThisMachine: other == index)
                            // The owner of the sockets keeps this from its own machine.
                            case .groupForUnicast where other != index: source = try Self.source(index, port: Self.ownPort)
                            case .unicast(asker) where !self.losesUnicast:
                                source = try Self.source(index)
                            case .groupForUnicast, .unicast: continue
                            }
                            var isUnicast = false
                            if case .unicast = destination { isUnicast = true }
                            // A sender hears itself, as with IP_MULTICAST_LOOP.
                            self.machines[other].received(
                                try buffer.decodeDNSMessage(), from: source, on: Self.interface, isUnicast: isUnicast, now: self.now,
                                using: &self.generator)
                        }
                    }
                }
            }
        }
    }

    // MARK: Contents

    mutating func want(_ key: LocalKey, by index: Int) throws {
        self.machines[index].wanted(key, now: self.now, using: &self.generator)
        try self.deliver()
    }

    mutating func withdraw(_ keys: [LocalKey], by index: Int) throws {
        self.contents[index].all.subtract(keys)
        self.machines[index].withdrawn(keys, now: self.now)
        try self.deliver()
    }

    /// Who is known at `index` to have `key`.
    func holders(of key: LocalKey, at index: Int) -> Set<PeerID> {
        self.holders[index].reduce(into: []) { known, report in
            guard report.key == key else { return }
            if report.peer.addresses.isEmpty { known.remove(report.peer.peer) } else { known.insert(report.peer.peer) }
        }
    }
}
