#if os(Linux)
import Glibc

/// Carries frames from one interface to another, each after the same time, in order.
///
/// One thread and one ring of frames per direction: what arrives is stamped, what is due is sent. The kernel of the machines we run on
/// has no netem. Written with raw pointers because it has to carry hundreds of megabits also when built for debugging.
struct DelayLine: @unchecked Sendable {
    // Every field is constant after `init`, and only the thread in `run()` touches what they point to.
    private let source: Int32
    private let sink: Int32
    private let delayNanoseconds: Int64
    /// Of 2^32.
    private let lossThreshold: UInt64
    private let slotCount: Int
    private let frames: UnsafeMutableRawPointer
    private let lengths: UnsafeMutablePointer<Int>
    private let dueTimes: UnsafeMutablePointer<Int64>
    private let seed: UInt64

    /// 1500 bytes and all headers fit.
    static let slotSize = 2048
    /// Frames on the way at most, per second of delay: 1 Gbit/s of full frames. What does not fit is lost, as in a router.
    static let framesPerSecond = 100_000
    static let slotRange = 4096...131_072

    init(from source: PacketSocket, to sink: PacketSocket, delay: Duration, loss: Double, seed: UInt64) {
        self.source = source.descriptor
        self.sink = sink.descriptor
        let (seconds, attoseconds) = delay.components
        self.delayNanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        self.lossThreshold = UInt64(loss * Double(UInt64(1) << 32))
        let wanted = Int(self.delayNanoseconds) * Self.framesPerSecond / 1_000_000_000
        self.slotCount = min(max(wanted, Self.slotRange.lowerBound), Self.slotRange.upperBound)
        // Pages come only as they are touched.
        self.frames = UnsafeMutableRawPointer.allocate(byteCount: self.slotCount * Self.slotSize, alignment: 64)
        self.lengths = .allocate(capacity: self.slotCount)
        self.dueTimes = .allocate(capacity: self.slotCount)
        self.seed = seed | 1
    }

    /// Runs until the process ends.
    func run() -> Never {
        Self.sharpenTimers()
        var head = 0
        var count = 0
        var random = self.seed
        let waiting = UnsafeMutablePointer<fd_set>.allocate(capacity: 1)
        let timeout = UnsafeMutablePointer<timespec>.allocate(capacity: 1)
        while true {
            // Wait for a frame, or until the oldest is due.
            if count > 0 {
                let left = self.dueTimes[head] - Self.now()
                if left > 0 { self.wait(waiting, timeout, left) }
            } else {
                self.wait(waiting, timeout, 1_000_000_000)
            }

            var tail = head + count
            if tail >= self.slotCount { tail -= self.slotCount }
            let now = Self.now()
            // Not endlessly: what is due must go.
            var received = 0
            while received < 64 {
                let slot = count < self.slotCount ? tail : -1
                // A full ring still takes frames from the socket, to lose them here instead of making them late.
                let place = slot >= 0 ? self.frames + slot * Self.slotSize : self.frames + tail * Self.slotSize
                if slot < 0 {
                    var scratch: UInt8 = 0
                    if recv(self.source, &scratch, 0, Int32(MSG_TRUNC)) < 0 { break }
                    received += 1
                    continue
                }
                let length = recv(self.source, place, Self.slotSize, Int32(MSG_TRUNC))
                if length <= 0 { break }
                received += 1
                if length > Self.slotSize { continue }
                if self.lossThreshold > 0 {
                    random ^= random << 13
                    random ^= random >> 7
                    random ^= random << 17
                    if random >> 32 < self.lossThreshold { continue }
                }
                self.lengths[slot] = length
                self.dueTimes[slot] = now &+ self.delayNanoseconds
                count &+= 1
                tail &+= 1
                if tail == self.slotCount { tail = 0 }
            }

            let sending = Self.now()
            while count > 0, self.dueTimes[head] <= sending {
                _ = send(self.sink, self.frames + head * Self.slotSize, self.lengths[head], 0)
                head &+= 1
                if head == self.slotCount { head = 0 }
                count &-= 1
            }
        }
    }

    /// `pselect`, because `poll` knows only whole milliseconds.
    private func wait(_ set: UnsafeMutablePointer<fd_set>, _ timeout: UnsafeMutablePointer<timespec>, _ nanoseconds: Int64) {
        let raw = UnsafeMutableRawPointer(set)
        memset(raw, 0, MemoryLayout<fd_set>.size)
        // FD_SET: bit n of an array of longs, which on little-endian machines is bit n of an array of bytes.
        let byte = raw.assumingMemoryBound(to: UInt8.self) + Int(self.source) / 8
        byte.pointee |= 1 << UInt8(self.source % 8)
        timeout.pointee = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        _ = pselect(self.source + 1, set, nil, nil, timeout, nil)
    }

    /// The kernel may wake a thread 50 µs late to save power, unless told otherwise. `prctl` is variadic and out of reach; a thread has a
    /// folder in /proc like a process.
    private static func sharpenTimers() {
        var link = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/thread-self", &link, link.count)
        guard length > 0 else { return }
        let text = String(decoding: link.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let thread = text.split(separator: "/").last else { return }
        let file = open("/proc/\(thread)/timerslack_ns", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, "1", 1)
        close(file)
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
#endif
