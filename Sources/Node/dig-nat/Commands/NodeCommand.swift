import ArgumentParser
import DIGCommandLine
import DIGNatTools

struct NodeCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Runs a node until it is stopped: serves and announces what is shared, answers in the DHT, and relays for peers that nobody can reach directly.",
        discussion: """
            A node that everybody can reach relays for others and answers them in the DHT, within its limits; one that can't is reached through others. \
            Which of the two it is, is found out by having peers dial it. Say --serve-relay always and --serve-dht always where nobody is there to ask, \
            or run "dig-nat bootstrap", which does.

            With --share everything in a directory is shared, each file and folder of its own, hidden ones excepted. SIGHUP has it look again, \
            unless standard error is a terminal: new and changed files are shared, those that are gone not any more. \
            A status line comes after 2 s and then every minute.

            EXAMPLES
              dig-nat node
              dig-nat node --share /srv/files --by-name
              dig-nat node --listen /ip4/0.0.0.0/tcp/4001 --gun-listen 0.0.0.0:8765
              dig-nat node --relay /dns4/relay.example.org/tcp/4001/p2p/12D3Koo…
            """)

    @Option(help: ArgumentHelp("A directory of which everything is shared, or a file. May be repeated.", valueName: "path"), completion: .directory)
    var share: [String] = []

    @Flag(help: "Others can get each of these by its file name, too.")
    var byName = false

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func validate() throws {
        if self.share.contains("") { throw ValidationError("--share takes a path.") }
        if self.byName, self.share.isEmpty { throw ValidationError("--by-name needs --share.") }
    }

    func execute(_ context: CommandContext) async throws {
        try await context.withNetwork { network in
            try context.warnOfTemporaryIdentity(of: network)
            try await RunningNode(network: network, console: context.console, paths: self.share.map(LocalPath.absolute), names: self.byName, known: try context.knownAddresses(of: network)).run()
        }
    }
}
