import ArgumentParser
import DIGAutoNAT
import DIGCircuitRelay
import DIGCommandLine
import DIGMultiformats
import DIGNatTools
import DIGPortMapping
import DIGSTUN
import DIGTraversal
import NIOCore

struct DoctorCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Finds out what kind of network this is: who can reach this node, what its NAT does, which methods will work, what to change.",
        discussion: """
            Asks the router for a port and takes it back; has the peers named with --relay and --bootstrap dial this node; asks STUN servers about UDP. \
            Nothing is asked of anybody who is not named: DHT, peer exchange and gossip are off here unless they are switched on.

            EXAMPLES
              dig-nat doctor --relay /dns4/relay.example.org/tcp/4001/p2p/12D3Koo…
              dig-nat doctor --stun stun.example.org --json
            """)

    // Two peers whose dials meet silence take 10 s each to say so.
    @Option(help: ArgumentHelp("Seconds to look at most.", valueName: "seconds"))
    var timeout: Int = 30

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func validate() throws {
        if !(1...600).contains(self.timeout) { throw ValidationError("--timeout takes 1 to 600 seconds.") }
    }

    func execute(_ context: CommandContext) async throws {
        try await context.withNetwork(tune: { Self.tune(&$0, context.configuration) }) { network in
            context.console.note("looking at the network; this takes up to \(self.timeout) s")
            await self.settle(network)
            let environment = await network.traversal.environment
            let policy = network.configuration.traversal.addressPolicy
            let diagnosis = Diagnosis(environment, isPublic: policy.isPublic)
            context.console.result(Self.text(diagnosis), event: Self.event(diagnosis, environment: environment, peer: "\(network.identity.peerID)"))
        }
    }

    /// Leaves those alone who are not named.
    static func tune(_ node: inout NodeConfiguration, _ configuration: EffectiveConfiguration) {
        if !configuration.isSet(.dht) { node.discovery.dht = nil }
        if !configuration.isSet(.publicDHT) { node.discovery.publicDHT = nil }
        if !configuration.isSet(.peerExchange) { node.discovery.peerExchange = nil }
        if !configuration.isSet(.gossip) { node.discovery.gossip = nil }
    }

    /// Returns when what can be known is known.
    private func settle(_ network: NetworkManager) async {
        let changes = network.traversal.environmentChanges
        let wantsServers = !network.configuration.traversal.relays.isEmpty || !network.configuration.discovery.bootstrapPeers.isEmpty
        // One far end alone cannot show whether another sees the same port: only strangers who happen to be connected could.
        let contacts = network.configuration.traversal.relays + network.configuration.discovery.bootstrapPeers
        let wantsMapping = Set(contacts.compactMap(\.peerID)).count >= 2
        let wantsUDP = !network.configuration.traversal.stunServers.isEmpty && network.udp != nil
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Cancelled: everything is known.
                try? await Task.sleep(for: .seconds(self.timeout))
            }
            group.addTask {
                func isSettled() async -> Bool {
                    let environment = await network.traversal.environment
                    let ports = environment.portMapping.map { $0.gateways.allSatisfy { $0.findings.allSatisfy { $0.outcome != .searching } } } ?? true
                    let udp = !wantsUDP || environment.udp != nil || environment.udpProblem != nil
                    return ports && udp && (!wantsServers || (environment.tier != .unknown && (!wantsMapping || environment.reachability.tcpMapping.behavior != .unknown)))
                }
                guard await !isSettled() || wantsServers else { return }
                for await _ in changes where await isSettled() { return }
            }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: Output

    static func text(_ diagnosis: Diagnosis) -> String {
        var lines = diagnosis.findings.map { finding in
            let mark = switch finding.weight {
                case .good: "+"
                case .neutral: " "
                case .bad: "-"
            }
            return "\(mark) \(TerminalText.singleLine(finding.text))"
        }
        lines += ["", "Methods:"]
        lines += diagnosis.outlooks.map { outlook in
            let word = outlook.works.map { $0 ? "works" : "does not work" } ?? "depends"
            return "  \(TerminalText.padded(outlook.method.rawValue, to: 22)) \(TerminalText.padded(word, to: 14)) \(outlook.reason)"
        }
        if !diagnosis.advice.isEmpty { lines += ["", "To be reached better:"] + diagnosis.advice.map { "  \($0)" } }
        return lines.joined(separator: "\n")
    }

    private static func udp(_ behavior: NATBehavior?) -> JSONValue {
        guard let behavior else { return .null }
        return .object([
            "nat": .string(behavior.type.rawValue), "mapping": .string("\(behavior.mapping)"), "filtering": .string("\(behavior.filtering)"),
            "external": .array(behavior.external.map { .string("\($0.ipAddress ?? "?"):\($0.port ?? 0)") }),
        ])
    }

    static func event(_ diagnosis: Diagnosis, environment: NATEnvironment, peer: String) -> JSONObject {
        [
            "event": "diagnosis", "peer": .string(peer), "tier": .string(environment.tier.rawValue),
            "addresses": .array(environment.announcedAddresses.map { .string($0.description) }),
            "udp": Self.udp(environment.udp),
            "findings": .array(
                diagnosis.findings.map { .object(["topic": .string($0.topic), "weight": .string($0.weight.rawValue), "text": .string($0.text)]) }),
            "methods": .array(
                diagnosis.outlooks.map {
                    .object(["layer": .string($0.method.rawValue), "works": $0.works.map { .boolean($0) } ?? .null, "reason": .string($0.reason)])
                }),
            "advice": .array(diagnosis.advice.map { .string($0) }),
        ]
    }
}
