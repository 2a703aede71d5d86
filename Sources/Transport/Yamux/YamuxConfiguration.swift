public import NIOCore

/// The limits and times of one Yamux connection.
///
/// Bytes received and not yet read are bounded by 256 KiB × (inbound and outbound streams) + ``receiveWindowBudget``.
public struct YamuxConfiguration: Sendable {
    /// The longest body of a data frame sent. With the 12-byte header the default is 65,519 bytes, exactly what fits into one Noise
    /// message (65,535 bytes less the 16-byte tag, libp2p specs, noise, "Wire format"), so that a full frame costs one seal. Between 1 and 16 MiB.
    public var maximumFrameBodyByteCount = 65_507

    /// How far a stream's receive window may grow. It starts at 256 KiB (the spec's initial window), below which it cannot be set, and
    /// doubles while the peer uses it up within four round trips.
    public var maximumReceiveWindow: UInt32 = 16 * 1024 * 1024

    /// By how many bytes all receive windows together may exceed their initial size. 0 turns growth off.
    public var receiveWindowBudget = 64 * 1024 * 1024

    /// Streams opened by the peer; more are reset.
    public var maximumInboundStreams = 1024

    /// Streams opened by this side that the peer has not acknowledged (libp2p specs, yamux, "ACK backlog"). More wait.
    public var maximumUnacknowledgedStreams = 256

    /// Streams that may wait for the peer to acknowledge others. More fail with `.streamLimitExceeded`.
    public var maximumWaitingStreams = 1024

    /// After so long without a byte from the peer it is asked for a sign of life. nil: never.
    public var keepAliveInterval: Duration? = .seconds(30)

    /// The same while streams are open, if that is shorter: somebody waits. A NAT that restarts ends connections without a word.
    public var busyKeepAliveInterval: Duration = .seconds(10)

    /// How long the answer to a ping, or any other byte, may take before the connection is given up.
    public var keepAliveTimeout: Duration = .seconds(10)

    /// How many frames that cost work and carry nothing (pings, resets, surplus window updates, frames of unknown streams,
    /// refused streams) a peer may send at once, and how many more each second.
    public var glitchBurst = 2000
    public var glitchesPerSecond = 500

    /// What a stream holds before its channel becomes unwritable.
    public var streamWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 128 * 1024, high: 256 * 1024)

    /// Set on the channel below, so that one system call carries several frames.
    public var connectionWaterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 256 * 1024, high: 512 * 1024)

    /// How long ``StreamMultiplexer/close()`` waits for the peer to take what is written.
    public var closeTimeout: Duration = .seconds(2)

    public init() {}
}
