#if os(Linux)
import Foundation
import Glibc

/// The public end of the probes: STUN on two addresses and two ports each, a TCP server that dials back, and a rendezvous.
///
/// TCP speaks lines: `observe` → `you ENDPOINT`; `dial address` and `dial port` (from another address, from another port of this one) →
/// `dialed yes|no`; `meet ROOM [ENDPOINT]` → `peer ENDPOINT`, to both once two have come. It serves a lab, not the internet: it has no
/// limits but the number of connections a process may have.
public struct ProbeServer: Sendable {
    /// What a home that lets out nothing but the web can reach as well.
    static let tcpPorts: [UInt16] = [80, 443]
    static let udpPorts: [UInt16] = [Blueprint.stunPort, Blueprint.stunPort + 1]
    static let dialTimeout: Duration = .milliseconds(1500)

    /// Two of one family each.
    private let pairs: [(Endpoint, Endpoint)]
    private let rooms = Locked<[String: (socket: ProbeSocket, endpoint: Endpoint)]>([:])

    /// - Parameter addresses: Two of IPv4, or two and two of IPv6, all of them this machine's.
    /// - Throws: ``LabError`` with `.commandFailed`.
    public init(addresses: [String]) throws(LabError) {
        let parsed = addresses.compactMap { Endpoint(address: $0, port: 0) }
        let pairs = [parsed.filter { !$0.isIPv6 }, parsed.filter(\.isIPv6)].filter { !$0.isEmpty }
        guard parsed.count == addresses.count, !pairs.isEmpty, pairs.allSatisfy({ $0.count == 2 }) else {
            throw LabError(.commandFailed, "the probe server needs two addresses of a family, in numbers")
        }
        self.pairs = pairs.map { ($0[0], $0[1]) }
    }

    /// Serves until the process ends.
    ///
    /// - Throws: ``LabError`` with `.commandFailed` if an address can't be bound.
    public func run(onReady: () -> Void) throws(LabError) -> Never {
        do {
            for pair in self.pairs {
                try self.serveUDP(pair)
                for address in [pair.0, pair.1] { for port in Self.tcpPorts { try self.serveTCP(address.with(port: port), other: address == pair.0 ? pair.1 : pair.0) } }
            }
        } catch {
            throw LabError(.commandFailed, "the probe server can't listen: \(error)")
        }
        onReady()
        while true { sleep(3600) }
    }

    private func serveUDP(_ pair: (Endpoint, Endpoint)) throws(ProbeSocket.Failure) {
        // Index: bit 1 is the address, bit 0 the port.
        var sockets: [ProbeSocket] = []
        for address in [pair.0, pair.1] { for port in Self.udpPorts { sockets.append(try .udp(bind: address.with(port: port))) } }
        let all = sockets
        for index in all.indices {
            Blocking.detach {
                while true {
                    guard let (bytes, source) = all[index].receive(until: .now + .seconds(3600)), let request = BindingMessage(bytes), request.kind == .request,
                        let other = all[index ^ 3].localEndpoint
                    else { continue }
                    let socket = all[index ^ (request.changesAddress ? 2 : 0) ^ (request.changesPort ? 1 : 0)]
                    guard let origin = socket.localEndpoint else { continue }
                    socket.send(BindingMessage(response: request.transactionID, mapped: source, origin: origin, other: other).bytes, to: source)
                }
            }
        }
    }

    private func serveTCP(_ endpoint: Endpoint, other: Endpoint) throws(ProbeSocket.Failure) {
        let listener = try ProbeSocket.tcp(bind: endpoint)
        try listener.listen()
        Blocking.detach {
            while true {
                guard let client = listener.accept(until: .now + .seconds(3600)) else { continue }
                Blocking.detach { self.serve(client, other: other) }
            }
        }
    }

    private func serve(_ client: ProbeSocket, other: Endpoint) {
        guard let observed = client.remoteEndpoint, let local = client.localEndpoint else { return }
        while let line = client.readLine(until: .now + .seconds(120)) {
            let words = line.split(separator: " ")
            switch words.first {
            case "observe": client.send(line: "you \(observed)")
            case "dial" where words.count == 2:
                let source = words[1] == "address" ? other.with(port: 0) : local.with(port: 0)
                client.send(line: "dialed \(Self.canDial(observed, from: source) ? "yes" : "no")")
            case "meet" where words.count == 2 || words.count == 3:
                let endpoint = words.count == 3 ? Endpoint(words[2]) : observed
                guard let endpoint else { return }
                self.meet(String(words[1]), client, endpoint)
            default: return
            }
        }
    }

    private static func canDial(_ endpoint: Endpoint, from source: Endpoint) -> Bool {
        guard let socket = try? ProbeSocket.tcp(bind: source) else { return false }
        return (try? socket.connect(to: endpoint, until: .now + self.dialTimeout)) != nil
    }

    private func meet(_ room: String, _ client: ProbeSocket, _ endpoint: Endpoint) {
        let first = self.rooms.withLock { rooms -> (socket: ProbeSocket, endpoint: Endpoint)? in
            if let first = rooms.removeValue(forKey: room) { return first }
            rooms[room] = (client, endpoint)
            return nil
        }
        guard let first else { return }
        first.socket.send(line: "peer \(endpoint)")
        client.send(line: "peer \(first.endpoint)")
    }
}
#endif
