#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

enum WallClock {
    /// Unix time. For signed records only; what measures durations uses a monotonic clock.
    static var nowMilliseconds: UInt64 { UInt64(max(0, Date().timeIntervalSince1970 * 1000)) }
}
