import DIGKademlia
import GRDB

/// What has to be written so that the tables hold a snapshot.
struct KademliaChanges: Sendable {
    private struct Table<Record: KademliaRecord>: Sendable {
        /// Numbers of rows.
        var removed: [Int64] = []
        var written: [Record] = []

        var isEmpty: Bool { self.removed.isEmpty && self.written.isEmpty }

        init(to records: [Record], of network: Int64?, limits: KademliaStorageLimits, in database: Database) throws {
            // Of two with the same name the later counts.
            var missing: [[DatabaseValue]: Record] = Dictionary(minimumCapacity: records.count)
            for record in records { missing[record.idValues] = record }
            if let network {
                try KademliaReading.forEach(Record.self, network: network, limits: limits, in: database) { id, stored in
                    guard let record = missing.removeValue(forKey: Array(stored.prefix(Record.idColumnCount))) else {
                        self.removed.append(id)
                        return true
                    }
                    let values = record.databaseValues
                    if values.byteCount > limits.recordByteCount {
                        self.removed.append(id)
                    } else if !Record.isSame(values, stored) {
                        self.written.append(record)
                    }
                    return true
                }
            }
            // In the given order, so that they come back in it.
            for record in records {
                guard let record = missing.removeValue(forKey: record.idValues), record.databaseValues.byteCount <= limits.recordByteCount else { continue }
                self.written.append(record)
            }
        }

        func perform(network: Int64, in database: Database) throws {
            if !self.removed.isEmpty {
                let statement = try database.cachedStatement(sql: "DELETE FROM \(Record.table) WHERE id = ?")
                for id in self.removed { try statement.execute(arguments: [id]) }
            }
            if !self.written.isEmpty {
                let columns = Record.columns
                let statement = try database.cachedStatement(
                    sql: """
                        INSERT INTO \(Record.table) (network, \(columns.joined(separator: ", ")))
                        VALUES (?\(String(repeating: ", ?", count: columns.count)))
                        ON CONFLICT (network, \(columns[..<Record.idColumnCount].joined(separator: ", "))) DO UPDATE SET
                        \(columns[Record.idColumnCount...].map { "\($0) = excluded.\($0)" }.joined(separator: ", "))
                        """)
                for record in self.written {
                    try statement.execute(arguments: StatementArguments([network.databaseValue] + record.databaseValues))
                }
            }
        }
    }

    /// Of the network that was looked at; nil if there was none.
    let version: Int64?
    private let peers: Table<KademliaSnapshot.Peer>
    private let providers: Table<KademliaSnapshot.Provider>
    private let values: Table<KademliaSnapshot.Value>
    private let provided: Table<KademliaSnapshot.Provided>

    init(to snapshot: KademliaSnapshot, of network: (id: Int64, version: Int64)?, limits: KademliaStorageLimits, in database: Database) throws {
        self.version = network?.version
        self.peers = try Table(to: snapshot.peers, of: network?.id, limits: limits, in: database)
        self.providers = try Table(to: snapshot.providers, of: network?.id, limits: limits, in: database)
        self.values = try Table(to: snapshot.values, of: network?.id, limits: limits, in: database)
        self.provided = try Table(to: snapshot.provided, of: network?.id, limits: limits, in: database)
    }

    var isEmpty: Bool { self.peers.isEmpty && self.providers.isEmpty && self.values.isEmpty && self.provided.isEmpty }

    func perform(network: Int64, in database: Database) throws {
        try self.peers.perform(network: network, in: database)
        try self.providers.perform(network: network, in: database)
        try self.values.perform(network: network, in: database)
        try self.provided.perform(network: network, in: database)
    }
}
