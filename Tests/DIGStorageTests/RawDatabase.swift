import Foundation
import GRDB

/// The node's database as another program sees it, for tests that damage it.
struct RawDatabase {
    let path: String

    init(in directory: TemporaryDirectory) { self.path = directory.path + "/dig-nat.db" }

    /// Runs statements without the checks of the tables.
    func execute(_ sql: String, _ arguments: StatementArguments = []) async throws {
        let queue = try DatabaseQueue(path: self.path)
        try await queue.write { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(sql: sql, arguments: arguments)
        }
        try queue.close()
    }

    func rows(_ sql: String) throws -> [Row] {
        try DatabaseQueue(path: self.path).read { try Row.fetchAll($0, sql: sql) }
    }

    /// Empties the write-ahead log into the file.
    func checkpoint() throws {
        let queue = try DatabaseQueue(path: self.path)
        _ = try queue.writeWithoutTransaction { try Row.fetchAll($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
        try queue.close()
    }

    /// All of it in the one file, which is returned. Nobody else may have it open.
    func file() throws -> Data {
        try self.checkpoint()
        for suffix in ["-wal", "-shm"] where FileManager.default.fileExists(atPath: self.path + suffix) {
            try FileManager.default.removeItem(atPath: self.path + suffix)
        }
        return try Data(contentsOf: URL(fileURLWithPath: self.path))
    }

    func replace(by file: Data) throws {
        for suffix in ["-wal", "-shm"] where FileManager.default.fileExists(atPath: self.path + suffix) {
            try FileManager.default.removeItem(atPath: self.path + suffix)
        }
        try file.write(to: URL(fileURLWithPath: self.path))
    }
}
