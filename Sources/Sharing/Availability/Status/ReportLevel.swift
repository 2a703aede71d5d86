/// How much is said against a claim. Raw values are the seed's.
public enum ReportLevel: String, Hashable, Sendable, CaseIterable, Comparable, Codable {
    /// No reports, or so old that they no longer count.
    case none
    /// Two and more.
    case low
    /// Three and more.
    case medium
    /// Five and more, by three and more different reporters.
    case high

    /// Begun reports from which on the level is ``low``.
    public static let lowReportCount = 2
    /// Begun reports from which on it is ``medium``.
    public static let mediumReportCount = 3
    /// Begun reports from which on it is ``high``, if they are by ``highReporterCount`` reporters and more.
    public static let highReportCount = 5
    /// See ``highReportCount``.
    public static let highReporterCount = 3

    /// - Parameters:
    ///   - weight: Sum of the reports' weights, each from 0 to 1. What is begun counts whole: a level lasts until the weight has fallen to the
    ///     number below, so that two reports make `low` for one half-life.
    ///   - reporterCount: How many different reporters there are among them.
    public init(weight: Double, reporterCount: Int) {
        // Sums of fractions may be above a whole number by a rounding error.
        let count = max(0, weight - 1e-9).rounded(.up)
        if count >= Double(Self.highReportCount), reporterCount >= Self.highReporterCount {
            self = .high
        } else if count >= Double(Self.mediumReportCount) {
            self = .medium
        } else if count >= Double(Self.lowReportCount) {
            self = .low
        } else {
            self = .none
        }
    }

    private var rank: Int {
        switch self {
        case .none: 0
        case .low: 1
        case .medium: 2
        case .high: 3
        }
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rank < rhs.rank }
}
