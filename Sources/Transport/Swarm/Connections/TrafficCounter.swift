import Synchronization

/// Bytes of all connections, encryption and framing included.
final class TrafficCounter: Sendable {
    let received = Atomic<UInt64>(0)
    let sent = Atomic<UInt64>(0)
}
