import ArgumentParser
import DIGCircuitRelay
import DIGCommandLine
import DIGMultiformats
import DIGNatTools
import DIGTraversal

struct NodeCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Runs a node until it is stopped: serves what is shared, and relays for peers that nobody can reach directly.",
        discussion: """
            A node that everybody can reach relays for others, within its limits; one that can't is reached through others. \
            Which of the two it is, is found out by having peers dial it. Say --serve-relay always where nobody is there to ask, as on a first node.

            EXAMPLES
              dig-nat node
              dig-nat node --listen /ip4/0.0.0.0/tcp/4001 --serve-relay always
              dig-nat node --relay /dns4/relay.example.org/tcp/4001/p2p/12D3Koo…
            """)

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func execute(_ context: CommandContext) async throws {
        try await context.withNetwork { network in
            let console = context.console
            let host = FileHost(network: network)
            console.note("peer \(network.identity.peerID); press Ctrl-C to stop")
            var told: [String] = []
            var tier: ConnectionTier?
            var relays = false
            func tell() async {
                let environment = await network.traversal.environment
                let addresses = network.addresses.map(\.description)
                if addresses != told {
                    told = addresses
                    console.result(
                        addresses.joined(separator: "\n"),
                        event: ["event": "listening", "peer": .string("\(network.identity.peerID)"), "addresses": .array(addresses.map { .string($0) })])
                }
                guard environment.tier != tier || environment.relayService.isEnabled != relays else { return }
                if environment.tier != tier, environment.tier != .unknown { console.note(Self.text(environment.tier)) }
                tier = environment.tier
                relays = environment.relayService.isEnabled
                console.event(["event": "reachability", "tier": .string(environment.tier.rawValue), "relays": .boolean(relays)])
            }
            let changes = network.traversal.environmentChanges
            await tell()
            for await _ in changes { await tell() }
            await host.stop()
        }
    }

    private static func text(_ tier: ConnectionTier) -> String {
        switch tier {
        case .directCapable: "everybody can reach this node: it relays for others"
        case .natRestricted: "nobody reaches this node directly: it is reached by punching or through a relay"
        case .unknown: "nobody could be asked yet whether this node can be reached"
        }
    }
}
