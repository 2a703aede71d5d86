/// How UDP sockets are made.
public struct UDPConfiguration: Sendable {
    /// Bytes the kernel keeps for a socket that is not read fast enough (`SO_RCVBUF`); further datagrams are dropped. Nil: the system's value.
    /// Systems cap it (Linux: `net.core.rmem_max`).
    public var receiveBufferByteCount: Int? = 2 * 1024 * 1024
    /// Bytes the kernel takes ahead of the network (`SO_SNDBUF`). Nil: the system's value.
    public var sendBufferByteCount: Int? = 2 * 1024 * 1024
    /// A datagram of so many bytes is received whole; of a longer one, the rest may be cut off. 1,452 bytes fit an Ethernet frame of IPv6.
    public var maximumDatagramByteCount = 2048
    /// Datagrams read in one system call where the system can (Linux). Each costs ``maximumDatagramByteCount`` of memory while it is handled.
    public var datagramsPerRead = 16
    /// Datagrams kept while the kernel takes no more; one more is dropped. 0 drops at once.
    public var maximumQueuedDatagramCount = 256

    public init() {}
}
