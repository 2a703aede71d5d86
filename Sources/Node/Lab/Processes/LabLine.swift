/// One line that a process on a host printed.
public struct LabLine: Hashable, Sendable {
    public enum Stream: String, Hashable, Sendable { case standardOutput = "out", standardError = "err" }

    public var stream: Stream
    /// Without its end; bytes that are no UTF-8 are replaced.
    public var text: String
    /// When it was read.
    public var instant: ContinuousClock.Instant
}
