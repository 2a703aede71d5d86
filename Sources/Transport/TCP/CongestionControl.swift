import NIOCore

/// The name of a congestion control algorithm of the system, such as `cubic` or `bbr`.
struct CongestionControl: Hashable, Sendable {
    /// As the socket option has it: 16 bytes, with zeros at the end.
    private var bytes: (UInt64, UInt64)

    init(_ name: String) {
        self.bytes = (0, 0)
        withUnsafeMutableBytes(of: &self.bytes) { $0.copyBytes(from: name.utf8.prefix($0.count - 1)) }
    }

    static let reno = Self("reno")
    static let cubic = Self("cubic")

    /// Whether it goes by a model of the path, with the shortest round trip that TCP has ever seen: BBR of any version.
    var modelsPath: Bool { withUnsafeBytes(of: self.bytes) { $0.starts(with: "bbr".utf8) } }

    static func == (a: Self, b: Self) -> Bool { a.bytes == b.bytes }
    func hash(into hasher: inout Hasher) {
        hasher.combine(self.bytes.0)
        hasher.combine(self.bytes.1)
    }
}

#if os(Linux)
extension NIOBSDSocket.Option {
    /// `TCP_CONGESTION`, see linux/tcp.h.
    fileprivate static let congestionControl = Self(rawValue: 13)
}

extension SocketOptionProvider {
    var congestionControl: EventLoopFuture<CongestionControl> {
        self.unsafeGetSocketOption(level: .tcp, name: .congestionControl)
    }

    /// Has the system find out anew what the path of an open connection is like.
    ///
    /// When both ends' SYN cross, Linux takes the time since it has repeated its own one for the first round trip. That may be far too short, and the
    /// algorithms take the shortest for the truth: CUBIC leaves slow start because everything seems delayed by a queue, and BBR, which asks TCP
    /// itself and not its own memory, holds back for 10 seconds (measured with a round trip of 60 ms, taken for 16: 0.6 MB/s instead of 8).
    func forgetRoundTrip() -> EventLoopFuture<Void> {
        self.congestionControl.flatMap { current in
            self.setCongestionControl(.reno).flatMap { self.setCongestionControl(current.modelsPath ? .cubic : current) }
                // This system lacks one of them: as it was.
                .flatMapError { _ in self.setCongestionControl(current) }
        }.flatMapErrorThrowing { _ in }
    }

    private func setCongestionControl(_ name: CongestionControl) -> EventLoopFuture<Void> {
        self.unsafeSetSocketOption(level: .tcp, name: .congestionControl, value: name)
    }
}
#endif
