import GRDB

/// Reads the tables of one network, within bounds for all of them together.
struct KademliaReading {
    let network: Int64
    let limits: KademliaStorageLimits
    private var byteCount = 0
    /// Rows that hold what this software never writes.
    private(set) var droppedCount = 0

    init(network: Int64, limits: KademliaStorageLimits) {
        self.network = network
        self.limits = limits
    }

    mutating func records<Record: KademliaRecord>(limit: Int, in database: Database) throws -> [Record] {
        var records: [Record] = []
        try Self.forEach(Record.self, network: self.network, limits: self.limits, in: database) { _, values in
            guard records.count < limit else { return false }
            let record = Record(databaseValues: values)
            guard let record else {
                self.droppedCount += 1
                return true
            }
            self.byteCount += values.byteCount
            guard self.byteCount <= self.limits.byteCount else { return false }
            records.append(record)
            return true
        }
        return records
    }

    /// Calls `body` with each row, in the order in which they were first saved, until it returns false.
    static func forEach<Record: KademliaRecord>(
        _ type: Record.Type, network: Int64, limits: KademliaStorageLimits, in database: Database, _ body: (Int64, [DatabaseValue]) throws -> Bool
    ) throws {
        // There are few networks: the table as it lies on disk is read faster than through the index.
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT id, \(Record.columns.joined(separator: ", ")) FROM \(Record.table) NOT INDEXED
                WHERE network = ? AND \(Record.sizeCondition) ORDER BY id
                """, arguments: [network, limits.recordByteCount])
        let count = Record.columns.count
        while let row = try rows.next() {
            guard case .int64(let id) = (row[0] as DatabaseValue).storage else { continue }
            guard try body(id, (1...count).map { row[$0] as DatabaseValue }) else { return }
        }
    }
}
