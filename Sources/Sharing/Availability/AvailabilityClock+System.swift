import DIGNet

extension AvailabilityClock {
    /// The time of day.
    public static var system: AvailabilityClock {
        AvailabilityClock(nowMilliseconds: { WallClock.nowMilliseconds }, sleep: { try await Task.sleep(for: $0) })
    }
}
