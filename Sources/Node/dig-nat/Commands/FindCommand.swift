import ArgumentParser
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGNatTools

struct FindCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "find",
        abstract: "Finds who has something: which peers, by which way, and how long each took.",
        discussion: """
            REFERENCE is what "get" takes: a content hash, a name, NAME@PEER, a plain SHA-256 or a link. Every way of discovery is asked at once, \
            again until somebody is found. Peers that are merely near by are asked themselves; so is everybody who knows a name, and each content \
            it means is printed with who signed that. Ends when all ways have answered and somebody was found, with exit code 3 if nobody was.

            EXAMPLES
              dig-nat find bciq…
              dig-nat find photos-2025 --by dht,gun --timeout 60s
              dig-nat find bciq… --limit 1 --json
            """)

    @Argument(help: ArgumentHelp("Content hash, name, NAME@PEER, SHA-256 or link.", valueName: "reference"))
    var reference: String

    @Option(help: ArgumentHelp("How long to look at most.", valueName: "duration"))
    var timeout = DurationArgument(.seconds(30))

    @Option(help: ArgumentHelp("Ends when so many holders are found.", valueName: "count"))
    var limit: Int?

    @Option(help: ArgumentHelp("Looks by these ways only: \(SourceNames.all).", valueName: "list"))
    var by: String?

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func validate() throws {
        if !(Duration.milliseconds(100)...Duration.seconds(86_400)).contains(self.timeout.duration) { throw ValidationError("--timeout takes 100ms to 24h.") }
        if let limit = self.limit, limit < 1 { throw ValidationError("--limit takes 1 or more.") }
        if let by = self.by, SourceNames.parse(by) == nil { throw ValidationError("--by takes some of \(SourceNames.all).") }
    }

    func execute(_ context: CommandContext) async throws {
        let reference = try ContentReference(parsing: self.reference)
        let console = context.console
        try await context.withNetwork { network in
            let enabled = network.discovery.manager.sources
            let wanted = self.by.flatMap(SourceNames.parse)
            let asked = enabled.filter { wanted?.contains($0) ?? true }
            guard !asked.isEmpty else {
                throw CommandFailure(.usage, "nobody can be asked: \(wanted == nil ? "every way of discovery is" : "these ways are") switched off", next: "see what is on with: dig-nat config")
            }
            console.note("asking \(SourceNames.text(asked))")
            console.event(["event": "searching", "by": .array(asked.map { .string($0.rawValue) })])
            let inquiry = HolderInquiry(.init(reference), network: network, sources: Set(asked), limit: self.limit, console: console)
            let start = ContinuousClock.now
            await inquiry.run(for: self.timeout.duration)
            try Task.checkCancellation()
            try Self.report(await inquiry.findings, after: ContinuousClock.now - start, console: console)
        }
    }

    private static func report(_ findings: HolderFindings, after elapsed: Duration, console: Console) throws {
        let found = findings.found
        for end in findings.ends { console.note("  " + HolderFindings.line(end)) }
        if !console.isJSON {
            for holder in found { console.result(HolderFindings.line(holder), event: [:]) }
            for meaning in findings.meanings { console.result(HolderFindings.line(meaning: meaning.contentHash, signers: meaning.signers, tellers: meaning.tellers), event: [:]) }
        }
        console.event([
            "event": "searched", "holders": .integer(Int64(found.count)), "contents": .integer(Int64(findings.meanings.count)),
            "seconds": .number(DurationText.seconds(elapsed)),
        ])
        if findings.meanings.count > 1 {
            console.warning("the name means different contents; get the one you trust by its hash, or as NAME@PEER")
        }
        guard found.isEmpty else { return }
        throw CommandFailure(
            .notFound, "nobody was found who has it", details: findings.ends.map(HolderFindings.line),
            next: "check that it is being shared, and name a first contact with --bootstrap or a relay of GUN with --gun")
    }
}
