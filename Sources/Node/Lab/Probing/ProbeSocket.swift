#if os(Linux)
import Glibc

/// A socket used from one thread at a time, closed with its last reference. Blocking work is bounded by a deadline.
final class ProbeSocket: Sendable {
    let descriptor: Int32

    init(adopting descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(self.descriptor) }

    struct Failure: Error, CustomStringConvertible {
        var operation: String
        var number: Int32
        var description: String { "\(self.operation): \(String(cString: strerror(self.number)))" }
    }

    static func udp(bind endpoint: Endpoint) throws(Failure) -> ProbeSocket {
        let socket = try self.make(endpoint.family, SOCK_DGRAM)
        try socket.bind(endpoint)
        return socket
    }

    /// With both reuse options: the same port serves several connections and a listener only if all of them have both.
    static func tcp(bind endpoint: Endpoint) throws(Failure) -> ProbeSocket {
        let socket = try self.make(endpoint.family, SOCK_STREAM)
        try socket.setOption(SOL_SOCKET, SO_REUSEADDR, 1)
        try socket.setOption(SOL_SOCKET, SO_REUSEPORT, 1)
        try socket.bind(endpoint)
        return socket
    }

    private static func make(_ family: Int32, _ type: __socket_type) throws(Failure) -> ProbeSocket {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = Glibc.socket(family, Int32(type.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw Failure(operation: "socket", number: errno) }
        let socket = ProbeSocket(adopting: descriptor)
        if family == AF_INET6 { try socket.setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        return socket
    }

    private func setOption(_ level: Int32, _ name: Int32, _ value: Int32) throws(Failure) {
        var value = value
        guard setsockopt(self.descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else { throw Failure(operation: "setsockopt", number: errno) }
    }

    private func bind(_ endpoint: Endpoint) throws(Failure) {
        guard endpoint.withSocketAddress({ Glibc.bind(self.descriptor, $0, $1) }) == 0 else { throw Failure(operation: "bind \(endpoint)", number: errno) }
    }

    func listen() throws(Failure) {
        guard Glibc.listen(self.descriptor, 64) == 0 else { throw Failure(operation: "listen", number: errno) }
    }

    var localEndpoint: Endpoint? { self.name(getsockname) }
    var remoteEndpoint: Endpoint? { self.name(getpeername) }

    private func name(_ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> Endpoint? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(self.descriptor, $0, &length) } }
        return result == 0 ? Endpoint(storage) : nil
    }

    /// - Returns: Whether one of `events` (or an error) came before the deadline.
    func wait(for events: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = deadline - .now
            guard left > .zero else { return false }
            var descriptor = pollfd(fd: self.descriptor, events: Int16(events), revents: 0)
            let count = poll(&descriptor, 1, Int32(min(left / .milliseconds(1), 60_000)) + 1)
            if count > 0 { return true }
            if count < 0 && errno != EINTR { return false }
        }
    }

    // MARK: TCP

    /// Starts connecting.
    ///
    /// - Returns: 0 if connected at once, `EINPROGRESS`, or why not.
    func startConnecting(to endpoint: Endpoint) -> Int32 {
        endpoint.withSocketAddress { Glibc.connect(self.descriptor, $0, $1) } == 0 ? 0 : errno
    }

    /// The outcome of a connection attempt that became writable; 0 if it stands.
    var pendingError: Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(self.descriptor, SOL_SOCKET, SO_ERROR, &value, &length) == 0 ? value : errno
    }

    func connect(to endpoint: Endpoint, until deadline: ContinuousClock.Instant) throws(Failure) {
        let result = self.startConnecting(to: endpoint)
        if result == 0 { return }
        guard result == EINPROGRESS else { throw Failure(operation: "connect to \(endpoint)", number: result) }
        guard self.wait(for: POLLOUT, until: deadline) else { throw Failure(operation: "connect to \(endpoint)", number: ETIMEDOUT) }
        let error = self.pendingError
        guard error == 0 else { throw Failure(operation: "connect to \(endpoint)", number: error) }
    }

    /// - Returns: `nil` if nobody waits.
    func acceptNow() -> ProbeSocket? {
        let descriptor = Glibc.accept(self.descriptor, nil, nil)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        return ProbeSocket(adopting: descriptor)
    }

    func accept(until deadline: ContinuousClock.Instant) -> ProbeSocket? {
        while self.wait(for: Int32(POLLIN), until: deadline) {
            if let socket = self.acceptNow() { return socket }
        }
        return nil
    }

    /// Lines are short enough to fit any socket buffer: what does not go out at once never will.
    @discardableResult
    func send(line: String) -> Bool {
        let bytes = Array((line + "\n").utf8)
        return Glibc.send(self.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    static let maximumLineLength = 256

    /// - Returns: `nil` at the end of the stream, at the deadline, or if the line is longer than 256 bytes.
    func readLine(until deadline: ContinuousClock.Instant) -> String? {
        var line: [UInt8] = []
        while line.count < Self.maximumLineLength, self.wait(for: Int32(POLLIN), until: deadline) {
            var byte: UInt8 = 0
            let count = recv(self.descriptor, &byte, 1, 0)
            if count == 1 {
                if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
                line.append(byte)
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                return nil
            }
        }
        return nil
    }

    // MARK: UDP

    func send(_ bytes: [UInt8], to endpoint: Endpoint) {
        // An ICMP answer to an earlier datagram is no reason not to send this one.
        for _ in 0..<2 where endpoint.withSocketAddress({ sendto(self.descriptor, bytes, bytes.count, 0, $0, $1) }) < 0 && errno == ECONNREFUSED { continue }
    }

    func receive(until deadline: ContinuousClock.Instant) -> (bytes: [UInt8], source: Endpoint)? {
        while self.wait(for: Int32(POLLIN), until: deadline) {
            if let datagram = self.receiveNow() { return datagram }
        }
        return nil
    }

    func receiveNow() -> (bytes: [UInt8], source: Endpoint)? {
        var buffer = [UInt8](repeating: 0, count: 2048)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(self.descriptor, &buffer, buffer.count, 0, $0, &length) }
        }
        guard count >= 0, let source = Endpoint(storage) else { return nil }
        return (Array(buffer[..<count]), source)
    }
}
#endif
