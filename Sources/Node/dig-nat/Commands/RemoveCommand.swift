import ArgumentParser
import DIGCommandLine
import DIGContent
import DIGStorage

struct RemoveCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Stops sharing; the files themselves stay.",
        discussion: """
            A running "dig-nat share" with the same data directory starts no new transfer of what was removed.

            EXAMPLES
              dig-nat rm holiday.mp4
              dig-nat rm bciq…
              dig-nat rm --all
            """,
        aliases: ["remove"])

    @Argument(help: ArgumentHelp("Content hashes, links, paths, or names given with --name.", valueName: "reference"), completion: .file())
    var references: [String] = []

    @Flag(help: "Stop sharing everything.")
    var all = false

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func validate() throws {
        if self.all == !self.references.isEmpty { throw ValidationError("Name what is to be removed, or say --all.") }
    }

    func execute(_ context: CommandContext) async throws {
        let store = SharedContentStore(database: try context.database())
        var shares: [Share] = []
        if self.all {
            shares = try await store.shares()
        } else {
            for reference in self.references { shares += try await self.shares(reference, in: store) }
        }
        for share in shares {
            guard try await store.remove(share.contentHash) != nil else { continue }  // named twice
            context.console.result(
                "\(share.contentHash)  \(TerminalText.singleLine(share.path))",
                event: ["event": "removed", "contentHash": .string(share.contentHash.description), "path": .string(share.path)])
        }
    }

    private func shares(_ reference: String, in store: SharedContentStore) async throws -> [Share] {
        var found = try await store.shares(atPathOrContentID: reference)
        if found.isEmpty { found = try await store.shares(atPathOrContentID: LocalPath.absolute(reference)) }
        if found.isEmpty {
            switch try ContentReference(parsing: reference) {
            case .link(let link): found = try await store.share(link.contentHash).map { [$0] } ?? []
            case .contentHash(let hash): found = try await store.share(hash).map { [$0] } ?? []
            case .sha256, .name: break
            }
        }
        guard !found.isEmpty else {
            throw CommandFailure(.notFound, "\(reference) is not shared", next: "see what is with: dig-nat ls")
        }
        return found
    }
}
