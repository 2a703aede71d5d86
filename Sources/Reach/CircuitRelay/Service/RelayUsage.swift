/// Bytes relayed in the current day and month (UTC). Kept by whoever keeps it across restarts, see ``RelayService/restore(_:)``.
public struct RelayUsage: Hashable, Sendable, Codable {
    /// Days since 1970-01-01.
    public var day: Int64
    public var bytesToday: UInt64
    /// Months since January of the year 0.
    public var month: Int64
    public var bytesThisMonth: UInt64

    public init(day: Int64 = 0, bytesToday: UInt64 = 0, month: Int64 = 0, bytesThisMonth: UInt64 = 0) {
        self.day = day
        self.bytesToday = bytesToday
        self.month = month
        self.bytesThisMonth = bytesThisMonth
    }

    /// Counts `bytes` for the day of `unixSeconds`; a new day, and a new month, begins with zero. A clock that goes back counts on.
    mutating func add(_ bytes: UInt64, atUnixSeconds unixSeconds: UInt64) {
        let day = Int64(clamping: unixSeconds / 86_400)
        if day > self.day {
            self.day = day
            self.bytesToday = 0
        }
        let month = Self.month(ofDay: day)
        if month > self.month {
            self.month = month
            self.bytesThisMonth = 0
        }
        self.bytesToday = self.bytesToday.addingClamped(bytes)
        self.bytesThisMonth = self.bytesThisMonth.addingClamped(bytes)
    }

    func isExhausted(_ configuration: RelayServiceConfiguration) -> Bool {
        configuration.bytesPerDay.map { self.bytesToday >= $0 } ?? false || configuration.bytesPerMonth.map { self.bytesThisMonth >= $0 } ?? false
    }

    /// In the Gregorian calendar, with years that begin in March so that the leap day is the last (Howard Hinnant, "chrono-compatible
    /// low-level date algorithms", civil_from_days).
    static func month(ofDay day: Int64) -> Int64 {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        // March is 2 of twelve, counted from 0.
        return (yearOfEra + era * 400) * 12 + monthFromMarch + 2
    }
}

extension UInt64 {
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = self.addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
