import ArgumentParser
import DIGAccess
import DIGCommandLine
import DIGStorage

struct AccessCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Shows or changes who may have something that is shared.",
        discussion: """
            Takes effect at once, also in a node that runs. Without a rule of its own a content is for everybody whom the settings let in \
            (require-authentication, anonymous). A folder's rule is that of what is in it. Who is not let in learns nothing of the content: no size, no name, \
            no byte. A grant (dig-nat grant) is good in every case.

            EXAMPLES
              dig-nat access holiday.mp4
              dig-nat access holiday.mp4 --only-trusted
              dig-nat access bciq… --allow 12D3KooW… --allow Anna
              dig-nat access holiday.mp4 --members members.txt
              dig-nat access holiday.mp4 --everyone
            """)

    @Argument(help: ArgumentHelp("Path or name of something that is shared, content hash, or link.", valueName: "reference"))
    var reference: String

    @OptionGroup(title: "Who may have it")
    var access: AccessOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let store = SQLiteAccessStore(database: database)
        let content = try await ContentName.hash(self.reference, in: database)
        if let access = try await self.access.access(in: store) { try await store.setAccess(access, of: content) }
        let access = try await store.access(of: content) ?? .everyone
        context.console.result(
            "\(content)  \(AccessText.words(access) ?? "everybody")",
            event: ["event": "access", "contentHash": .string("\(content)"), "access": AccessText.json(access)])
        if case .trusted = access, try await store.trustedPeers().isEmpty {
            context.console.note("nobody is trusted yet; trust somebody with: dig-nat trust add PEER --name NAME")
        }
    }
}
