public import DIGNet

/// A peer was reached.
public struct TraversalResult: Sendable {
    public var connection: any Connection
    /// The method that won.
    public var method: TraversalMethod
    public var duration: Duration

    public init(connection: any Connection, method: TraversalMethod, duration: Duration) {
        self.connection = connection
        self.method = method
        self.duration = duration
    }
}
