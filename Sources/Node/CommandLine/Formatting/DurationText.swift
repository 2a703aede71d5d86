/// Durations as people read them.
public enum DurationText {
    /// `0:07`, `12:34`, `1:02:03`, `3 d 4 h`; rounded up to a second, so that "0:00" means done.
    public static func clock(_ duration: Duration) -> String {
        let parts = duration.components
        let seconds = max(0, parts.seconds + (parts.attoseconds > 0 ? 1 : 0))
        if seconds >= 100 * 86_400 { return "> 99 d" }
        if seconds >= 86_400 { return "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h" }
        let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60)
        if hours > 0 { return "\(hours):\(self.twoDigits(minutes)):\(self.twoDigits(rest))" }
        return "\(minutes):\(self.twoDigits(rest))"
    }

    /// `0.4 s`, `12.3 s`, then as ``clock(_:)``: how long something took.
    public static func elapsed(_ duration: Duration) -> String {
        let seconds = self.seconds(duration)
        return seconds < 59.95 ? ByteCount.fixed(seconds, decimals: 1) + " s" : self.clock(duration)
    }

    public static func seconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return max(0, Double(parts.seconds) + Double(parts.attoseconds) / 1e18)
    }

    private static func twoDigits(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// `0.42 s`, then as ``elapsed(_:)``: how long somebody took to answer.
    public static func latency(_ duration: Duration) -> String {
        let seconds = self.seconds(duration)
        return seconds < 9.995 ? ByteCount.fixed(seconds, decimals: 2) + " s" : self.elapsed(duration)
    }

    /// Reads `10`, `10s`, `1.5s`, `500ms`, `2m`, `1h`, `7d`, `2w`.
    ///
    /// - Returns: `nil` if the text is none of these, or is more than a year.
    public static func parse(_ text: String) -> Duration? {
        let text = text.lowercased().filter { $0 != " " }
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard !number.isEmpty, let milliseconds = self.units[String(text.dropFirst(number.count))], let value = Double(number) else { return nil }
        let total = value * milliseconds
        guard total <= 366 * 86_400_000 else { return nil }
        return .milliseconds(Int64(total.rounded()))
    }

    private static let units: [String: Double] = ["": 1000, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000]
}
