#if os(Linux)
import Glibc

/// One side of a hole punch: meets the other side at the probe server, then both dial each other's external endpoint.
public struct PunchProbe: Sendable {
    private let server: Endpoint
    private let room: String
    /// Whether the mapped port has a listener too (TCP).
    private let listens: Bool
    private let timeLimit: Duration

    /// How long to go on serving the other side after our own success.
    static let lingering: Duration = .milliseconds(400)
    static let retryInterval: Duration = .milliseconds(20)

    /// - Throws: ``LabError`` with `.commandFailed`.
    public init(server: String, room: String, listens: Bool, timeLimit: Duration) throws(LabError) {
        guard let endpoint = Endpoint(address: server, port: 0) else { throw LabError(.commandFailed, "\(server) is no address in numbers") }
        self.server = endpoint
        self.room = room
        self.listens = listens
        self.timeLimit = timeLimit
    }

    /// Blocks.
    public func run(_ transport: PunchTransport) -> PunchReport {
        do {
            switch transport {
            case .tcp: return try self.tcp()
            case .udp: return try self.udp()
            }
        } catch {
            return .failed("\(error)")
        }
    }

    private func introduce(_ socket: ProbeSocket, naming endpoint: Endpoint?) throws(ProbeSocket.Failure) -> Endpoint? {
        try socket.connect(to: self.server.with(port: ProbeServer.tcpPorts[1]), until: .now + .seconds(5))
        socket.send(line: "meet \(self.room)" + (endpoint.map { " \($0)" } ?? ""))
        guard let answer = socket.readLine(until: .now + .seconds(8)), answer.hasPrefix("peer ") else { return nil }
        return Endpoint(answer.dropFirst(5))
    }

    // MARK: TCP

    private func tcp() throws(ProbeSocket.Failure) -> PunchReport {
        let start = ContinuousClock.now
        let meeting = try ProbeSocket.tcp(bind: .any(isIPv6: self.server.isIPv6))
        guard let bound = meeting.localEndpoint else { return .failed("no local endpoint") }
        let local = Endpoint.any(isIPv6: self.server.isIPv6, port: bound.port)
        var listener: ProbeSocket?
        if self.listens {
            let socket = try ProbeSocket.tcp(bind: local)
            try socket.listen()
            listener = socket
        }
        guard let peer = try self.introduce(meeting, naming: nil) else { return .failed("nobody came to the rendezvous") }
        let introduced = ContinuousClock.now
        var report = PunchReport(
            isConnected: false, wasIntroduced: true, introducedMilliseconds: (introduced - start) / .milliseconds(1), local: "\(bound)", peer: "\(peer)", refusals: 0)

        let deadline = introduced + self.timeLimit
        var dialing: ProbeSocket?
        var nextDial = introduced
        var established: [(socket: ProbeSocket, via: String, received: [UInt8])] = []
        var end = deadline
        let hello = Array((self.room + "\n").utf8)

        func welcome(_ socket: ProbeSocket, via: String) {
            _ = send(socket.descriptor, hello, hello.count, Int32(MSG_NOSIGNAL))
            established.append((socket, via, []))
        }
        while ContinuousClock.now < end {
            if dialing == nil, !report.isConnected, .now >= nextDial, !established.contains(where: { $0.via == "connect" }) {
                nextDial = .now + Self.retryInterval
                let socket = try ProbeSocket.tcp(bind: local)
                switch socket.startConnecting(to: peer) {
                case 0: welcome(socket, via: "connect")
                case EINPROGRESS: dialing = socket
                case ECONNREFUSED: report.refusals += 1
                // EADDRNOTAVAIL: the peer's own connection from there was accepted already.
                default: break
                }
            }
            var descriptors = established.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
            if let dialing { descriptors.append(pollfd(fd: dialing.descriptor, events: Int16(POLLOUT), revents: 0)) }
            if let listener { descriptors.append(pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)) }
            let wait = min(dialing == nil ? nextDial : end, end) - .now
            _ = poll(&descriptors, nfds_t(descriptors.count), Int32(max(1, min(wait / .milliseconds(1), 1000))))
            let ready = Set(descriptors.filter { $0.revents != 0 }.map(\.fd))

            if let socket = dialing, ready.contains(socket.descriptor) {
                dialing = nil
                let error = socket.pendingError
                if error == 0 { welcome(socket, via: "connect") } else if error == ECONNREFUSED { report.refusals += 1 }
            }
            if let listener, ready.contains(listener.descriptor), let socket = listener.acceptNow() { welcome(socket, via: "accept") }
            for index in established.indices.reversed() where ready.contains(established[index].socket.descriptor) {
                var buffer = [UInt8](repeating: 0, count: 512)
                let count = recv(established[index].socket.descriptor, &buffer, buffer.count, 0)
                if count > 0 {
                    established[index].received += buffer[..<count]
                    if !report.isConnected, established[index].received.starts(with: hello) {
                        report.isConnected = true
                        report.via = established[index].via
                        report.punchedMilliseconds = (ContinuousClock.now - introduced) / .milliseconds(1)
                        end = .now + Self.lingering
                    }
                } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                    established.remove(at: index)
                }
            }
        }
        if !report.isConnected { report.reason = "no connection within \(self.timeLimit)" }
        return report
    }

    // MARK: UDP

    /// Plain: no port prediction, no sweep of ports.
    private func udp() throws(ProbeSocket.Failure) -> PunchReport {
        let start = ContinuousClock.now
        let socket = try ProbeSocket.udp(bind: .any(isIPv6: self.server.isIPv6))
        guard let mapped = NATProbe.ask(socket, self.server.with(port: ProbeServer.udpPorts[0]))?.mapped else { return .failed("no UDP gets out") }
        guard let peer = try self.introduce(try .tcp(bind: .any(isIPv6: self.server.isIPv6)), naming: mapped) else { return .failed("nobody came to the rendezvous") }
        let introduced = ContinuousClock.now
        var report = PunchReport(
            isConnected: false, wasIntroduced: true, introducedMilliseconds: (introduced - start) / .milliseconds(1), local: socket.localEndpoint.map { "\($0)" },
            peer: "\(peer)", refusals: 0)
        let hello = Array("hello \(self.room)".utf8)
        let heard = Array("heard \(self.room)".utf8)
        var targets: Set<Endpoint> = [peer]
        var message = hello
        var end = introduced + self.timeLimit
        while .now < end {
            for target in targets { socket.send(message, to: target) }
            let next = ContinuousClock.now + .milliseconds(50)
            while let (bytes, source) = socket.receive(until: next) {
                guard bytes == hello || bytes == heard else { continue }
                if targets.count < 8 { targets.insert(source) }
                message = heard
                // Ours reached the peer, too.
                if bytes == heard, !report.isConnected {
                    report.isConnected = true
                    report.via = "datagram"
                    report.peer = "\(source)"
                    report.punchedMilliseconds = (ContinuousClock.now - introduced) / .milliseconds(1)
                    end = .now + Self.lingering
                }
            }
        }
        if !report.isConnected { report.reason = "nothing heard within \(self.timeLimit)" }
        return report
    }
}
#endif
