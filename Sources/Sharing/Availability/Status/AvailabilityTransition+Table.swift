extension AvailabilityTransition {
    /// The whole function in Markdown: one row for each event, one column for each status, and below the cells that differ under other rules.
    public static func table() -> String {
        var lines = ["| event | available | suspect | unavailable |", "|---|---|---|---|"]
        for event in AvailabilityEvent.allCases {
            let cells = PeerContentStatus.allCases.map { AvailabilityTransition(from: $0, on: event).cell }
            lines.append("| \(event) | \(cells.joined(separator: " | ")) |")
        }
        for (title, rules) in [
            ("What differs with `strictWhitepaper`:", AvailabilityRules(strictWhitepaper: true)),
            ("What differs without verification, beside that nobody is asked:", AvailabilityRules(verifies: false)),
        ] {
            lines += ["", title, "", "| event | from | to |", "|---|---|---|"]
            for event in AvailabilityEvent.allCases {
                for status in PeerContentStatus.allCases {
                    let transition = AvailabilityTransition(from: status, on: event, rules: rules)
                    guard transition.status != AvailabilityTransition(from: status, on: event).status else { continue }
                    lines.append("| \(event) | \(status) | \(transition.cell) |")
                }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var cell: String {
        switch self.action {
        case .none: self.status.rawValue
        case .verifyNow: "\(self.status.rawValue), ask at once"
        case .verifyLater: "\(self.status.rawValue), ask in its rhythm"
        case .retry: "\(self.status.rawValue), ask again"
        case .clearReports: "\(self.status.rawValue), reports cleared"
        }
    }
}
