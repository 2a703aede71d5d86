import GRDB
public import Logging

/// The node's database: one SQLite file in the data directory.
///
/// Several processes use it at once: `share` and `get` run side by side. Writers take turns (write-ahead log, one writer, ``busyTimeout``),
/// readers never wait. Every change is one transaction that is on disk when the call returns (`synchronous = FULL`), so that a
/// crash or power loss leaves the state before or after it.
///
/// Hash layers are blobs in a table of their own and not files beside the database: a layer is at most 32 MiB (2²⁰ chunks of 1 MiB, a file
/// of 1 TiB), usually some kilobytes, is written once and read once by each process, and must never be there without its record or the
/// record without it; that is what a transaction gives.
public final class NodeDatabase: Sendable {
    /// In the data directory.
    public static let fileName = "dig-nat.db"
    /// How long a writer waits for another process.
    public static let busyTimeout: Duration = .seconds(10)

    /// The database file.
    public let path: String
    let pool: DatabasePool
    let logger: Logger

    /// Opens the database in `directory`, making and migrating it as needed. Blocks for as long as that takes.
    ///
    /// The directory is made with mode 0700 if it does not exist, the file has mode 0600.
    ///
    /// - Throws: ``StorageError``; nothing is changed in a database that is damaged or of a later version.
    public init(directory: String, logger: Logger = Logger(label: "dig.storage", factory: { _ in SwiftLogNoOpLogHandler() })) throws(StorageError) {
        let path = directory.hasSuffix("/") ? directory + Self.fileName : directory + "/" + Self.fileName
        self.path = path
        self.logger = logger
        do {
            try DataDirectory.make(directory)
            // Two processes must not make or migrate the same database at once.
            let lock = try DataDirectory.lock(directory)
            defer { DataDirectory.unlock(lock) }
            try DataDirectory.makeFile(path)

            var configuration = Configuration()
            configuration.label = "dig-nat"
            configuration.busyMode = .timeout(Double(Self.busyTimeout.components.seconds))
            configuration.maximumReaderCount = 4
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
            }
            try Self.inspect(path)
            self.pool = try DatabasePool(path: path, configuration: configuration)
            try Schema.migrator.migrate(self.pool)
        } catch {
            throw StorageError(error, path: path)
        }
        logger.debug("opened the database", metadata: ["dig.storage.path": "\(path)"])
    }

    /// Looks whether the file is ours to open before anything is written to it, as opening for writing does.
    private static func inspect(_ path: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(Double(Self.busyTimeout.components.seconds))
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.read { database in
            if try Schema.migrator.hasBeenSuperseded(database) {
                throw StorageError(.newerVersion, "the database \(path) was written by a later version of this software; use that one, or another data directory")
            }
            // A damaged file can open well: look at the first page of every table at least.
            for table in try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'table'") {
                _ = try Row.fetchOne(database, sql: "SELECT * FROM \(table.quotedDatabaseIdentifier) LIMIT 1")
            }
        }
        try queue.close()
    }

    /// Ends all access. Calls that follow fail.
    public func close() throws(StorageError) {
        do {
            try self.pool.close()
        } catch {
            throw StorageError(error, path: self.path)
        }
    }

    /// Reads every page and checks that they fit together. Takes as long as reading the file.
    ///
    /// - Throws: ``StorageError`` with `.damaged`, the message has SQLite's findings.
    public func check() async throws(StorageError) {
        let findings = try await self.read { try String.fetchAll($0, sql: "PRAGMA integrity_check(10)") }
        guard findings == ["ok"] else {
            throw StorageError(.damaged, "the database \(self.path) is damaged: \(findings.joined(separator: "; "))")
        }
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(StorageError) -> Value {
        do {
            return try await self.pool.read(body)
        } catch {
            throw StorageError(error, path: self.path)
        }
    }

    /// Goes on when the task is cancelled, so that a part of the node that ends can still put down what it knows.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(StorageError) -> Value {
        do {
            return try await Task { try await self.pool.write(body) }.value
        } catch {
            throw StorageError(error, path: self.path)
        }
    }
}
