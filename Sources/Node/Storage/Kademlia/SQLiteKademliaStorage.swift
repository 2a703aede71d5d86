public import DIGKademlia
import Foundation
import GRDB
import Logging

/// What nodes of the DHT remember, in the node's database: one for all networks.
///
/// ``save(_:network:)`` reads what is there and writes only what differs, so that a node with 100,000 records, of which a few change between
/// two saves, writes a few. Times that differ by less than ``timeTolerance`` are the same: they come from a clock that is slewed.
public struct SQLiteKademliaStorage: KademliaStorage {
    static let timeTolerance: Duration = .seconds(5)

    private let database: NodeDatabase
    private let limits: KademliaStorageLimits

    public init(database: NodeDatabase, limits: KademliaStorageLimits = .init()) {
        self.database = database
        self.limits = limits
    }

    /// What was saved last, within ``KademliaStorageLimits``. A record that this software never writes is left out.
    ///
    /// - Throws: ``StorageError``; `.damaged` if the file's pages contradict one another.
    public func load(network: String) async throws -> KademliaSnapshot {
        let limits = self.limits
        let (snapshot, dropped) = try await self.database.read { database in
            var snapshot = KademliaSnapshot()
            guard let (id, _) = try Self.network(network, in: database) else { return (snapshot, 0) }
            var reading = KademliaReading(network: id, limits: limits)
            snapshot.peers = try reading.records(limit: limits.peerCount, in: database)
            snapshot.provided = try reading.records(limit: limits.providedCount, in: database)
            snapshot.values = try reading.records(limit: limits.valueCount, in: database)
            snapshot.providers = try reading.records(limit: limits.providerCount, in: database)
            return (snapshot, reading.droppedCount)
        }
        if dropped > 0 {
            self.database.logger.info("records of the DHT in the database are malformed", metadata: ["dig.storage.dropped": "\(dropped)"])
        }
        return snapshot
    }

    /// Takes the place of what was saved before, in one transaction. Records that ``KademliaStorageLimits`` would not load are left out.
    ///
    /// - Throws: ``StorageError``; what was saved before is kept then.
    public func save(_ snapshot: KademliaSnapshot, network: String) async throws {
        // Not cancelled with the caller: a node that ends saves last.
        try await Task { try await self.write(snapshot, network: network) }.value
    }

    private func write(_ snapshot: KademliaSnapshot, network: String) async throws {
        let limits = self.limits
        // Found out while others may write; done again if another process saved the same network meanwhile.
        let changes = try await self.database.read { try KademliaChanges(to: snapshot, of: Self.network(network, in: $0), limits: limits, in: $0) }
        if changes.isEmpty { return }
        try await self.database.write { database in
            let known = try Self.network(network, in: database)
            let changes = known?.version == changes.version ? changes : try KademliaChanges(to: snapshot, of: known, limits: limits, in: database)
            try database.execute(
                sql: "INSERT INTO kademlia_network (name, version) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET version = (version + 1) & 0xffffffff",
                arguments: [network])
            guard let (id, _) = try Self.network(network, in: database) else {
                throw StorageError(.malformedRecord, "a network of the DHT has no number in the database")
            }
            try changes.perform(network: id, in: database)
        }
    }

    private static func network(_ name: String, in database: Database) throws -> (id: Int64, version: Int64)? {
        guard let row = try Row.fetchOne(database, sql: "SELECT id, version FROM kademlia_network WHERE name = ?", arguments: [name]) else { return nil }
        return (try row.integer("id"), try row.integer("version"))
    }
}
