/// How TCP sockets are made.
public struct TCPConfiguration: Sendable {
    /// How long a dial waits for the peer's SYN/ACK. Short values fail on slow links, long ones keep dead addresses in the race.
    public var connectTimeout: Duration = .seconds(10)

    /// Dials from the port of a listener of the same address family, so that a NAT maps both alike and hole punching has a port to aim at.
    ///
    /// Off, the system picks a port for each dial. On, a dial whose four-tuple is in use falls back to that.
    public var dialsFromListeningPort = false

    /// Lets other sockets of the same user bind the listening port too, which ``dialsFromListeningPort`` needs (`SO_REUSEPORT`).
    public var sharesListeningPort = true

    /// Connections the kernel completes before they are accepted.
    public var backlog: Int32 = 1024

    /// Bytes offered to each read. A fixed size of 256 KiB gave the highest rate on loopback; the memory is only held while a read runs.
    public var receiveBufferByteCount = 256 * 1024

    /// Reads of one channel before the loop looks at the next channel.
    public var maximumReadsPerLoop: UInt = 4

    /// Bytes waiting for the socket at which a channel stops (high) and starts again (low) being writable.
    public var writeBufferLowWaterMark = 512 * 1024
    public var writeBufferHighWaterMark = 1024 * 1024

    public init() {}
}
