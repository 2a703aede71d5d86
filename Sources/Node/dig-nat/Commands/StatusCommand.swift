import ArgumentParser
import DIGAccess
import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGIdentity
import DIGNet
import DIGStorage

struct StatusCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows who really has something, as far as this node knows: each holder with its state, reports, last proof and reputation, and why.",
        discussion: """
            REFERENCE is a content hash or a link, or the name or path of something that is shared here. What is printed comes from what this node \
            has seen itself, and from what others have signed; nothing is asked. The best holder comes first.

              available    claims to have it, and nothing is known against it
              suspect      was reported, or could not be asked: used when nothing better is left
              unavailable  has said, or shown, that it does not have it: left out

            Ends with exit code 3 if nothing is known of anybody.

            EXAMPLES
              dig-nat status bciq…
              dig-nat status holiday.mp4 --json | jq -r 'select(.status == "available") | .peer'
            """)

    @Argument(help: ArgumentHelp("Content hash, link, or a name or path that is shared here.", valueName: "reference"))
    var reference: String

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let content = try await ContentName.hash(self.reference, in: database)
        if let share = try await SharedContentStore(database: database).share(content) {
            context.console.note("\(TerminalText.singleLine(share.name)) is shared here: \(TerminalText.singleLine(share.path))")
        }
        let reports = try await Self.reports(of: content, in: database)
        for report in reports { context.console.result(report.text, event: report.event) }
        guard reports.isEmpty else { return }
        throw CommandFailure(.notFound, "nothing is known of anybody who could have \(content)", next: "look for holders with: dig-nat find \(content)")
    }

    /// The best first.
    private static func reports(of content: ContentHash, in database: NodeDatabase) async throws -> [HolderReport] {
        let now = WallClock.nowMilliseconds
        let known = try await SQLiteAvailabilityStore(database: database).load()
        var table = AvailabilityTable()
        var trusted: [PeerID: TrustedPeer] = [:]
        for peer in try await SQLiteAccessStore(database: database).trustedPeers() { trusted[peer.peer] = peer }
        table.restore(known.holders.filter { $0.content == content }, reputations: known.reputations, nowMilliseconds: now)
        return table.holders(of: content, nowMilliseconds: now).map { state in
            HolderReport(
                content: content, state: state, reports: table.record(of: state.peer, for: content)?.reports ?? [],
                name: trusted[state.peer]?.name, isTrusted: trusted[state.peer] != nil, now: now)
        }.sorted(by: HolderReport.isBetter)
    }
}
