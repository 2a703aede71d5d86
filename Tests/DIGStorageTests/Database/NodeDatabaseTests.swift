import DIGContent
import DIGStorage
import Foundation
import GRDB
import Testing

@Suite("Node database")
struct NodeDatabaseTests {
    let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private var data: String { self.directory.path + "/state/dig-nat" }

    @Test("makes its directory and file for the owner alone")
    func modes() async throws {
        let database = try NodeDatabase(directory: self.data)
        #expect(try self.directory.mode("state/dig-nat") == 0o700)
        #expect(try self.directory.mode("state/dig-nat/dig-nat.db") == 0o600)
        try await PeerStore(database: database).increment("x")
        #expect(try self.directory.mode("state/dig-nat/dig-nat.db-wal") == 0o600)
        #expect(try self.directory.mode("state/dig-nat/dig-nat.db-shm") == 0o600)
        try await database.check()
    }

    @Test("opens again with everything in it")
    func reopen() async throws {
        let first = try NodeDatabase(directory: self.data)
        try await PeerStore(database: first).increment("starts", by: 3)
        try first.close()
        let second = try NodeDatabase(directory: self.data)
        #expect(try await PeerStore(database: second).counters() == ["starts": 3])
    }

    @Test("two connections write and read at once, and both see all of it")
    func concurrent() async throws {
        let first = try NodeDatabase(directory: self.data)
        let second = try NodeDatabase(directory: self.data)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for database in [first, second] {
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<25 {
                            try await PeerStore(database: database).increment("n")
                            _ = try await PeerStore(database: database).counters()
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await PeerStore(database: first).counters() == ["n": 200])
        #expect(try await PeerStore(database: second).counters() == ["n": 200])
    }

    @Test("many openers at once make one database")
    func concurrentOpen() async throws {
        let path = self.data
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    let database = try NodeDatabase(directory: path)
                    return try await PeerStore(database: database).counters().count
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts == Array(repeating: 0, count: 6))
    }

    @Test("a file that is no database is refused with advice, and left as it is")
    func notADatabase() throws {
        try FileManager.default.createDirectory(atPath: self.data, withIntermediateDirectories: true)
        let path = self.data + "/dig-nat.db"
        let garbage = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try garbage.write(to: URL(fileURLWithPath: path))
        let error = try #require(throws: StorageError.self) { try NodeDatabase(directory: self.data) }
        #expect(error.code == .damaged)
        #expect(error.message.contains(path))
        #expect(error.message.contains("move it away"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == garbage)
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }

    @Test("a database with a destroyed page is refused, and left as it is")
    func damagedPage() async throws {
        let database = try NodeDatabase(directory: self.data)
        try database.close()
        let path = self.data + "/dig-nat.db"
        let queue = try DatabaseQueue(path: path)
        _ = try queue.writeWithoutTransaction { try Row.fetchAll($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        try queue.close()
        try? FileManager.default.removeItem(atPath: path + "-wal")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        // Every page but the first, which has the header and the schema.
        for offset in 4096..<bytes.count { bytes[offset] = 0xA5 }
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = try #require(throws: StorageError.self) { try NodeDatabase(directory: self.data) }
        #expect(error.code == .damaged)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
    }

    @Test("a torn write-ahead log costs the last change at most")
    func tornLog() async throws {
        let database = try NodeDatabase(directory: self.data)
        for _ in 0..<10 { try await PeerStore(database: database).increment("n") }
        // As after a power loss: the files are copied while in use, the log loses its end.
        let copy = self.directory.path + "/copy"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: self.data + "/dig-nat.db", toPath: copy + "/dig-nat.db")
        var log = try Data(contentsOf: URL(fileURLWithPath: self.data + "/dig-nat.db-wal"))
        log.removeLast(100)
        try log.write(to: URL(fileURLWithPath: copy + "/dig-nat.db-wal"))
        let restored = try NodeDatabase(directory: copy)
        #expect(try await PeerStore(database: restored).counters() == ["n": 9])
        try await restored.check()
    }

    @Test("a database of a later version is refused, and left as it is")
    func laterVersion() async throws {
        let database = try NodeDatabase(directory: self.data)
        try database.close()
        let path = self.data + "/dig-nat.db"
        let queue = try DatabaseQueue(path: path)
        try await queue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 later')") }
        try queue.close()
        let error = try #require(throws: StorageError.self) { try NodeDatabase(directory: self.data) }
        #expect(error.code == .newerVersion)
    }

    @Test("a directory that can't be made is named")
    func notWritable() throws {
        let file = try self.directory.file("plain", [])
        let error = try #require(throws: StorageError.self) { try NodeDatabase(directory: file + "/below") }
        #expect(error.code == .notWritable)
        #expect(error.message.contains(file))
    }
}
