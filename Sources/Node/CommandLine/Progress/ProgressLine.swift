/// One line about a transfer.
public enum ProgressLine {
    /// Widest bar; a longer one tells no more.
    static let maximumBarWidth = 40
    static let minimumBarWidth = 8
    static let minimumNameWidth = 12

    /// A line with a bar that fits `terminal`.
    ///
    /// When the terminal is narrow, first the byte counts go, then the peers, the bar, the time left, the rate; the name is
    /// cut. How the bytes travel, or what is waited for, stays as long as there is room beside the percentage, which stays to the end.
    public static func bar(_ snapshot: ProgressSnapshot, rate: Double?, timeLeft: Duration?, terminal: Terminal) -> String {
        let columns = terminal.columns - 1  // the last column would wrap on some terminals
        let ellipsis = terminal.drawsUnicode ? "…" : "~"
        let name = TerminalText.singleLine(snapshot.name)
        guard let fraction = snapshot.fraction else {
            let line = ([self.title(snapshot)] + self.details(snapshot, rate: rate, timeLeft: timeLeft).map(\.text)).joined(separator: "  ")
            return TerminalText.truncated(line, to: columns, ellipsis: ellipsis)
        }
        let percent = "\(snapshot.percent ?? 0)%"
        let head = String(repeating: " ", count: 4 - percent.count) + percent

        var details = self.details(snapshot, rate: rate, timeLeft: timeLeft)
        func width(_ details: [Detail]) -> Int { details.reduce(0) { $0 + 2 + TerminalText.width(of: $1.text) } }
        let wantedName = min(TerminalText.width(of: name), Self.minimumNameWidth)
        // name, space, percentage, space, bar with its two ends
        func needed(bar: Bool) -> Int { wantedName + 1 + head.count + (bar ? 1 + Self.minimumBarWidth + 2 : 0) + width(details) }
        for rank in [Detail.Rank.bytes, .peers] where needed(bar: true) > columns {
            details.removeAll { $0.rank == rank }
        }
        let hasBar = needed(bar: true) <= columns
        for rank in [Detail.Rank.timeLeft, .rate, .path] where needed(bar: hasBar) > columns {
            details.removeAll { $0.rank == rank }
        }

        let free = columns - 1 - head.count - width(details)
        let barMinimum = hasBar ? 1 + Self.minimumBarWidth + 2 : 0
        let nameWidth = min(TerminalText.width(of: name), max(min(free - barMinimum, Self.minimumNameWidth), (free - barMinimum) / 2))
        var line = TerminalText.truncated(name, to: max(0, nameWidth), ellipsis: ellipsis)
        let used = TerminalText.width(of: line)
        line += " " + head
        if hasBar {
            let barWidth = min(Self.maximumBarWidth, free - used - 3)
            line += " " + self.bar(fraction, width: barWidth, unicode: terminal.drawsUnicode)
        }
        for detail in details { line += "  " + detail.text }
        return line
    }

    /// A line for a log: no bar, no cutting.
    public static func plain(_ snapshot: ProgressSnapshot, rate: Double?, timeLeft: Duration?) -> String {
        var parts: [String] = []
        if let percent = snapshot.percent { parts.append("\(percent) %") }
        parts += self.details(snapshot, rate: rate, timeLeft: timeLeft).map(\.text)
        return "\(self.title(snapshot)): \(parts.joined(separator: ", "))"
    }

    /// A member of the stable output of `--json`.
    public static func event(_ snapshot: ProgressSnapshot, rate: Double?, timeLeft: Duration?) -> JSONObject {
        var event: JSONObject = [
            "event": "progress", "activity": .string(snapshot.activity.rawValue), "name": .string(snapshot.name),
            "bytes": .unsigned(snapshot.byteCount),
        ]
        event["total"] = snapshot.total.map(JSONValue.unsigned) ?? .null
        // Rounded down, so that 1 means complete.
        event["fraction"] = snapshot.fraction.map { .number(($0 * 10_000).rounded(.down) / 10_000) } ?? .null
        event["bytesPerSecond"] = rate.map { .unsigned(UInt64(max(0, min($0.rounded(), 1e18)))) } ?? .null
        event["etaSeconds"] = timeLeft.map { .number((DurationText.seconds($0) * 10).rounded() / 10) } ?? .null
        event["peers"] = snapshot.peers.map { .integer(Int64($0)) } ?? .null
        event["path"] = snapshot.path.map(JSONValue.string) ?? .null
        event["note"] = snapshot.note.map(JSONValue.string) ?? .null
        return event
    }

    private static func title(_ snapshot: ProgressSnapshot) -> String {
        let name = TerminalText.singleLine(snapshot.name)
        return switch snapshot.activity {
        case .hashing: "hashing \(name)"
        case .sharing: "sharing \(name)"
        case .receiving: name
        }
    }

    private struct Detail {
        enum Rank { case bytes, rate, timeLeft, peers, path }
        var rank: Rank
        var text: String
    }

    private static func details(_ snapshot: ProgressSnapshot, rate: Double?, timeLeft: Duration?) -> [Detail] {
        var details: [Detail] = []
        if let total = snapshot.total {
            details.append(Detail(rank: .bytes, text: "\(ByteCount.text(snapshot.byteCount)) of \(ByteCount.text(total))"))
        } else {
            details.append(Detail(rank: .bytes, text: ByteCount.text(snapshot.byteCount) + (snapshot.activity == .sharing ? " sent" : "")))
        }
        if let rate { details.append(Detail(rank: .rate, text: ByteCount.rateText(bytesPerSecond: rate))) }
        if let timeLeft, snapshot.fraction ?? 0 < 1 { details.append(Detail(rank: .timeLeft, text: "\(DurationText.clock(timeLeft)) left")) }
        if let peers = snapshot.peers { details.append(Detail(rank: .peers, text: peers == 1 ? "1 peer" : "\(peers) peers")) }
        if let path = snapshot.note ?? snapshot.path { details.append(Detail(rank: .path, text: TerminalText.singleLine(path))) }
        return details
    }

    /// `▕████▌   ▏`, in eighths of a column, or `[####    ]`.
    private static func bar(_ fraction: Double, width: Int, unicode: Bool) -> String {
        guard unicode else {
            let filled = Int(fraction * Double(width))
            return "[" + String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled) + "]"
        }
        let eighths = Int(fraction * Double(width * 8))
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        let filled = eighths / 8
        let rest = width - filled - (partial.isEmpty ? 0 : 1)
        return "▕" + String(repeating: "█", count: filled) + partial + String(repeating: " ", count: rest) + "▏"
    }
}
