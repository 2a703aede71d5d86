/// A moment on both clocks: states are compared by the time of day, everything else is measured by one that never jumps.
struct GunTime: Hashable, Sendable {
    var instant: ContinuousClock.Instant
    /// Milliseconds since 1970.
    var unix: Double

    func advanced(by duration: Duration) -> GunTime {
        GunTime(instant: self.instant + duration, unix: self.unix + duration / .milliseconds(1))
    }
}
