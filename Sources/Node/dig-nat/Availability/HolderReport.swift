import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGIdentity

/// What this node thinks of one peer's claim to have a content, and why, as `status` prints it.
struct HolderReport {
    let content: ContentHash
    let state: HolderState
    /// Who says that it does not have it.
    let reports: [StoredReport]
    /// What the owner of this node calls it.
    let name: String?
    let isTrusted: Bool
    /// Milliseconds since 1970.
    let now: UInt64

    /// Those to use first come first.
    static func isBetter(_ lhs: HolderReport, _ rhs: HolderReport) -> Bool {
        func rank(_ report: HolderReport) -> (Int, Double, String) {
            let status =
                switch report.state.status {
                case .available: 0
                case .suspect: 1
                case .unavailable: 2
                }
            return (status, -report.state.reputation.value, "\(report.state.peer)")
        }
        return rank(lhs) < rank(rhs)
    }

    var text: String {
        let reputation = self.state.reputation
        let title = [TerminalText.padded(self.state.status.rawValue, to: 11), "\(self.state.peer)", self.name.map(TerminalText.singleLine), self.isTrusted ? "(trusted)" : nil]
        var lines = [title.compactMap { $0 }.joined(separator: "  ")]
        lines.append("    \(self.state.reason)\(self.since(self.state.changedAt).map { " (\(self.state.status.rawValue) for \($0))" } ?? "")")
        let facts = [
            self.since(self.state.provedAt).map { "last proof \($0) ago" } ?? "never proven to this node", self.since(self.state.askedAt).map { "last asked \($0) ago" },
            self.state.isClaimed ? nil : "does not claim it now",
        ]
        lines.append("    \(facts.compactMap { $0 }.joined(separator: ", "))")
        let rate = reputation.rate.map { ", \(ByteCount.rateText(bytesPerSecond: $0))" } ?? ""
        lines.append(
            "    reputation \(Self.fraction(reputation.value)): success \(Self.fraction(reputation.success)), quality \(Self.fraction(reputation.quality)), stability \(Self.fraction(reputation.stability))\(rate)")
        for report in self.reports.sorted(by: { $0.timestampMilliseconds > $1.timestampMilliseconds }) {
            lines.append("    reported by \(report.reporter)\(self.since(report.timestampMilliseconds).map { " \($0) ago" } ?? ""): \(report.reason.text)")
        }
        return lines.joined(separator: "\n")
    }

    var event: JSONObject {
        func time(_ milliseconds: UInt64) -> JSONValue { milliseconds == 0 ? .null : .unsigned(milliseconds) }
        let reputation = self.state.reputation
        return [
            "event": "holder", "contentHash": .string("\(self.content)"), "peer": .string("\(self.state.peer)"), "status": .string(self.state.status.rawValue),
            "reason": .string(self.state.reason), "level": .string("\(self.state.level)"), "reportWeight": .number(self.state.reportWeight),
            "reports": .array(
                self.reports.map { report in
                    .object(["reporter": .string("\(report.reporter)"), "reason": .string(report.reason.text), "timestampMs": .unsigned(report.timestampMilliseconds)])
                }),
            "claimed": .boolean(self.state.isClaimed), "withdrawn": .boolean(self.state.isWithdrawn), "claimedUntilMs": time(self.state.claimedUntil),
            "provedMs": time(self.state.provedAt), "askedMs": time(self.state.askedAt), "changedMs": time(self.state.changedAt),
            "reputation": .object([
                "value": .number(reputation.value), "success": .number(reputation.success), "quality": .number(reputation.quality),
                "stability": .number(reputation.stability), "bytesPerSecond": reputation.rate.map(JSONValue.number) ?? .null,
            ]),
            "name": self.name.map(JSONValue.string) ?? .null, "trusted": .boolean(self.isTrusted),
        ]
    }

    /// `0:12`, `5:07`, `3 d 4 h`; nil for never.
    private func since(_ milliseconds: UInt64) -> String? {
        guard milliseconds > 0 else { return nil }
        return DurationText.clock(.milliseconds(Int64(clamping: self.now > milliseconds ? self.now - milliseconds : 0)))
    }

    private static func fraction(_ value: Double) -> String {
        let hundredths = Int((min(max(value, 0), 1) * 100).rounded())
        return hundredths == 100 ? "1.00" : "0.\(hundredths < 10 ? "0" : "")\(hundredths)"
    }
}
