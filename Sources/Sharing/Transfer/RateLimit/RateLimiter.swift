public import NIOCore
import Synchronization

/// Limits a byte rate across event loops; settable while in use.
///
/// Limiters compose: one for a transfer has the one for the node as parent, and its bytes count in both. A limiter without a limit
/// anywhere above it costs one atomic read.
///
/// A sender asks ``reserve(_:now:)`` before each frame. A receiver calls ``reserve(_:now:)`` after each read and reads again when
/// ``readyAt(now:)`` comes.
public final class RateLimiter: Sendable {
    private let parent: RateLimiter?
    private let isLimited: Atomic<Bool>
    private let bucket: Mutex<ByteBucket?>

    /// - Parameter bytesPerSecond: Nil: no limit of its own.
    public init(bytesPerSecond: Int? = nil, burstByteCount: Int? = nil, parent: RateLimiter? = nil) {
        self.parent = parent
        self.isLimited = Atomic(bytesPerSecond != nil)
        self.bucket = Mutex(bytesPerSecond.map { ByteBucket(bytesPerSecond: $0, burstByteCount: burstByteCount) })
    }

    /// The limit in force, nil if there is none here; a parent may have one.
    public var bytesPerSecond: Int? { self.bucket.withLock { $0?.bytesPerSecond } }

    /// Sets or lifts the limit. Reservations made keep their time.
    public func setRate(bytesPerSecond: Int?, burstByteCount: Int? = nil, now: NIODeadline = .now()) {
        self.bucket.withLock { bucket in
            guard let bytesPerSecond else {
                bucket = nil
                return
            }
            bucket = bucket?.withRate(bytesPerSecond: bytesPerSecond, burstByteCount: burstByteCount, now: now)
                ?? ByteBucket(bytesPerSecond: bytesPerSecond, burstByteCount: burstByteCount)
        }
        self.isLimited.store(bytesPerSecond != nil, ordering: .releasing)
    }

    /// Takes `byteCount` here and in every parent.
    ///
    /// - Returns: When the bytes may go: `now` or later.
    public func reserve(_ byteCount: Int, now: NIODeadline) -> NIODeadline {
        var readyAt = now
        if self.isLimited.load(ordering: .acquiring) {
            readyAt = self.bucket.withLock { $0?.reserve(byteCount, now: now) } ?? now
        }
        guard let parent = self.parent else { return readyAt }
        return max(readyAt, parent.reserve(byteCount, now: now))
    }

    /// Gives back a reservation that is not used.
    public func refund(_ byteCount: Int) {
        if self.isLimited.load(ordering: .acquiring) {
            self.bucket.withLock { $0?.refund(byteCount) }
        }
        self.parent?.refund(byteCount)
    }

    /// When the next bytes may go. `now`: at once.
    public func readyAt(now: NIODeadline) -> NIODeadline {
        var readyAt = now
        if self.isLimited.load(ordering: .acquiring) {
            readyAt = self.bucket.withLock { $0?.readyAt(now: now) } ?? now
        }
        guard let parent = self.parent else { return readyAt }
        return max(readyAt, parent.readyAt(now: now))
    }

    /// How many bytes may go now without delay. Nil: any number.
    public func availableByteCount(now: NIODeadline) -> Int? {
        let own = self.isLimited.load(ordering: .acquiring) ? self.bucket.withLock { $0?.availableByteCount(now: now) } : nil
        let above = self.parent?.availableByteCount(now: now)
        guard let own else { return above }
        return min(own, above ?? own)
    }
}
