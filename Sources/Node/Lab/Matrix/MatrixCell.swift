public import DIGCommandLine

/// What was measured between two kinds of homes.
public struct MatrixCell: Hashable, Sendable {
    public var row: NATKind
    public var column: NATKind
    /// The layer that carried it in the end; `nil` if nothing did.
    public var layer: String?
    /// Whether packets go from home to home.
    public var isDirect: Bool
    /// From the start to the first connection of any kind.
    public var connectMilliseconds: Double?
    /// From the start to a direct one.
    public var directMilliseconds: Double?
    /// What the yardstick says; `nil` where it says nothing.
    public var expectation: String?
    /// Whether that is what came.
    public var isAsExpected: Bool?
    /// How many of the repeats ended like this, of how many.
    public var agreeing: Int = 1
    public var repeats: Int = 1
    /// What a person should know: why it failed.
    public var detail: String?

    public init(
        row: NATKind, column: NATKind, layer: String? = nil, isDirect: Bool = false, connectMilliseconds: Double? = nil, directMilliseconds: Double? = nil,
        expectation: String? = nil, isAsExpected: Bool? = nil, detail: String? = nil
    ) {
        self.row = row
        self.column = column
        self.layer = layer
        self.isDirect = isDirect
        self.connectMilliseconds = connectMilliseconds
        self.directMilliseconds = directMilliseconds
        self.expectation = expectation
        self.isAsExpected = isAsExpected
        self.detail = detail
    }

    public var json: JSONObject {
        [
            "event": "cell", "a": .string(self.row.rawValue), "b": .string(self.column.rawValue), "layer": self.layer.map(JSONValue.string) ?? .null,
            "direct": .boolean(self.isDirect), "connectMs": self.connectMilliseconds.map(JSONValue.number) ?? .null,
            "directMs": self.directMilliseconds.map(JSONValue.number) ?? .null, "expected": self.expectation.map(JSONValue.string) ?? .null,
            "asExpected": self.isAsExpected.map(JSONValue.boolean) ?? .null, "agreeing": .integer(Int64(self.agreeing)),
            "repeats": .integer(Int64(self.repeats)), "detail": self.detail.map(JSONValue.string) ?? .null,
        ]
    }

    /// Several runs of one pair as one cell: the most frequent layer, the median of its times.
    static func merged(_ runs: [MatrixCell]) -> MatrixCell? {
        guard let first = runs.first else { return nil }
        let groups = Dictionary(grouping: runs, by: { $0.layer ?? "" })
        let winner = groups.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.value ?? [first]
        var cell = winner[0]
        cell.connectMilliseconds = self.median(winner.compactMap(\.connectMilliseconds))
        cell.directMilliseconds = self.median(winner.compactMap(\.directMilliseconds))
        cell.isAsExpected = runs.contains { $0.isAsExpected == false } ? false : cell.isAsExpected
        cell.agreeing = winner.count
        cell.repeats = runs.count
        return cell
    }

    static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
