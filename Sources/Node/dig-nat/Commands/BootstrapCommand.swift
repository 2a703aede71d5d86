import ArgumentParser
import DIGCommandLine
import DIGGossipSub
import DIGKademlia
import DIGNatTools
import DIGPeerExchange
import DIGGun

struct BootstrapCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "Runs a node as everybody's first contact: answers in the DHT, relays, is a relay of GUN, and prints what others pass with --bootstrap.",
        discussion: """
            As "node", with other defaults: listens on port 4001, always answers in the DHT and relays, without waiting for a proof that it can be \
            reached, is a relay of GUN on port 8765, and keeps many more connections. Each can be set as usual. Run it on a machine that everybody \
            can reach; others then say --bootstrap and one of the addresses that it prints, and --gun and the address of GUN.

            EXAMPLES
              dig-nat bootstrap
              dig-nat bootstrap --network example --no-public-dht
              dig-nat bootstrap --listen /ip4/0.0.0.0/tcp/4001 --max-connections 5000
            """)

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    private static let maximumConnections = 2000
    private static let minimumConnections = 200

    var defaults: [Setting: SettingValue] {
        [
            .listen: .addresses(["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"]), .dhtDuty: .choice("always"), .relayDuty: .choice("always"),
            .gunListen: .addresses(["0.0.0.0:8765", "[::]:8765"]),
            .maximumConnections: .count(Self.connectionCount(fileLimit: OpenFiles.limit)),
        ]
    }

    /// Half of what may be open: the other half is for those that it relays for.
    static func connectionCount(fileLimit: Int?) -> Int {
        guard let fileLimit else { return Self.minimumConnections }
        return min(Self.maximumConnections, max(Self.minimumConnections, (fileLimit - OpenFiles.reserve) / 2))
    }

    func execute(_ context: CommandContext) async throws {
        try await context.withNetwork(tune: Self.tune) { network in
            try context.warnOfTemporaryIdentity(of: network)
            try await RunningNode(network: network, console: context.console, isFirstContact: true, known: try context.knownAddresses(of: network)).run()
        }
    }

    /// Room for everybody who comes.
    static func tune(_ node: inout NodeConfiguration) {
        let count = node.maximumConnectionCount
        node.swarm.maximumInboundHandshakes = max(node.swarm.maximumInboundHandshakes, 512)
        for path in [\NodeDiscoveryConfiguration.dht, \.publicDHT] where node.discovery[keyPath: path] != nil {
            node.discovery[keyPath: path]?.maximumInboundStreams = 2048
            node.discovery[keyPath: path]?.maximumIdleStreams = 512
        }
        if let exchange = node.discovery.peerExchange {
            node.discovery.peerExchange?.maximumLinks = max(exchange.maximumLinks, count)
            node.discovery.peerExchange?.maximumContacts = max(exchange.maximumContacts, 2 * count)
            node.discovery.peerExchange?.maximumInboundStreams = 512
            // Others come to it.
            node.discovery.peerExchange?.connectsToLearnedPeers = false
        }
        if let gossip = node.discovery.gossip { node.discovery.gossip?.maximumPeers = max(gossip.maximumPeers, count) }
        if let gun = node.discovery.gun { node.discovery.gun?.connectionCount = max(gun.connectionCount, 1024) }
    }
}
