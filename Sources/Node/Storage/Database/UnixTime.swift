import Foundation

/// Wall-clock times as they are stored.
enum UnixTime {
    static func milliseconds(_ date: Date) -> Int64 {
        Int64(clamping: Int((date.timeIntervalSince1970 * 1000).rounded()))
    }

    static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}
