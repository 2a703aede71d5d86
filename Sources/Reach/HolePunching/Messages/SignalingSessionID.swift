/// Names one conversation at one end. Whoever repeats it has received a message of that conversation.
public struct SignalingSessionID: Hashable, Sendable {
    public static let byteCount = 16

    public let bytes: [UInt8]

    /// Nil for any other length.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = Array(bytes)
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> Self {
        Self(random: (0..<Self.byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    private init(random bytes: [UInt8]) { self.bytes = bytes }
}
