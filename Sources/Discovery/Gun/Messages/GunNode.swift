/// A node of the graph, or a part of it: keys with values, each with its own state.
public struct GunNode: Hashable, Sendable {
    public var soul: ExactText
    public var entries: [ExactText: GunEntry]

    public init(_ soul: ExactText, _ entries: [ExactText: GunEntry] = [:]) {
        self.soul = soul
        self.entries = entries
    }

    public subscript(_ key: String) -> GunValue? { self.entries[ExactText(key)]?.value }

    /// Keys in JavaScript's order.
    var sortedKeys: [ExactText] { GunJSONWriter.sorted(Array(self.entries.keys)) }

    var json: GunJSON {
        var members: [ExactText: GunJSON] = [:]
        var states: [ExactText: GunJSON] = [:]
        for (key, entry) in self.entries {
            members[key] = entry.value.json
            states[key] = .number(entry.state)
        }
        members["_"] = .object(["#": .string(self.soul), ">": .object(states)])
        return .object(members)
    }

    static func json(_ nodes: [GunNode]) -> GunJSON {
        .object(Dictionary(nodes.map { ($0.soul, $0.json) }, uniquingKeysWith: { $1 }))
    }
}
