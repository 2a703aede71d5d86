import DIGGun
import DIGTestSupport
import Foundation
import GRDB
import Testing

@testable import DIGStorage

@Suite("The graph of GUN in the database", .timeLimit(.minutes(5)))
struct SQLiteGunStorageTests {
    let directory: TemporaryDirectory
    let raw: RawDatabase

    init() throws {
        self.directory = try TemporaryDirectory()
        self.raw = RawDatabase(in: self.directory)
    }

    private func open(_ limits: GunStorageLimits = .init()) throws -> SQLiteGunStorage {
        SQLiteGunStorage(database: try NodeDatabase(directory: self.directory.path), limits: limits)
    }

    private func node(_ soul: ExactText, _ entries: [ExactText: GunEntry], isOwn: Bool = false) -> GunStoredNode {
        GunStoredNode(node: GunNode(soul, entries), isOwn: isOwn)
    }

    /// Every bit of it: two doubles are equal in Swift that are not the same, as are texts.
    private func bits(_ nodes: [GunStoredNode]) -> [String: String] {
        var bits: [String: String] = [:]
        func hex(_ text: ExactText) -> String { text.string.utf8.map { String($0, radix: 16) }.joined(separator: " ") }
        for stored in nodes {
            bits[hex(stored.node.soul)] = "\(stored.isOwn) " + stored.node.entries.map { key, entry in
                let value =
                    switch entry.value {
                    case .null: "null"
                    case .bool(let bool): "\(bool)"
                    case .number(let number): "n\(number.bitPattern)"
                    case .text(let text): "t" + hex(text)
                    case .link(let soul): "l" + hex(soul)
                    }
                return "\(hex(key)):\(value)@\(entry.state.bitPattern)"
            }.sorted().joined(separator: ",")
        }
        return bits
    }

    @Test("every value comes back bit by bit, after a restart too")
    func values() async throws {
        let numbers: [Double] = [
            0, -0.0, 1, -1, 0.1, .pi, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 9_007_199_254_740_991, 1e300, .ulpOfOne,
            Double(Int64.max), 1_700_000_000_000.001,
        ]
        var entries: [ExactText: GunEntry] = [:]
        for (index, number) in numbers.enumerated() {
            entries[ExactText("n\(index)")] = GunEntry(.number(number), state: number)
        }
        entries["null"] = GunEntry(.null, state: 1)
        entries["yes"] = GunEntry(.bool(true), state: 2)
        entries["no"] = GunEntry(.bool(false), state: 3)
        entries["empty"] = GunEntry(.text(""), state: 4)
        entries["link"] = GunEntry(.link("a/b"), state: 5)
        entries["link nowhere"] = GunEntry(.link(""), state: 5)
        entries[""] = GunEntry(.text("no key"), state: 6)
        entries["zero\u{0}inside"] = GunEntry(.text("a\u{0}b\u{0}"), state: 7)
        // The same text to Swift, two to JavaScript.
        entries["\u{e9}"] = GunEntry(.text("composed \u{e9}"), state: 8)
        entries["e\u{301}"] = GunEntry(.text("apart e\u{301}"), state: 9)
        entries["\u{1f468}\u{200d}\u{1f469}"] = GunEntry(.text("\u{feff}\u{202e}\u{10ffff}"), state: 10)
        let nodes = [
            self.node("all", entries), self.node("\u{e9}", ["k": GunEntry(.text("1"), state: 1)]), self.node("e\u{301}", ["k": GunEntry(.text("2"), state: 1)], isOwn: true),
            self.node("", ["k": GunEntry(.null, state: 1)]),
        ]
        do {
            let storage = try self.open()
            try await storage.save(nodes, removing: [])
            #expect(self.bits(try await storage.load(limit: 100)) == self.bits(nodes))
        }
        let storage = try self.open()
        #expect(self.bits(try await storage.load(limit: 100)) == self.bits(nodes))
        try await storage.save([], removing: ["e\u{301}"])
        #expect(self.bits(try await storage.load(limit: 100)) == self.bits([nodes[0], nodes[1], nodes[3]]))
    }

    @Test("own nodes come first, then those saved last; as the storage in memory does it")
    func order() async throws {
        let storages: [any GunStorage] = [GunMemoryStorage(), try self.open()]
        for storage in storages {
            func save(_ souls: [ExactText], isOwn: Bool = false) async throws {
                try await storage.save(souls.map { self.node($0, ["k": GunEntry(.null, state: 1)], isOwn: isOwn) }, removing: [])
            }
            try await save(["a", "b", "c"])
            try await save(["own 1", "own 2"], isOwn: true)
            try await save(["d", "a"])
            #expect(try await storage.load(limit: 100).map(\.node.soul) == ["own 2", "own 1", "a", "d", "c", "b"])
            #expect(try await storage.load(limit: 3).map(\.node.soul) == ["own 2", "own 1", "a"])
            #expect(try await storage.load(limit: 0).isEmpty)
            // One that becomes nobody's, one that becomes this peer's own.
            try await save(["own 1"])
            try await save(["b"], isOwn: true)
            #expect(try await storage.load(limit: 100).map(\.node.soul) == ["b", "own 2", "own 1", "a", "d", "c"])
            #expect(try await storage.load(limit: 2).allSatisfy(\.isOwn))
            try await storage.save([], removing: ["b", "unknown", "d"])
            #expect(try await storage.load(limit: 100).map(\.node.soul) == ["own 2", "own 1", "a", "c"])
        }
    }

    @Test("a node that is saved again takes the place of all its keys, and only what differs is written")
    func incremental() async throws {
        let storage = try self.open()
        var entries: [ExactText: GunEntry] = [:]
        for index in 0..<1000 { entries[ExactText("key \(index)")] = GunEntry(.number(Double(index)), state: 1) }
        try await storage.save([self.node("big", entries), self.node("other", ["k": GunEntry(.null, state: 1)])], removing: [])
        var triggers = "CREATE TABLE writes (name TEXT);"
        for event in ["INSERT", "UPDATE", "DELETE"] {
            triggers += "CREATE TRIGGER entry_\(event) AFTER \(event) ON gun_entry BEGIN INSERT INTO writes VALUES ('\(event)'); END;"
        }
        try await self.raw.execute(triggers)
        entries["key 7"] = GunEntry(.number(7), state: 2)
        entries["key 8"] = GunEntry(.text("8"), state: 1)
        entries["key 9"] = nil
        entries["new"] = GunEntry(.bool(true), state: 3)
        let changed = self.node("big", entries)
        try await storage.save([changed], removing: ["other"])
        #expect(self.bits(try await storage.load(limit: 10)) == self.bits([changed]))
        let writes = try self.raw.rows("SELECT name FROM writes").map { $0["name"] as String }
        // The last one goes with its node.
        #expect(writes.sorted() == ["DELETE", "DELETE", "INSERT", "UPDATE", "UPDATE"])
    }

    @Test("a save that fails, or is cut off, changes nothing")
    func atomic() async throws {
        let storage = try self.open()
        let before = [self.node("a", ["k": GunEntry(.text("1"), state: 1)]), self.node("b", ["k": GunEntry(.text("1"), state: 1)])]
        try await storage.save(before, removing: [])
        try await self.raw.execute("CREATE TRIGGER stop BEFORE INSERT ON gun_node WHEN NEW.soul = CAST('stop' AS BLOB) BEGIN SELECT RAISE(ABORT, 'no'); END")
        let after = [self.node("a", ["k": GunEntry(.text("2"), state: 2)]), self.node("stop", ["k": GunEntry(.null, state: 1)])]
        await #expect(throws: StorageError.self) { try await storage.save(after, removing: ["b"]) }
        #expect(self.bits(try await storage.load(limit: 10)) == self.bits(before))

        try await self.raw.execute("DROP TRIGGER stop")
        try self.raw.checkpoint()
        try await storage.save(after, removing: ["b"])
        let copy = try TemporaryDirectory()
        for name in ["dig-nat.db", "dig-nat.db-wal"] {
            var bytes = try Data(contentsOf: URL(fileURLWithPath: self.directory.path + "/" + name))
            if name.hasSuffix("wal") { bytes.removeLast(100) }
            _ = try copy.file(name, [UInt8](bytes))
        }
        let restored = SQLiteGunStorage(database: try NodeDatabase(directory: copy.path))
        #expect(self.bits(try await restored.load(limit: 10)) == self.bits(before))
        #expect(self.bits(try await storage.load(limit: 10)) == self.bits(after))
    }

    @Test("a node that is ending can still save")
    func cancelled() async throws {
        let storage = try self.open()
        let node = self.node("a", ["k": GunEntry(.text("1"), state: 1)])
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await storage.save([node], removing: [])
        }
        try await task.value
        #expect(try await storage.load(limit: 10) == [node])
    }

    @Test("what is no value of GUN is left out, and overwritten by the next save")
    func malformed() async throws {
        let storage = try self.open()
        let good = self.node("a", ["good": GunEntry(.text("1"), state: 1)])
        try await storage.save([good], removing: [])
        let bad: [(kind: Int, value: Data?, state: Double)] = [
            (0, Data(), 1), (1, Data([1]), 1), (3, nil, 1), (3, Data([1, 2, 3]), 1), (3, Data(count: 9), 1), (4, nil, 1), (4, Data([0xff, 0xfe]), 1), (5, nil, 1),
            (5, Data([0xc0, 0x80]), 1), (6, Data(), 1), (-1, nil, 1), (0, nil, .nan), (0, nil, .infinity), (0, nil, -.infinity),
            (3, withUnsafeBytes(of: Double.nan.bitPattern.bigEndian) { Data($0) }, 1), (3, withUnsafeBytes(of: Double.infinity.bitPattern.bigEndian) { Data($0) }, 1),
        ]
        for (index, row) in bad.enumerated() {
            try await self.raw.execute(
                "INSERT INTO gun_entry VALUES (1, ?, ?, ?, ?)", [Data("bad \(index)".utf8), row.kind, row.value, Int64(bitPattern: row.state.bitPattern)])
        }
        try await self.raw.execute("INSERT INTO gun_entry VALUES (1, x'ff', 0, NULL, 0)")
        try await self.raw.execute("INSERT INTO gun_node VALUES (2, x'fe', 0, 9), (3, x'62', 7, 9), (4, x'63', 0, 9223372036854775807)")
        #expect(try await storage.load(limit: 100) == [good])
        // No number of a save is left; the order begins anew.
        try await storage.save([good, self.node("c", ["bad 1": GunEntry(.null, state: 1)])], removing: [])
        #expect(try await storage.load(limit: 100).count == 2)
        #expect(try self.raw.rows("SELECT 1 FROM gun_entry WHERE node = 1").count == 1)
    }

    @Test("no more is read, and no more of others is kept, than the limits say")
    func limits() async throws {
        let storage = try self.open()
        let text = String(repeating: "x", count: 1000)
        var nodes = [self.node("own", ["k": GunEntry(.text(text), state: 1)], isOwn: true)]
        for index in 0..<20 { nodes.append(self.node(ExactText("node \(index)"), ["k": GunEntry(.text(text), state: 1)])) }
        var many: [ExactText: GunEntry] = [:]
        for index in 0..<50 { many[ExactText("\(index)")] = GunEntry(.null, state: 1) }
        nodes.append(self.node("many", many))
        try await storage.save(nodes, removing: [])

        var limits = GunStorageLimits()
        limits.byteCount = 5000
        limits.keyCount = 5
        let some = try await self.open(limits).load(limit: 100)
        #expect(some.map(\.node.soul) == ["own", "many", "node 19", "node 18", "node 17"])
        #expect(some[1].node.entries.count == 5)
        limits.textByteCount = 999
        #expect(try await self.open(limits).load(limit: 100).map(\.node.soul) == ["many"])

        limits = GunStorageLimits()
        limits.foreignNodeCount = 4
        try await self.open(limits).save([self.node("last", ["k": GunEntry(.null, state: 1)])], removing: [])
        #expect(try await storage.load(limit: 100).map(\.node.soul) == ["own", "last", "many", "node 19", "node 18"])
        #expect(try self.raw.rows("SELECT DISTINCT node FROM gun_entry").count == 5)
    }

    @Test("a file with flipped bits is refused or read in part, and never traps")
    func flippedBits() async throws {
        let database = try NodeDatabase(directory: self.directory.path)
        var generator = SeededGenerator(seed: 6)
        let nodes = (0..<150).map { index in
            self.node(
                ExactText("soul \(index)"),
                ["text": GunEntry(.text(String(repeating: "t", count: index)), state: 1.5), "number": GunEntry(.number(Double(index)), state: 2.5), "none": GunEntry(.null, state: 3)])
        }
        try await SQLiteGunStorage(database: database).save(nodes, removing: [])
        try database.close()
        let whole = try self.raw.file()
        var refused = 0
        for _ in 0..<150 {
            var damaged = whole
            for _ in 0..<8 { damaged[Int.random(in: 4096..<damaged.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator) }
            try self.raw.replace(by: damaged)
            do {
                let database = try NodeDatabase(directory: self.directory.path)
                let storage = SQLiteGunStorage(database: database)
                #expect(try await storage.load(limit: 1000).count <= 150)
                try await storage.save(Array(nodes.prefix(20)), removing: ["soul 30"])
                try database.close()
            } catch let error as StorageError {
                refused += 1
                // Also a migration whose name has changed, which looks like one of a later version.
                #expect([.damaged, .failed, .malformedRecord, .busy, .newerVersion].contains(error.code), "\(error)")
            }
        }
        #expect(refused < 150)
    }

    @Test("20,000 nodes are saved and loaded in seconds")
    func large() async throws {
        let storage = try self.open()
        var nodes: [GunStoredNode] = []
        for index in 0..<20_000 {
            var entries: [ExactText: GunEntry] = [:]
            for key in 0..<5 { entries[ExactText("key \(key)")] = GunEntry(.text("a value of some length \(index) \(key)"), state: Double(index) + 0.5) }
            nodes.append(self.node(ExactText("soul/\(index)"), entries, isOwn: index.isMultiple(of: 100)))
        }
        let clock = ContinuousClock()
        let save = try await clock.measure {
            for start in stride(from: 0, to: nodes.count, by: 1000) { try await storage.save(Array(nodes[start..<(start + 1000)]), removing: []) }
        }
        var loaded: [GunStoredNode] = []
        let load = try await clock.measure { loaded = try await storage.load(limit: 20_000) }
        let isEqual = Set(loaded) == Set(nodes)
        #expect(isEqual)
        for index in 0..<100 { nodes[index].node.entries["key 0"] = GunEntry(.null, state: 1e9) }
        let again = try await clock.measure { try await storage.save(Array(nodes[0..<100]), removing: []) }
        try self.raw.checkpoint()
        let byteCount = try Data(contentsOf: URL(fileURLWithPath: self.raw.path)).count
        print("20,000 nodes of 5 keys: saved in \(save), loaded in \(load), 100 changed nodes saved in \(again), \(byteCount) bytes")
    }
}
