import ArgumentParser
import DIGCommandLine
import DIGIdentity
import DIGMultiformats
import DIGNatTools
import DIGSTUN
import DIGTraversal
import DIGUDP
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import dig_nat

@Suite("Commands about reaching peers", .timeLimit(.minutes(1)))
struct TraversalCommandTests {
    private let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

    private func parse<Command: ParsableCommand>(_ arguments: String..., as type: Command.Type) throws -> Command {
        try #require(try DigNat.parseAsRoot(arguments) as? Command)
    }

    private func context(_ settings: [Setting: String]) throws -> CommandContext {
        var settings = settings
        settings[.dataDirectory] = "/nowhere"
        return CommandContext(
            configuration: try CommandContext.configuration(flags: settings, path: nil, environment: [:]),
            console: Console(isJSON: true, isQuiet: true, logs: false, environment: [:]), logger: .silent)
    }

    // MARK: Arguments

    @Test("node takes the network's options")
    func node() throws {
        let command = try self.parse(
            "node", "--listen", "/ip4/0.0.0.0/tcp/4001", "--serve-relay", "always", "--relay", "/ip4/1.2.3.4/tcp/1/p2p/\(self.peer)", "--stun", "a", "--stun", "b:1",
            "--no-port-mapping", "--traversal", "whitepaper", "--methods", "direct,circuit-relay", as: NodeCommand.self)
        #expect(
            command.settings == [
                .listen: "/ip4/0.0.0.0/tcp/4001", .relayDuty: "always", .relays: "/ip4/1.2.3.4/tcp/1/p2p/\(self.peer)", .stun: "a,b:1", .portMapping: "false",
                .traversalMode: "whitepaper", .methods: "direct,circuit-relay",
            ])
    }

    @Test("doctor and why have their own")
    func doctorAndWhy() throws {
        let doctor = try self.parse("doctor", "--stun", "stun.example", "--timeout", "3", "--json", as: DoctorCommand.self)
        #expect(doctor.timeout == 3 && doctor.global.json && doctor.settings == [.stun: "stun.example"])
        #expect((1...600).contains(try self.parse("doctor", as: DoctorCommand.self).timeout))
        let why = try self.parse("why", self.peer, "--limit", "5", as: WhyCommand.self)
        #expect(why.peer == self.peer && why.limit == 5)
        #expect(try self.parse("why", as: WhyCommand.self).peer == nil)
    }

    @Test(
        "what can't be meant is a usage error",
        arguments: [["doctor", "--timeout", "0"], ["doctor", "--timeout", "601"], ["doctor", "x"], ["why", "a", "b"], ["why", "--limit", "0"], ["why", "--limit", "10001"], ["node", "x"]])
    func usage(arguments: [String]) throws {
        let error = try #require(throws: (any Error).self) { try DigNat.parseAsRoot(arguments) }
        #expect(DigNat.exitCode(for: error).rawValue == CommandStatus.usage.rawValue)
    }

    // MARK: Settings become a configuration

    @Test("settings reach the node")
    func configuration() throws {
        let relay = "/ip4/1.2.3.4/tcp/1/p2p/\(self.peer)"
        let traversal = try self.context([
            .relays: relay, .stun: "a.example,stun:b.example:99,[2001:db8::1]:5", .portMapping: "false", .relayDuty: "never", .traversalMode: "whitepaper",
            .methods: "circuit-relay,direct", .documentationAddresses: "true",
        ]).nodeConfiguration().traversal
        #expect(traversal.relays.map(\.description) == [relay])
        #expect(traversal.stunServers == [.init(host: "a.example"), .init(host: "b.example", port: 99), .init(host: "2001:db8::1", port: 5)])
        #expect(!traversal.usesPortMapping)
        #expect(traversal.relayDuty == .never)
        #expect(traversal.ladder.mode == .sequential && traversal.ladder.preset == .whitepaper)
        #expect(traversal.ladder.preferredMethods == [.circuitRelay, .direct])
        #expect(traversal.addressPolicy.treatsDocumentationAsPublic)

        let standard = try self.context([:]).nodeConfiguration().traversal
        #expect(standard.ladder == LadderConfiguration())
        #expect(standard.stunServers.isEmpty && standard.relays.isEmpty && standard.usesPortMapping && standard.relayDuty == .automatic)
    }

    @Test("every method of the setting is one that there is, and the other way round")
    func methods() {
        guard case .words(let words) = Setting.methods.kind else {
            Issue.record("methods are words")
            return
        }
        #expect(Set(words) == Set(TraversalMethod.allCases.map(\.rawValue)))
        guard case .choice(let duties) = Setting.relayDuty.kind else { return }
        #expect(Set(duties) == Set(TraversalConfiguration.RelayDuty.allCases.map(\.rawValue)))
    }

    @Test(
        "addresses that cannot be used are refused with their origin",
        arguments: [
            (Setting.relays, "/ip4/1.2.3.4/tcp/1", "end with /p2p/PEER"), (.relays, "relay.example", "multiaddresses such as"), (.stun, "http://x", "STUN servers such as"),
            (.tlsCertificate, "/c.pem", "set together with tls-key"), (.tlsKey, "/k.pem", "set together with tls-certificate"),
            (.stun, "stuns:a.example", "STUN servers such as"), (.stun, "a:0", "STUN servers such as"),
        ])
    func refused(setting: Setting, text: String, expected: String) throws {
        let context = try self.context([setting: text])
        let error = try #require(throws: ConfigurationError.self) { try context.nodeConfiguration() }
        #expect(error.description.contains(expected), "\(error)")
        #expect(error.failure.status == .usage)
    }

    @Test("what is wrong is said of the flag that there is")
    func flag() throws {
        let error = try #require(throws: ConfigurationError.self) { try self.context([.relays: "foo"]).nodeConfiguration() }
        #expect(error.description.hasPrefix("--relay: must be multiaddresses"), "\(error)")
        #expect(error.failure.next == "see the help text of --relay")
        for setting in Setting.allCases {
            let names = [DigNat.helpMessage(for: NodeCommand.self), DigNat.helpMessage(for: GetCommand.self)].joined()
            #expect(names.contains(setting.flag + " ") || names.contains(setting.flag + "/") || setting == .documentationAddresses, "\(setting.flag)")
        }
    }

    // MARK: A peer in few letters

    @Test("the beginning of an id is enough if it is only one peer's")
    func beginning() throws {
        let ids = ["12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", "12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3"]
        let known = Set(try ids.map { try PeerID($0) })
        func peer(_ text: String) throws -> String { try PeerText.peer(text, among: known).description }
        #expect(try peer("12D3KooWDp") == ids[0])
        #expect(try peer("12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3") == ids[1])
        #expect(try peer("/ip4/1.2.3.4/tcp/1/p2p/\(ids[1])") == ids[1])
        let several = try #require(throws: CommandFailure.self) { try peer("12D3") }
        #expect(several.status == .usage && several.details == ids)
        for text in ["", "12D3KooWRhid", "QmX", "anna"] {
            let none = try #require(throws: CommandFailure.self) { try peer(text) }
            #expect(none.status == .usage && none.what.contains("is no peer id"), "\(text)")
        }
        // A whole id of somebody else is one: nothing was tried to reach that peer.
        #expect(try PeerText.peer(ids[0], among: []).description == ids[0])
    }

    // MARK: Output

    @Test("why shows each attempt with its cause, in text and as an event")
    func why() throws {
        let address = try Multiaddr("/ip4/203.0.113.4/tcp/4001")
        var attempt = AttemptRecord(
            peer: try PeerID(self.peer), method: .direct, addresses: [address], startedAt: 1_800_000_000_000, duration: .milliseconds(15_000),
            outcome: .failed("no connection\u{1b}[31m within 15.0 seconds"), network: .unknown)
        let text = WhyCommand.text(attempt, namesPeer: true)
        #expect(text.hasPrefix("- 2027-01-15T08:00:00Z \(self.peer) direct: no connection"))
        #expect(!text.contains("\u{1b}"))
        #expect(text.hasSuffix("\n    \(address)"))
        #expect(
            WhyCommand.event(attempt).text.hasPrefix(
                #"{"event":"attempted","peer":"\#(self.peer)","layer":"direct","startedMs":1800000000000,"seconds":15.0,"addresses":["/ip4/203.0.113.4/tcp/4001"],"network":"unknown","outcome":"failed","cause":"no connection"#))
        attempt.outcome = .succeeded
        attempt.addresses = []
        #expect(WhyCommand.text(attempt, namesPeer: false) == "+ 2027-01-15T08:00:00Z direct: connected in 15.0 s")
        attempt.outcome = .overtaken
        #expect(WhyCommand.text(attempt, namesPeer: false).hasPrefix("  2027"))
        #expect(WhyCommand.event(attempt).text.hasSuffix(#""outcome":"overtaken"}"#))
    }

    @Test("doctor prints findings, methods and advice, and the same as one event")
    func doctor() async throws {
        try await self.withNetwork { network in
            let environment = await network.traversal.environment
            let diagnosis = Diagnosis(environment, isPublic: network.configuration.traversal.addressPolicy.isPublic)
            let text = DoctorCommand.text(diagnosis)
            #expect(text.contains("\nMethods:\n"))
            for method in TraversalMethod.allCases { #expect(text.contains("\n  \(method.rawValue) ")) }
            #expect(text.contains("To be reached better:\n"))
            let event = DoctorCommand.event(diagnosis, environment: environment, peer: self.peer).text
            #expect(event.hasPrefix(#"{"event":"diagnosis","peer":"\#(self.peer)","tier":"unknown","addresses":["#))
            #expect(event.contains(#""udp":null"#) && event.contains(#""methods":[{"layer":"local","works":true"#) && event.contains(#""advice":["#))
        }
    }

    // MARK: The UDP port

    /// Runs a node on the loopback interface.
    private func withNetwork(listen: String = "/ip4/127.0.0.1/tcp/0", _ body: (NetworkManager) async throws -> Void) async throws {
        let key = try KeyPair.generate()
        let directory = "/tmp/dig-nat-command-tests-\(key.peerID)"
        var configuration = NodeConfiguration(dataDirectory: directory)
        configuration.identity = .keyPair(key)
        configuration.listen = [try Multiaddr(listen)]
        configuration.localDiscovery = false
        configuration.discovery = .off
        configuration.traversal.usesPortMapping = false
        let network = try NetworkManager(configuration: configuration)
        do {
            try await network.start()
            try await body(network)
        } catch {
            await network.stop()
            throw error
        }
        await network.stop()
    }

    @Test("a node answers STUN on the UDP port with the number of its TCP port, and closes it at the end (D7)")
    func stun() async throws {
        var port = 0
        try await self.withNetwork { network in
            let udp = try #require(network.udp)
            port = try #require(udp.port(for: .inet))
            #expect(network.swarm.listenAddresses.map(\.description) == ["/ip4/127.0.0.1/tcp/\(port)"])
            #expect(udp.localAddresses == [try SocketAddress(ipAddress: "127.0.0.1", port: port)], "no more than what was said to listen on")
            let endpoint = try await UDPEndpoint.bind([SocketAddress(ipAddress: "127.0.0.1", port: 0)], group: MultiThreadedEventLoopGroup.singleton)
            let binding = try await STUNClient(endpoint: endpoint).binding(from: STUNServerAddress(host: "127.0.0.1", port: UInt16(port)))
            #expect(binding.mapped == endpoint.localAddresses.first)
            await endpoint.close()
            #expect(network.traversal.stunStatistics.answered == 1)
        }
        let again = try await UDPEndpoint.bind([SocketAddress(ipAddress: "127.0.0.1", port: port)], group: MultiThreadedEventLoopGroup.singleton)
        await again.close()
    }

    @Test("a busy UDP port does not keep a node from starting")
    func busy() async throws {
        let other = try await UDPEndpoint.bind([SocketAddress(ipAddress: "127.0.0.1", port: 0)], group: MultiThreadedEventLoopGroup.singleton)
        let port = try #require(other.port(for: .inet))
        try await self.withNetwork(listen: "/ip4/127.0.0.1/tcp/\(port)") { network in
            #expect(network.udp == nil)
            #expect(!network.swarm.listenAddresses.isEmpty)
        }
        await other.close()
    }
}
