public import DIGWebSocket

/// The WebSockets of a peer of GUN.
public struct GunWebSocketConfiguration: Sendable {
    /// Whom to believe when a relay inside TLS shows its certificate. What is worth protecting is signed, and sealed where it is secret.
    public var certificateVerification = WebSocketConfiguration.CertificateVerification.systemRoots
    /// From the TCP connection to the first frame: TLS and HTTP together.
    public var handshakeTimeout: Duration = .seconds(10)
    /// Bytes of the HTTP request or answer; more end the handshake.
    public var headByteCount = 16 * 1024
    /// Bytes of one frame, which is kept whole; a longer one ends the connection. Longer messages than ``GunLimits/messageByteCount`` are dropped
    /// and answered, so this is the larger one.
    public var frameByteCount = 1024 * 1024
    /// Bytes that wait for a peer that does not read. More end its connection.
    public var pendingByteCount = 4 * 1024 * 1024
    /// How often a relay that was dialed is sent a WebSocket ping.
    public var pingInterval: Duration = .seconds(25)
    /// A connection on which nothing is received for so long is closed. Relays say something every 20 s.
    public var idleTimeout: Duration = .seconds(75)

    public init() {}
}
