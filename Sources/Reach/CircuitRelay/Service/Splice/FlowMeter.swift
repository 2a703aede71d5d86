import Synchronization

/// What one direction of a circuit has carried and may still carry: written by its handler, read and filled up by the service.
final class FlowMeter: Sendable {
    /// Bytes that may still be carried; below zero after more came at once. Not looked at without a rate.
    let balance: Atomic<Int>
    /// The handler stopped reading because of the balance.
    let isWaiting = Atomic<Bool>(false)
    /// All bytes so far.
    let carried = Atomic<UInt64>(0)
    let isLimited: Bool

    init(isLimited: Bool) {
        self.isLimited = isLimited
        self.balance = Atomic(isLimited ? RateAllocator.idleByteCount : 0)
    }
}
