import DIGCommandLine
import DIGContent
import DIGDiscovery

/// By which ways others can find what is shared, and by which not and why.
enum AnnouncementText {
    /// `a.mp4 is found by the DHT (12 nodes took it) and the local network (2 nodes took it); not yet by GUN: nobody is there to take it yet`.
    static func line(_ report: AnnouncementReport, name: String) -> String {
        let name = TerminalText.singleLine(name)
        let taken = report.entries.filter { self.isFindable($0.outcome) }.map { "\($0.source.words) (\($0.outcome))" }
        let others = report.entries.filter { !self.isFindable($0.outcome) }.map { "\($0.source.words): \(TerminalText.singleLine($0.outcome.description))" }
        let missing = others.isEmpty ? "" : "; not yet by \(others.joined(separator: ", "))"
        return taken.isEmpty ? "\(name) cannot be found by its hash yet\(missing)" : "\(name) is found by \(taken.joined(separator: ", "))\(missing)"
    }

    static func event(_ report: AnnouncementReport, hash: ContentHash, name: String) -> JSONObject {
        [
            "event": "announced", "contentHash": .string(hash.description), "name": .string(name), "isStored": .boolean(report.isTaken),
            "mechanisms": .array(report.entries.map { .object(self.event($0)) }),
        ]
    }

    private static func event(_ entry: AnnouncementReport.Entry) -> JSONObject {
        let (outcome, nodes, message): (String, Int?, String?) =
            switch entry.outcome {
            case .taken(let count): ("taken", count, nil)
            case .inBackground: ("in-background", nil, nil)
            case .withdrawn: ("withdrawn", nil, nil)
            case .failed(let reason): ("failed", nil, reason)
            case .timedOut: ("timed-out", nil, nil)
            case .pending: ("pending", nil, nil)
            }
        return [
            "by": .string(entry.source.rawValue), "outcome": .string(outcome), "nodes": nodes.map { .integer(Int64($0)) } ?? .null,
            "message": message.map(JSONValue.string) ?? .null, "seconds": .number(DurationText.seconds(entry.duration)),
        ]
    }

    /// Somebody has it, or the mechanism sees to that by itself.
    static func isFindable(_ outcome: AnnouncementReport.Outcome) -> Bool {
        switch outcome {
        case .taken(let count): count > 0
        case .inBackground: true
        case .withdrawn, .failed, .timedOut, .pending: false
        }
    }
}
