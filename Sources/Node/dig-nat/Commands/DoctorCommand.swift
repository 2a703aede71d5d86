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
            Two such peers at different addresses show most. \
            Nothing is asked of anybody who is not named: DHT, peer exchange and gossip are off here unless they are switched on.

            EXAMPLES
              dig-nat doctor --relay /dns4/relay.example.org/tcp/4001/p2p/12D3Koo…
              dig-nat doctor --stun stun.example.org --json
            """)

    // Two peers whose dials meet silence take 10 s each to say so, with 5 s in between; for IPv4 and IPv6 twice that.
    @Option(help: ArgumentHelp("Seconds to look at most.", valueName: "seconds"))
    var timeout: Int = 60

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    /// Half an examination is no diagnosis.
    var adviceAfterInterruption: String? { "nothing is said of what is half found out: run it again" }

    func validate() throws {
        if !(1...600).contains(self.timeout) { throw ValidationError("--timeout takes 1 to 600 seconds.") }
    }

    func execute(_ context: CommandContext) async throws {
        var circumstances = DiagnosisCircumstances()
        let contacts = DoctorContacts(try context.nodeConfiguration())
        let usesDHT = context.configuration.flag(.dht) ?? true
        try await context.withNetwork(tune: { node in
            Self.tune(&node, context.configuration)
            contacts.prepare(&node)
        }) { network in
            context.console.note("looking at the network; this takes up to \(self.timeout) s")
            let examination = DoctorExamination(network, contacts: contacts)
            await examination.run(timeout: .seconds(self.timeout))
            try Task.checkCancellation()
            circumstances.contacts = examination.results
            circumstances.isPortRandom = !network.configuration.listen.contains { $0.components.contains { if case .tcp(let port) = $0 { port != 0 } else { false } } }
            circumstances.leavesOutDHT = usesDHT && network.discovery.dht == nil
            let environment = await examination.environment
            let policy = network.configuration.traversal.addressPolicy
            let diagnosis = Diagnosis(environment, circumstances: circumstances, isPublic: policy.isPublic)
            context.console.result(
                Self.text(diagnosis), event: Self.event(diagnosis, environment: environment, contacts: circumstances.contacts, peer: "\(network.identity.peerID)"))
        }
        if let failure = Self.failure(circumstances.contacts) { throw failure }
    }

    /// What is wrong if nobody who was named is there.
    static func failure(_ contacts: [DiagnosisCircumstances.Contact]) -> CommandFailure? {
        let hasFailed = contacts.allSatisfy { if case .failed = $0.outcome { true } else { false } }
        guard !contacts.isEmpty, hasFailed else { return nil }
        return CommandFailure(.unreachable, "none of the relays and first contacts named could be reached", next: "see above what came of each")
    }

    /// Leaves those alone who are not named.
    static func tune(_ node: inout NodeConfiguration, _ configuration: EffectiveConfiguration) {
        if !configuration.isSet(.dht) { node.discovery.dht = nil }
        if !configuration.isSet(.publicDHT) { node.discovery.publicDHT = nil }
        if !configuration.isSet(.peerExchange) { node.discovery.peerExchange = nil }
        if !configuration.isSet(.gossip) { node.discovery.gossip = nil }
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
            // Silence alone does not tell a wall from dead servers.
            "nat": .string((behavior.isUDPBlocked ? .unknown : behavior.type).rawValue), "mapping": .string("\(behavior.mapping)"), "filtering": .string("\(behavior.filtering)"),
            "external": .array(behavior.external.map { .string("\($0.ipAddress ?? "?"):\($0.port ?? 0)") }),
        ])
    }

    private static func contact(_ contact: DiagnosisCircumstances.Contact) -> JSONValue {
        let (outcome, message): (String, JSONValue) =
            switch contact.outcome {
            case .pending: ("pending", .null)
            case .connected: ("connected", .null)
            case .failed(let cause): ("failed", .string(cause))
            }
        return .object([
            "peer": .string("\(contact.peer)"), "addresses": .array(contact.addresses.map { .string($0.description) }), "outcome": .string(outcome),
            "message": message, "tests": contact.tests.map { .boolean($0) } ?? .null,
        ])
    }

    static func event(
        _ diagnosis: Diagnosis, environment: NATEnvironment, contacts: [DiagnosisCircumstances.Contact] = [], peer: String
    ) -> JSONObject {
        [
            "event": "diagnosis", "peer": .string(peer), "tier": .string(environment.tier.rawValue),
            "addresses": .array(environment.announcedAddresses.map { .string($0.description) }),
            "udp": Self.udp(environment.udp),
            "contacts": .array(contacts.map(Self.contact)),
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
