/// How TCP sockets are made.
public struct TCPConfiguration: Sendable {
    /// How long a dial waits for the peer's SYN/ACK, and how long a punch goes on. Short values fail on slow links, long ones keep dead
    /// addresses in the race.
    public var connectTimeout: Duration = .seconds(10)

    /// Makes ordinary connections leave from the port of a listener of the same address family: the NAT maps that port then, peers see it and
    /// report it, and a punch has a port to aim at.
    ///
    /// Off, the system picks a port for each connection. On, one whose four-tuple is in use falls back to that. A punch leaves from the
    /// listening port and a dial-back from another in any case.
    public var dialsFromListeningPort = true

    /// Lets other sockets of the same user bind the listening port too, which ``dialsFromListeningPort`` and a punch need (`SO_REUSEPORT`).
    public var sharesListeningPort = true

    /// How long one attempt of a punch waits. The kernel repeats a SYN after one second, three and seven (RFC 6298 §2.1 and §5.5), which is
    /// seldom; a new attempt begins with the first again. Shorter than a round trip, an answer would meet a socket that is gone.
    public var punchAttemptTimeout: Duration = .seconds(2)

    /// The wait before a punch that was refused is tried again, give or take half of it at random. A NAT that answers strangers with RST shuts
    /// the hole again: it opens only if both SYNs are on their way at once, and two ends that wait equally long might always miss each other.
    public var punchRetryDelay: Duration = .milliseconds(50)

    /// Connections the kernel completes before they are accepted.
    public var backlog: Int32 = 1024

    /// Bytes offered to each read. A fixed size of 256 KiB gave the highest rate on loopback. A dialed connection, of which there are few,
    /// keeps a buffer of this size; an accepted one begins with 2 KiB and grows up to this while much comes.
    public var receiveBufferByteCount = 256 * 1024

    /// Reads of one channel before the loop looks at the next channel.
    public var maximumReadsPerLoop: UInt = 4

    /// Bytes waiting for the socket at which a channel stops (high) and starts again (low) being writable.
    public var writeBufferLowWaterMark = 512 * 1024
    public var writeBufferHighWaterMark = 1024 * 1024

    public init() {}
}
