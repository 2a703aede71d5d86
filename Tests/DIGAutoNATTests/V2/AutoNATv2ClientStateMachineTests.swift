import DIGMultiformats
import Testing

@testable import DIGAutoNAT

@Suite("AutoNAT v2: one request, as the asker sees it")
struct AutoNATv2ClientStateMachineTests {
    private typealias Action = AutoNATv2ClientStateMachine.Action
    private let targets: [AutoNATv2Target]
    private let remote: Multiaddr

    init() throws {
        self.remote = try Multiaddr("/ip4/8.8.8.8/tcp/40000")
        self.targets = [
            AutoNATv2Target(address: try Multiaddr("/ip4/9.9.9.9/tcp/4001"), listenAddress: try Multiaddr("/ip4/192.168.1.2/tcp/4001")),
            AutoNATv2Target(address: try Multiaddr("/ip6/2620:fe::9/tcp/4001"), isWorthDialData: false),
        ]
    }

    private var machine: AutoNATv2ClientStateMachine { AutoNATv2ClientStateMachine(targets: self.targets, maximumDialDataByteCount: 100_000) }

    private func code(_ action: Action) -> AutoNATError.Code? {
        if case .fail(let code, _) = action { code } else { nil }
    }

    private func arrival(_ local: String?) throws -> AutoNATv2ClientStateMachine.Arrival {
        .init(local: try local.map { try Multiaddr($0) }, remote: self.remote)
    }

    @Test("Reachable when the nonce has arrived where the address leads, whatever the server thinks of its delivery", arguments: [AutoNATv2DialResponse.DialStatus.ok, .dialBackError])
    func reachable(_ status: AutoNATv2DialResponse.DialStatus) throws {
        var machine = self.machine
        #expect(machine.received(.dialResponse(.init(.ok, dialStatus: status))) == .awaitDialBack)
        #expect(machine.arrived(try self.arrival("/ip4/192.168.1.2/tcp/4001")) == .finish(.reachable(index: 0, from: self.remote)))
    }

    @Test("Not proven when nothing arrived, or at another address than the server claims", arguments: [nil, "/ip6/fd00::2/tcp/4001", "/ip4/192.168.1.2/tcp/4002", "/ip4/192.168.1.3/tcp/4001", "/ip4/192.168.1.2/udp/4001/quic-v1"])
    func unverified(_ local: String?) throws {
        var machine = self.machine
        _ = machine.received(.dialResponse(.init(.ok, dialStatus: .ok)))
        #expect(self.code(machine.arrived(try self.arrival(local))) == .unverified)
        machine = self.machine
        _ = machine.received(.dialResponse(.init(.ok, dialStatus: .ok)))
        #expect(self.code(machine.arrived(nil)) == .unverified)
    }

    @Test("Family and transport have to agree behind a NAT, port and address without one")
    func consistency() throws {
        func isConsistent(_ address: String, _ listen: String?, _ local: String?) throws -> Bool {
            AutoNATv2Target(address: try Multiaddr(address), listenAddress: try listen.map { try Multiaddr($0) })
                .isConsistent(with: try local.map { try Multiaddr($0) })
        }
        #expect(try isConsistent("/ip4/9.9.9.9/tcp/4001", nil, "/ip4/192.168.1.2/tcp/77"))
        #expect(try !isConsistent("/ip4/9.9.9.9/tcp/4001", nil, "/ip6/fd00::1/tcp/77"))
        #expect(try isConsistent("/ip4/9.9.9.9/tcp/4001", nil, "/ip6/::ffff:192.168.1.2/tcp/77"))
        #expect(try isConsistent("/ip4/9.9.9.9/tcp/4001", "/ip4/0.0.0.0/tcp/4001", "/ip4/192.168.1.2/tcp/4001"))
        #expect(try !isConsistent("/ip4/9.9.9.9/tcp/4001", "/ip4/0.0.0.0/tcp/4001", "/ip4/192.168.1.2/tcp/4002"))
        #expect(try isConsistent("/ip4/9.9.9.9/tcp/4001", nil, "/ip4/9.9.9.9/tcp/4001"))
        #expect(try !isConsistent("/ip4/9.9.9.9/tcp/4001", nil, "/ip4/9.9.9.9/tcp/4002"))
        #expect(try !isConsistent("/ip4/9.9.9.9/tcp/4001", nil, nil))
    }

    @Test("What the server answers, and what it means")
    func answers() {
        func answer(_ response: AutoNATv2DialResponse) -> Action {
            var machine = self.machine
            return machine.received(.dialResponse(response))
        }
        #expect(answer(.init(.ok, index: 1, dialStatus: .dialError)) == .finish(.unreachable(index: 1)))
        #expect(answer(.init(.dialRefused)) == .finish(.refused))
        #expect(self.code(answer(.init(.requestRejected))) == .rejected)
        #expect(self.code(answer(.init(.internalError))) == .serverFailed)
        #expect(self.code(answer(.init(.ok, dialStatus: .unused))) == .malformedAnswer)
        #expect(self.code(answer(.init(.ok, index: 2, dialStatus: .dialError))) == .malformedAnswer)
    }

    @Test("Data is paid up to the limit, once, and for the address that it was asked for")
    func dialData() {
        var machine = self.machine
        #expect(machine.received(.dialDataRequest(index: 0, byteCount: 100_000)) == .sendData(byteCount: 100_000))
        #expect(self.code(machine.received(.dialDataRequest(index: 0, byteCount: 100_000))) == .malformedAnswer)

        machine = self.machine
        #expect(self.code(machine.received(.dialDataRequest(index: 0, byteCount: 100_001))) == .dataRefused)
        machine = self.machine
        #expect(self.code(machine.received(.dialDataRequest(index: 1, byteCount: 30_000))) == .dataRefused)
        machine = self.machine
        #expect(self.code(machine.received(.dialDataRequest(index: 2, byteCount: 30_000))) == .malformedAnswer)
        machine = self.machine
        _ = machine.received(.dialDataRequest(index: 0, byteCount: 30_000))
        #expect(self.code(machine.received(.dialResponse(.init(.ok, index: 1, dialStatus: .dialError)))) == .malformedAnswer)
        machine = self.machine
        #expect(self.code(machine.received(.dialData(byteCount: 5))) == .malformedAnswer)
    }
}
