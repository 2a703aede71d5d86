import DIGIdentity
import DIGMultiformats
import DIGNet
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v2: one request, as the server sees it")
struct AutoNATv2ServerStateMachineTests {
    private typealias Action = AutoNATv2ServerStateMachine.Action
    private let peer: PeerID
    private var configuration = AutoNATv2ServerConfiguration()
    private static let refusal = Action.respond(AutoNATv2DialResponse(.dialRefused))

    init() throws {
        self.peer = try KeyPair.generate().peerID
        self.configuration.policy.canDial = DialBackPolicy.isPlainTCP
    }

    private func machine(observed: String? = "/ip4/9.9.9.9/tcp/51000") throws -> AutoNATv2ServerStateMachine {
        AutoNATv2ServerStateMachine(peer: self.peer, observed: try observed.map { try Multiaddr($0) }, configuration: self.configuration)
    }

    private func receive(_ message: AutoNATv2Message, by machine: inout AutoNATv2ServerStateMachine, admitsData: Bool = true) -> Action {
        var generator = SystemRandomNumberGenerator()
        return machine.received(message, using: &generator) { admitsData }
    }

    private func request(_ addresses: [String?], nonce: UInt64 = 7) throws -> AutoNATv2Message {
        .dialRequest(AutoNATv2DialRequest(addresses: try addresses.map { try $0.map { try Multiaddr($0) } }, nonce: nonce))
    }

    @Test("The first address that may be dialed is; for the asker's own IP address nothing is asked", arguments: [AutoNATv2DialResponse.DialStatus.ok, .dialError, .dialBackError])
    func ownAddress(_ status: AutoNATv2DialResponse.DialStatus) throws {
        var machine = try self.machine()
        let action = self.receive(
            try self.request([nil, "/ip4/192.168.1.2/tcp/4001", "/ip4/9.9.9.9/tcp/4001/p2p/\(self.peer)", "/ip4/8.8.8.8/tcp/1"]), by: &machine)
        #expect(action == .dial(try Multiaddr("/ip4/9.9.9.9/tcp/4001"), nonce: 7, isPaidFor: false))
        #expect(machine.dialed(status) == .respond(AutoNATv2DialResponse(.ok, index: 2, dialStatus: status)))
    }

    @Test("A dial that failed because of the server is an internal error")
    func internalError() throws {
        var machine = try self.machine()
        _ = self.receive(try self.request(["/ip4/9.9.9.9/tcp/4001"]), by: &machine)
        #expect(machine.dialed(nil) == .respond(AutoNATv2DialResponse(.internalError)))
    }

    @Test("An IPv4-mapped address is the asker's own if the IPv4 address is")
    func mapped() throws {
        var machine = try self.machine(observed: "/ip6/::ffff:9.9.9.9/tcp/51000")
        let answer = self.receive(try self.request(["/ip4/9.9.9.9/tcp/4001"]), by: &machine)
        #expect(answer == .dial(try Multiaddr("/ip4/9.9.9.9/tcp/4001"), nonce: 7, isPaidFor: false))
    }

    @Test(
        "What is not public, a name, another peer's or behind a relay is refused",
        arguments: [
            "/ip4/127.0.0.1/tcp/22", "/ip4/169.254.169.254/tcp/80", "/ip6/::ffff:127.0.0.1/tcp/22", "/ip6/::ffff:169.254.169.254/tcp/80",
            "/ip6/64:ff9b::7f00:1/tcp/22", "/ip6/::1/tcp/22", "/ip6/2002:7f00:1::/tcp/22", "/ip4/10.0.0.1/tcp/80", "/ip4/192.168.0.1/tcp/80",
            "/ip4/172.16.0.1/tcp/80", "/ip4/100.64.0.1/tcp/80", "/ip4/0.0.0.0/tcp/80", "/ip4/224.0.0.1/tcp/80", "/ip4/255.255.255.255/tcp/80",
            "/ip4/192.0.2.1/tcp/80", "/ip6/fe80::1/tcp/80", "/ip6zone/eth0/ip6/fe80::1/tcp/80", "/ip6/fd00::1/tcp/80", "/ip6/2001:db8::1/tcp/80",
            "/dns4/localhost/tcp/80", "/dns/example.com/tcp/80", "/dnsaddr/example.com", "/ip4/9.9.9.9/tcp/0", "/ip4/9.9.9.9/tcp/4001/p2p-circuit",
            "/ip4/9.9.9.9/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", "/ip4/9.9.9.9/udp/4001/quic-v1", "/memory/1",
        ])
    func refused(_ address: String) throws {
        var machine = try self.machine()
        let answer = self.receive(try self.request([address]), by: &machine)
        #expect(answer == Self.refusal)
    }

    @Test("The documentation ranges are dialed where the policy takes them for public ones")
    func documentation() throws {
        var configuration = self.configuration
        configuration.policy.isPublic = { AddressPolicy(treatsDocumentationAsPublic: true).isPublic($0) }
        var machine = AutoNATv2ServerStateMachine(
            peer: self.peer, observed: try Multiaddr("/ip4/203.0.113.7/tcp/1"), configuration: configuration)
        let answer = self.receive(try self.request(["/ip4/203.0.113.7/tcp/4001"]), by: &machine)
        #expect(answer == .dial(try Multiaddr("/ip4/203.0.113.7/tcp/4001"), nonce: 7, isPaidFor: false))
    }

    @Test("An asker whose own address is not public, or not known, is refused", arguments: [nil, "/ip4/127.0.0.1/tcp/5", "/ip4/192.168.1.7/tcp/5", "/memory/4"])
    func privateAsker(_ observed: String?) throws {
        var machine = try self.machine(observed: observed)
        let answer = self.receive(try self.request(["/ip4/9.9.9.9/tcp/4001"]), by: &machine)
        #expect(answer == Self.refusal)
    }

    @Test("No addresses at all are refused; a request without a nonce breaks the protocol")
    func empty() throws {
        var machine = try self.machine()
        let answer = self.receive(try self.request([]), by: &machine)
        #expect(answer == Self.refusal)
        machine = try self.machine()
        guard case .reset = self.receive(try self.request(["/ip4/9.9.9.9/tcp/4001"], nonce: 0), by: &machine) else {
            Issue.record("taken")
            return
        }
    }

    @Test("Another IP address is dialed after 30 to 100 kB, not a byte earlier; the last piece may be larger than needed")
    func dialData() throws {
        for _ in 0..<20 {
            var machine = try self.machine()
            let action = self.receive(try self.request(["/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/4001"]), by: &machine)
            guard case .read(send: .dialDataRequest(index: 1, let byteCount)?) = action else {
                Issue.record("\(action)")
                return
            }
            #expect((30_000...100_000).contains(byteCount))
            var sent = 0
            while byteCount - sent > 4096 {
                let answer = self.receive(.dialData(byteCount: 4096), by: &machine)
        #expect(answer == .read(send: nil))
                sent += 4096
            }
            if byteCount - sent > 100 {
                let answer = self.receive(.dialData(byteCount: byteCount - sent - 1), by: &machine)
        #expect(answer == .read(send: nil))
            }
            let answer = self.receive(.dialData(byteCount: 4096), by: &machine)
        #expect(answer == .dial(try Multiaddr("/ip4/8.8.8.8/tcp/4001"), nonce: 7, isPaidFor: true))
        }
    }

    @Test("Data in tiny pieces, and anything else than data, resets the stream and dials nothing", arguments: [AutoNATv2Message.dialData(byteCount: 99), .dialData(byteCount: 0), .dialDataRequest(index: 0, byteCount: 1), .dialResponse(AutoNATv2DialResponse(.ok))])
    func badData(_ message: AutoNATv2Message) throws {
        var machine = try self.machine()
        _ = self.receive(try self.request(["/ip4/8.8.8.8/tcp/4001"]), by: &machine)
        guard case .reset = self.receive(message, by: &machine) else {
            Issue.record("taken")
            return
        }
        guard case .reset = self.receive(.dialData(byteCount: 4096), by: &machine) else {
            Issue.record("went on")
            return
        }
    }

    @Test("Over the limit for dials to other machines, the request is rejected")
    func dialDataLimit() throws {
        var machine = try self.machine()
        let answer = self.receive(try self.request(["/ip4/8.8.8.8/tcp/4001"]), by: &machine, admitsData: false)
        #expect(answer == .respond(AutoNATv2DialResponse(.requestRejected)))
    }

    @Test("A stream that begins with anything but a request is reset", arguments: [AutoNATv2Message.dialData(byteCount: 4096), .dialResponse(AutoNATv2DialResponse(.ok))])
    func outOfTurn(_ message: AutoNATv2Message) throws {
        var machine = try self.machine()
        guard case .reset = self.receive(message, by: &machine) else {
            Issue.record("taken")
            return
        }
    }
}
