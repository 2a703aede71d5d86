#if os(Linux)
import Glibc

/// Measures, from inside a home, what its NAT does: RFC 5780's tests for UDP, and the same questions for TCP.
public struct NATProbe: Sendable {
    static let attempts = 3
    static let patience: Duration = .milliseconds(500)

    /// Two addresses of the server, of one family.
    private let first: Endpoint
    private let second: Endpoint

    /// - Throws: ``LabError`` with `.commandFailed`.
    public init(server: [String]) throws(LabError) {
        let parsed = server.compactMap { Endpoint(address: $0, port: 0) }
        guard parsed.count == 2, server.count == 2, parsed[0].isIPv6 == parsed[1].isIPv6 else {
            throw LabError(.commandFailed, "the probe needs two addresses of its server, of one family")
        }
        self.first = parsed[0]
        self.second = parsed[1]
    }

    /// Both transports at once; takes about 2 s. Blocks.
    ///
    /// - Parameter addresses: Two of IPv4, or two and two of IPv6.
    public static func run(addresses: [String]) throws(LabError) -> ProbeReport {
        let v4 = try NATProbe(server: addresses.filter { !$0.contains(":") })
        let sixes = addresses.filter { $0.contains(":") }
        let v6 = sixes.isEmpty ? nil : try NATProbe(server: sixes)
        let udp = Locked(TransportReport.blocked)
        let tcp = Locked(TransportReport.blocked)
        let udp6 = Locked<TransportReport?>(nil)
        Blocking.concurrently(
            limit: 3,
            [
                { let report = v4.udp(); udp.withLock { $0 = report } },
                { let report = v4.tcp(); tcp.withLock { $0 = report } },
                { let report = v6?.udp(); udp6.withLock { $0 = report } },
            ])
        return ProbeReport(udp: udp.withLock { $0 }, tcp: tcp.withLock { $0 }, udp6: udp6.withLock { $0 })
    }

    // MARK: UDP

    func udp() -> TransportReport {
        // The filter is asked on sockets that never spoke to the second address, which would open it.
        let filtering = Locked<Dependence?>(nil)
        let mapping = Locked<TransportReport>(.blocked)
        let hairpins = Locked<Bool?>(nil)
        Blocking.concurrently(
            limit: 3,
            [
                { let result = self.udpMapping(); mapping.withLock { $0 = result } },
                { let result = self.udpFiltering(); filtering.withLock { $0 = result } },
                { let result = self.udpHairpin(); hairpins.withLock { $0 = result } },
            ])
        var report = mapping.withLock { $0 }
        guard !report.isBlocked else { return report }
        report.filtering = filtering.withLock { $0 }
        report.hairpins = hairpins.withLock { $0 }
        return report
    }

    private func socket() -> ProbeSocket? { try? .udp(bind: .any(isIPv6: self.first.isIPv6)) }

    static func ask(_ socket: ProbeSocket, _ server: Endpoint, changesAddress: Bool = false, changesPort: Bool = false) -> BindingMessage? {
        let identifier = (0..<12).map { _ in UInt8.random(in: 0 ... .max) }
        let request = BindingMessage(request: identifier, changesAddress: changesAddress, changesPort: changesPort).bytes
        for _ in 0..<Self.attempts {
            socket.send(request, to: server)
            let deadline = ContinuousClock.now + Self.patience
            while let (bytes, _) = socket.receive(until: deadline) {
                if let response = BindingMessage(bytes), response.kind == .response, response.transactionID == identifier { return response }
            }
        }
        return nil
    }

    private func udpMapping() -> TransportReport {
        let servers = [self.first.with(port: ProbeServer.udpPorts[0]), self.second.with(port: ProbeServer.udpPorts[0]), self.first.with(port: ProbeServer.udpPorts[1])]
        guard let socket = self.socket(), let local = socket.localEndpoint else { return .blocked }
        var seen: [Endpoint] = []
        for server in servers {
            guard let mapped = Self.ask(socket, server)?.mapped else { return .blocked }
            seen.append(mapped)
        }
        return Self.report(local: local, seen: seen)
    }

    private static func report(local: Endpoint, seen: [Endpoint]) -> TransportReport {
        let mapping: Dependence =
            seen[0] != seen[2] ? .addressAndPortDependent : seen[0] != seen[1] ? .addressDependent : .endpointIndependent
        return TransportReport(
            isBlocked: false, mapping: mapping, keepsPort: seen.allSatisfy { $0.port == local.port }, local: "\(local)", external: seen.map(\.description))
    }

    private func udpFiltering() -> Dependence? {
        let server = self.first.with(port: ProbeServer.udpPorts[0])
        guard let socket = self.socket(), Self.ask(socket, server) != nil else { return nil }
        if Self.ask(socket, server, changesAddress: true, changesPort: true) != nil { return .endpointIndependent }
        return Self.ask(socket, server, changesPort: true) != nil ? .addressDependent : .addressAndPortDependent
    }

    private func udpHairpin() -> Bool? {
        let server = self.first.with(port: ProbeServer.udpPorts[0])
        guard let a = self.socket(), let b = self.socket(), let mappedA = Self.ask(a, server)?.mapped, let mappedB = Self.ask(b, server)?.mapped else { return nil }
        let token = Array("hairpin".utf8)
        let deadline = ContinuousClock.now + .seconds(1)
        while .now < deadline {
            // Both send, so that each filter knows the other.
            a.send(token, to: mappedB)
            b.send(token, to: mappedA)
            while let (bytes, _) = b.receive(until: .now + .milliseconds(100)) { if bytes == token { return true } }
        }
        return false
    }

    // MARK: TCP

    func tcp() -> TransportReport {
        let filtering = Locked<Dependence?>(nil)
        let mapping = Locked<TransportReport>(.blocked)
        Blocking.concurrently(
            limit: 2,
            [
                { let result = self.tcpMapping(); mapping.withLock { $0 = result } },
                { let result = self.tcpFiltering(); filtering.withLock { $0 = result } },
            ])
        var report = mapping.withLock { $0 }
        if !report.isBlocked { report.filtering = filtering.withLock { $0 } }
        return report
    }

    private func tcpMapping() -> TransportReport {
        let ports = ProbeServer.tcpPorts
        let servers = [self.first.with(port: ports[0]), self.second.with(port: ports[0]), self.first.with(port: ports[1])]
        var local = Endpoint.any(isIPv6: self.first.isIPv6)
        // Kept open: a closed connection's port could be mapped anew.
        var sockets: [ProbeSocket] = []
        var seen: [Endpoint] = []
        for server in servers {
            let deadline = ContinuousClock.now + .seconds(3)
            guard let socket = try? ProbeSocket.tcp(bind: local), (try? socket.connect(to: server, until: deadline)) != nil, let bound = socket.localEndpoint,
                socket.send(line: "observe"), let answer = socket.readLine(until: deadline), let endpoint = Endpoint(answer.dropFirst(4))
            else { return .blocked }
            local = local.with(port: bound.port)
            sockets.append(socket)
            seen.append(endpoint)
        }
        return Self.report(local: local, seen: seen)
    }

    private func tcpFiltering() -> Dependence? {
        let deadline = ContinuousClock.now + .seconds(10)
        guard let socket = try? ProbeSocket.tcp(bind: .any(isIPv6: self.first.isIPv6)), let bound = socket.localEndpoint,
            let listener = try? ProbeSocket.tcp(bind: .any(isIPv6: self.first.isIPv6, port: bound.port)), (try? listener.listen()) != nil,
            (try? socket.connect(to: self.first.with(port: ProbeServer.tcpPorts[0]), until: .now + .seconds(3))) != nil
        else { return nil }
        func getsIn(_ from: String) -> Bool? {
            guard socket.send(line: "dial \(from)"), let answer = socket.readLine(until: deadline) else { return nil }
            return answer == "dialed yes" && listener.accept(until: .now + .milliseconds(500)) != nil
        }
        guard let fromAddress = getsIn("address") else { return nil }
        if fromAddress { return .endpointIndependent }
        guard let fromPort = getsIn("port") else { return nil }
        return fromPort ? .addressDependent : .addressAndPortDependent
    }
}
#endif
