import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGTestSupport
import Foundation
import GRDB
import Testing

@testable import DIGStorage

@Suite("What the DHT remembers", .timeLimit(.minutes(5)))
struct SQLiteKademliaStorageTests {
    static let network = "/dig/kad/1.0.0"

    let directory: TemporaryDirectory
    let raw: RawDatabase
    let peers: [PeerID]

    init() throws {
        self.directory = try TemporaryDirectory()
        self.raw = RawDatabase(in: self.directory)
        self.peers = try (0..<8).map { _ in try KeyPair.generate().peerID }
    }

    private func open(_ limits: KademliaStorageLimits = .init()) throws -> (NodeDatabase, SQLiteKademliaStorage) {
        let database = try NodeDatabase(directory: self.directory.path)
        return (database, SQLiteKademliaStorage(database: database, limits: limits))
    }

    private func snapshot() throws -> KademliaSnapshot {
        var snapshot = KademliaSnapshot()
        let addresses = [try Multiaddr("/ip4/203.0.113.1/tcp/4001"), try Multiaddr("/dns4/example.org/tcp/443/wss")]
        snapshot.peers = self.peers.map { .init(peer: $0, addresses: addresses) } + [.init(peer: try KeyPair.generate().peerID, addresses: [])]
        for index in 0..<6 {
            let key = [0x12, 0x20] + [UInt8](repeating: UInt8(index / 2), count: 32)
            snapshot.providers.append(
                .init(
                    key: key, provider: self.peers[index], addresses: index == 3 ? [] : addresses, statement: index.isMultiple(of: 2) ? nil : [1, 2, UInt8(index)],
                    expiresAtMilliseconds: 1_700_000_000_000 + UInt64(index)))
        }
        snapshot.values = [
            .init(key: Array("/pk/a".utf8), value: [0, 255, 0], expiresAtMilliseconds: 7),
            .init(key: Array("/pk/b".utf8), value: [], expiresAtMilliseconds: UInt64(Int64.max)),
        ]
        snapshot.provided = [
            .init(key: [1], lifetimeSeconds: 3600, providedAtMilliseconds: 0), .init(key: [1, 2], lifetimeSeconds: 172_800, providedAtMilliseconds: 1_700_000_000_000),
        ]
        return snapshot
    }

    private func expect(_ loaded: KademliaSnapshot, is snapshot: KademliaSnapshot, _ location: SourceLocation = #_sourceLocation) {
        #expect(loaded.peers == snapshot.peers, sourceLocation: location)
        #expect(loaded.providers == snapshot.providers, sourceLocation: location)
        #expect(loaded.values == snapshot.values, sourceLocation: location)
        #expect(loaded.provided == snapshot.provided, sourceLocation: location)
    }

    @Test("comes back as it was, after a restart too; networks don't see each other")
    func roundTrip() async throws {
        let snapshot = try self.snapshot()
        do {
            let (database, storage) = try self.open()
            self.expect(try await storage.load(network: Self.network), is: KademliaSnapshot())
            try await storage.save(snapshot, network: Self.network)
            self.expect(try await storage.load(network: Self.network), is: snapshot)
            self.expect(try await storage.load(network: "/ipfs/kad/1.0.0"), is: KademliaSnapshot())
            var other = KademliaSnapshot()
            other.values = [snapshot.values[0]]
            try await storage.save(other, network: "/ipfs/kad/1.0.0")
            try database.close()
        }
        let (database, storage) = try self.open()
        self.expect(try await storage.load(network: Self.network), is: snapshot)
        #expect(try await storage.load(network: "/ipfs/kad/1.0.0").values == [snapshot.values[0]])
        try await storage.save(KademliaSnapshot(), network: Self.network)
        self.expect(try await storage.load(network: Self.network), is: KademliaSnapshot())
        #expect(try await storage.load(network: "/ipfs/kad/1.0.0").values == [snapshot.values[0]])
        try await database.check()
    }

    @Test("what is saved takes the place of what was, whatever became of it")
    func replaces() async throws {
        let (_, storage) = try self.open()
        var snapshot = try self.snapshot()
        try await storage.save(snapshot, network: Self.network)
        snapshot.peers.removeFirst(3)
        snapshot.peers[0].addresses = []
        snapshot.providers.remove(at: 2)
        snapshot.providers[0].statement = [9]
        snapshot.providers[1].expiresAtMilliseconds += 60_000
        snapshot.values[0].value = [4]
        snapshot.provided.removeAll()
        let new = KademliaSnapshot.Value(key: [7], value: [7], expiresAtMilliseconds: 1)
        snapshot.values.append(new)
        try await storage.save(snapshot, network: Self.network)
        self.expect(try await storage.load(network: Self.network), is: snapshot)
        // The later of two with one name.
        snapshot.values.append(.init(key: [7], value: [8], expiresAtMilliseconds: 1))
        try await storage.save(snapshot, network: Self.network)
        #expect(try await storage.load(network: Self.network).values.last?.value == [8])
        #expect(try await storage.load(network: Self.network).values.count == 3)
    }

    @Test("only what differs is written, and a clock that was slewed is no difference")
    func incremental() async throws {
        let (_, storage) = try self.open()
        var snapshot = try self.snapshot()
        try await storage.save(snapshot, network: Self.network)
        // Every row that is written from here on is counted.
        var triggers = "CREATE TABLE writes (name TEXT);"
        for table in ["kademlia_peer", "kademlia_provider", "kademlia_value", "kademlia_provided", "kademlia_network"] {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                triggers += "CREATE TRIGGER \(table)_\(event) AFTER \(event) ON \(table) BEGIN INSERT INTO writes VALUES ('\(table) \(event)'); END;"
            }
        }
        try await self.raw.execute(triggers)
        func writes() async throws -> [String] {
            let names = try self.raw.rows("SELECT name FROM writes").map { $0["name"] as String }
            try await self.raw.execute("DELETE FROM writes")
            return names.sorted()
        }

        for index in snapshot.providers.indices { snapshot.providers[index].expiresAtMilliseconds -= 4000 }
        snapshot.values[0].expiresAtMilliseconds += 4000
        snapshot.provided[1].providedAtMilliseconds += 999
        snapshot.peers.shuffle()
        try await storage.save(snapshot, network: Self.network)
        #expect(try await writes() == [])

        snapshot.providers[4].expiresAtMilliseconds += 3_600_000
        snapshot.values.removeFirst()
        // Announced for the first time.
        snapshot.provided[0].providedAtMilliseconds = 1
        try await storage.save(snapshot, network: Self.network)
        #expect(
            try await writes() == ["kademlia_network UPDATE", "kademlia_provided UPDATE", "kademlia_provider UPDATE", "kademlia_value DELETE"])
    }

    @Test("a save that fails, or is cut off, changes nothing")
    func atomic() async throws {
        let (_, storage) = try self.open()
        let snapshot = try self.snapshot()
        try await storage.save(snapshot, network: Self.network)
        // The last table's first row fails when all others have been written.
        try await self.raw.execute("CREATE TRIGGER stop BEFORE INSERT ON kademlia_provided BEGIN SELECT RAISE(ABORT, 'no'); END")
        var other = KademliaSnapshot()
        other.peers = [snapshot.peers[0]]
        other.provided = [.init(key: [99], lifetimeSeconds: 1, providedAtMilliseconds: 1)]
        await #expect(throws: StorageError.self) { try await storage.save(other, network: Self.network) }
        self.expect(try await storage.load(network: Self.network), is: snapshot)

        // As after a power loss in the middle of it: the log has lost its end.
        try await self.raw.execute("DROP TRIGGER stop")
        try self.raw.checkpoint()
        try await storage.save(other, network: Self.network)
        let copy = try TemporaryDirectory()
        for name in ["dig-nat.db", "dig-nat.db-wal"] {
            var bytes = try Data(contentsOf: URL(fileURLWithPath: self.directory.path + "/" + name))
            if name.hasSuffix("wal") { bytes.removeLast(100) }
            _ = try copy.file(name, [UInt8](bytes))
        }
        let restored = SQLiteKademliaStorage(database: try NodeDatabase(directory: copy.path))
        self.expect(try await restored.load(network: Self.network), is: snapshot)
    }

    @Test("a node that is ending can still save")
    func cancelled() async throws {
        let (_, storage) = try self.open()
        let snapshot = try self.snapshot()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await storage.save(snapshot, network: Self.network)
        }
        try await task.value
        #expect(try await storage.load(network: Self.network).providers == snapshot.providers)
    }

    @Test("two processes that save the same network leave what one of them saved")
    func twoProcesses() async throws {
        let (_, first) = try self.open()
        let (_, second) = try self.open()
        let one = try self.snapshot()
        let two = {
            var snapshot = KademliaSnapshot()
            snapshot.values = [.init(key: [1], value: [1], expiresAtMilliseconds: 1)]
            return snapshot
        }()
        for _ in 0..<10 {
            async let a: Void = first.save(one, network: Self.network)
            async let b: Void = second.save(two, network: Self.network)
            _ = try await (a, b)
            let left = try await first.load(network: Self.network)
            #expect(left.values == one.values || left.values == two.values)
            #expect(left.providers.isEmpty == (left.values == two.values))
        }
    }

    @Test("rows that hold what is never written are left out, and are gone after the next save")
    func malformed() async throws {
        let (_, storage) = try self.open()
        let snapshot = try self.snapshot()
        try await storage.save(snapshot, network: Self.network)
        let peer = Data(self.peers[7].bytes)
        let list = "(network, key, provider, addresses, statement, expires_ms)"
        try await self.raw.execute("INSERT INTO kademlia_provider \(list) VALUES (1, x'01', x'00', x'', NULL, 1)")
        // No list of addresses: cut off, garbage behind it, a length beyond everything, more than are read.
        for addresses in [Data([5, 4, 1]), Data([7, 4, 1, 2, 3, 4, 6, 1]), Data([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]), Data(Array(repeating: [5, 4, 1, 2, 3, 4], count: 65).joined())] {
            try await self.raw.execute("INSERT INTO kademlia_provider \(list) VALUES (1, randomblob(8), ?, ?, NULL, 1)", [peer, addresses])
        }
        try await self.raw.execute("INSERT INTO kademlia_provider \(list) VALUES (1, x'02', ?, x'', NULL, -1)", [peer])
        try await self.raw.execute("INSERT INTO kademlia_peer (network, peer, addresses) VALUES (1, x'1220', x'')")
        try await self.raw.execute("INSERT INTO kademlia_value (network, key, value, expires_ms) VALUES (1, x'03', zeroblob(10000000), 1), (1, x'04', x'', -5)")
        try await self.raw.execute("INSERT INTO kademlia_provided (network, key, lifetime_s, provided_ms) VALUES (1, x'05', -1, 1), (1, x'06', 1, -9223372036854775808)")
        self.expect(try await storage.load(network: Self.network), is: snapshot)
        try await storage.save(snapshot, network: Self.network)
        #expect(try self.raw.rows("SELECT 1 FROM kademlia_provider").count == snapshot.providers.count)
        #expect(try self.raw.rows("SELECT 1 FROM kademlia_provided").count == snapshot.provided.count)
        self.expect(try await storage.load(network: Self.network), is: snapshot)
    }

    @Test("no more is read than the limits say")
    func limits() async throws {
        let snapshot = try self.snapshot()
        try await self.open().1.save(snapshot, network: Self.network)
        var limits = KademliaStorageLimits()
        limits.peerCount = 2
        limits.providerCount = 3
        limits.valueCount = 0
        limits.providedCount = 1
        let some = try await self.open(limits).1.load(network: Self.network)
        #expect(some.peers == Array(snapshot.peers.prefix(2)))
        #expect(some.providers == Array(snapshot.providers.prefix(3)))
        #expect(some.values.isEmpty)
        #expect(some.provided == [snapshot.provided[0]])

        limits = KademliaStorageLimits()
        limits.byteCount = 300
        let few = try await self.open(limits).1.load(network: Self.network)
        #expect((1..<snapshot.peers.count).contains(few.peers.count))
        #expect(few.providers.isEmpty)

        limits = KademliaStorageLimits()
        limits.recordByteCount = 60
        let short = try await self.open(limits).1.load(network: Self.network)
        #expect(short.providers.isEmpty)
        #expect(short.values.count == 2)
        // What would not be read is not written either.
        let (_, narrow) = try self.open(limits)
        try await narrow.save(snapshot, network: "/other")
        #expect(try await narrow.load(network: "/other").values.count == 2)
        #expect(try await self.open().1.load(network: "/other").providers.isEmpty)
    }

    @Test("a file with flipped bits is refused or read in part, and never traps")
    func flippedBits() async throws {
        let (database, storage) = try self.open()
        var snapshot = try self.snapshot()
        var generator = SeededGenerator(seed: 5)
        for index in 0..<200 {
            snapshot.values.append(.init(key: generator.bytes(20), value: generator.bytes(index * 3), expiresAtMilliseconds: 1))
        }
        try await storage.save(snapshot, network: Self.network)
        try database.close()
        let whole = try self.raw.file()
        var refused = 0
        for _ in 0..<150 {
            var damaged = whole
            // Not the first page, whose damage makes the file no database.
            for _ in 0..<8 { damaged[Int.random(in: 4096..<damaged.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator) }
            try self.raw.replace(by: damaged)
            do {
                let (database, storage) = try self.open()
                _ = try await storage.load(network: Self.network)
                try await storage.save(snapshot, network: Self.network)
                try database.close()
            } catch let error as StorageError {
                refused += 1
                #expect([.damaged, .failed, .malformedRecord, .busy].contains(error.code), "\(error)")
            }
        }
        #expect(refused < 150)
    }

    @Test("100,000 provider records are saved and loaded in seconds, and saved again in less")
    func large() async throws {
        let (_, storage) = try self.open()
        var generator = SeededGenerator(seed: 1)
        var snapshot = KademliaSnapshot()
        let addresses = [try Multiaddr("/ip4/203.0.113.1/tcp/4001"), try Multiaddr("/ip6/2001:db8::1/tcp/4001")]
        let providers = try (0..<200).map { _ in try KeyPair.generate().peerID }
        for index in 0..<100_000 {
            snapshot.providers.append(
                .init(
                    key: [0x12, 0x20] + generator.bytes(32), provider: providers[index % 200], addresses: addresses, statement: generator.bytes(300),
                    expiresAtMilliseconds: 1_700_000_000_000))
        }
        let clock = ContinuousClock()
        let first = try await clock.measure { try await storage.save(snapshot, network: Self.network) }
        var loaded = KademliaSnapshot()
        let load = try await clock.measure { loaded = try await storage.load(network: Self.network) }
        let isEqual = loaded.providers == snapshot.providers
        #expect(isEqual)
        for index in 0..<100 { snapshot.providers[index * 1000].expiresAtMilliseconds += 1_800_000 }
        let again = try await clock.measure { try await storage.save(snapshot, network: Self.network) }
        let unchanged = try await clock.measure { try await storage.save(snapshot, network: Self.network) }
        try self.raw.checkpoint()
        let byteCount = try Data(contentsOf: URL(fileURLWithPath: self.raw.path)).count
        print("100,000 provider records: saved in \(first), loaded in \(load), 100 changes saved in \(again), none in \(unchanged), \(byteCount) bytes")
        #expect(again < first)
    }
}
