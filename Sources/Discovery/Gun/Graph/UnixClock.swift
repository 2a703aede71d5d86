import Foundation

/// The time of day that states are compared with, in milliseconds since 1970 with a fraction.
enum UnixClock {
    static var milliseconds: Double { Date().timeIntervalSince1970 * 1000 }
}
