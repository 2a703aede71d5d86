import GRDB

/// A kind of record in a `KademliaSnapshot`, with the table that holds it.
protocol KademliaRecord: Sendable {
    static var table: String { get }
    /// The columns behind `id` and `network`; the first ``idColumnCount`` tell records of one network apart.
    static var columns: [String] { get }
    static var idColumnCount: Int { get }
    /// The place in ``columns`` of a time in milliseconds; nil: there is none.
    static var timeColumn: Int? { get }

    /// The first ``idColumnCount`` columns.
    var idValues: [DatabaseValue] { get }
    /// In the order of ``columns``.
    var databaseValues: [DatabaseValue] { get }

    /// - Parameter values: In the order of ``columns``.
    /// - Returns: Nil if they hold what this software never writes.
    init?(databaseValues values: [DatabaseValue])
}

extension KademliaRecord {
    /// A row whose parts together stay below a bound, which keeps SQLite from reading longer ones.
    static var sizeCondition: String {
        "(" + Self.columns.map { "coalesce(length(\($0)), 0)" }.joined(separator: " + ") + ") <= ?"
    }

    /// Whether a row that holds `stored` need not be written again for `new`.
    static func isSame(_ new: [DatabaseValue], _ stored: [DatabaseValue]) -> Bool {
        guard new.count == stored.count else { return false }
        return new.indices.allSatisfy { index in
            guard index == Self.timeColumn, case .int64(let time) = new[index].storage, case .int64(let storedTime) = stored[index].storage else {
                return new[index] == stored[index]
            }
            // 0 means never, and no time is the same as that.
            guard time > 0, storedTime > 0 else { return time == storedTime }
            return abs(time - storedTime) < SQLiteKademliaStorage.timeTolerance.components.seconds * 1000
        }
    }
}

extension [DatabaseValue] {
    /// As ``KademliaRecord/sizeCondition`` counts, for what is about to be written.
    var byteCount: Int {
        self.reduce(0) { count, value in
            switch value.storage {
            case .blob(let data): count + data.count
            case .string(let text): count + text.utf8.count
            // SQLite counts the digits.
            case .int64, .double: count + 20
            case .null: count
            }
        }
    }
}
