import ArgumentParser
import DIGAccess
import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGIdentity
import DIGNatTools
import DIGNet
import DIGStorage

struct ReportCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Signs that a peer does not have what it claims to have, and tells others.",
        discussion: """
            "get" does this by itself when a holder turns out not to have what it claims; this is for what you have found out otherwise. \
            A report is signed with this node's key and counts here at once. Others only ask the peer for a proof because of it: whoever has the content \
            stays, and whoever reports what is not so is believed less. Ends with exit code 7 if nobody could be told; it is kept all the same.

            EXAMPLES
              dig-nat report 12D3KooW… bciq…
              dig-nat report 12D3KooW… 'dig:bciq…' --reason corrupt --detail 'the film ends in the middle'
            """)

    @Argument(help: ArgumentHelp("The peer's id, or the name it is trusted under.", valueName: "peer"))
    var peer: String

    @Argument(help: ArgumentHelp("Content hash, link, or a name or path that is shared here.", valueName: "reference"))
    var reference: String

    @Option(help: ArgumentHelp("What it has done: not-found, no-proof, corrupt, unreachable or other.", valueName: "reason"))
    var reason: ReasonChoice = .notFound

    @Option(help: ArgumentHelp("More about it, for people.", valueName: "text"))
    var detail: String?

    @Option(help: ArgumentHelp("How long to look for somebody to tell.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(10))

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    /// ``AvailabilityReport/Reason`` as it is typed.
    enum ReasonChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
        case notFound = "not-found"
        case noProof = "no-proof"
        case corrupt
        case unreachable
        case other

        var reason: AvailabilityReport.Reason {
            switch self {
            case .notFound: .notFound
            case .noProof: .noProof
            case .corrupt: .corruptData
            case .unreachable: .unreachable
            case .other: .other
            }
        }
    }

    func validate() throws {
        if let detail = self.detail, detail.utf8.count > AvailabilityReport.maximumDetailByteCount {
            throw ValidationError("--detail takes at most \(AvailabilityReport.maximumDetailByteCount) bytes.")
        }
        if !(Duration.milliseconds(100)...Duration.seconds(3600)).contains(self.timeout.duration) { throw ValidationError("--timeout takes 100ms to 1h.") }
    }

    private static let lookInterval: Duration = .milliseconds(100)
    /// Peers say what they speak a moment after they are connected.
    private static let greeting: Duration = .milliseconds(500)

    func execute(_ context: CommandContext) async throws {
        let console = context.console
        let database = try context.database()
        let peer = try await PeerText.peer(self.peer, in: SQLiteAccessStore(database: database))
        let content = try await ContentName.hash(self.reference, in: database)
        let key = try context.ownKey()
        guard peer != key.peerID else { throw CommandFailure(.usage, "that is this node itself", next: "end the share in its place: dig-nat rm \(content)") }

        var told = 0
        try await context.withNetwork { network in
            console.note("looking for somebody to tell")
            let end = ContinuousClock.now + self.timeout.duration
            while network.swarm.connections.isEmpty, ContinuousClock.now < end { try await Task.sleep(for: Self.lookInterval) }
            try await Task.sleep(for: min(Self.greeting, self.timeout.duration))
            told = try await network.report(peer, content, reason: self.reason.reason, detail: self.detail, signedBy: key)
        }
        console.result(
            "\(peer)  \(content)  \(self.reason.reason.text)",
            event: [
                "event": "reported", "peer": .string("\(peer)"), "contentHash": .string("\(content)"), "reason": .string(self.reason.rawValue),
                "told": .integer(Int64(told)),
            ])
        console.note("told \(told == 1 ? "1 node" : "\(told) nodes")")
        guard told > 0 else {
            throw CommandFailure(.unreachable, "nobody could be told; the report is kept, and counts here", next: "name a first contact with --bootstrap, and report again")
        }
    }
}
