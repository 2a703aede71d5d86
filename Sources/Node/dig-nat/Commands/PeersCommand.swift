import ArgumentParser
import DIGCommandLine
import DIGNatTools
import DIGPeerExchange

struct PeersCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers",
        abstract: "Takes part in the network for a while and prints who is connected: address, path, what each is good for.",
        discussion: """
            Each peer is printed with how it is reached and who dialed ("in", "out"), the address, the round trip, its software, whether everybody \
            can reach it, and in brackets what it speaks: files, dht, public-dht, pex, gossip, relay, punching, autonat. After them, \
            whom the connected peers know, and who is on the same network.

            EXAMPLES
              dig-nat peers
              dig-nat peers --for 60s --bootstrap /dns4/node.example.org/tcp/4001/p2p/12D3…
              dig-nat peers --json | jq -r 'select(.event == "peer") | .agent'
            """)

    @Option(name: .customLong("for"), help: ArgumentHelp("How long to take part.", valueName: "duration"))
    var period = DurationArgument(.seconds(10))

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func validate() throws {
        if !(Duration.milliseconds(100)...Duration.seconds(86_400)).contains(self.period.duration) { throw ValidationError("--for takes 100ms to 24h.") }
    }

    func execute(_ context: CommandContext) async throws {
        let console = context.console
        try await context.withNetwork { network in
            console.note("taking part for \(DurationText.elapsed(self.period.duration))")
            try await Task.sleep(for: self.period.duration)
            let rows = await PeerRow.all(of: network)
            for row in rows { console.result(row.line, event: row.event) }
            let connected = Set(rows.map(\.peer))
            let known = (network.discovery.peerExchange?.knownPeers ?? []).filter { !connected.contains($0.peer) }
            if !known.isEmpty { console.note("known by the connected peers:") }
            for peer in known.sorted(by: { $0.peer.description < $1.peer.description }) { console.result(Self.line(peer), event: Self.event(peer)) }
            let near = (network.localDiscovery?.peers ?? []).filter { !connected.contains($0.peer) }
            if !near.isEmpty { console.note("on the local network:") }
            for peer in near.sorted(by: { $0.peer.description < $1.peer.description }) { console.result(Self.line(peer), event: Self.event(peer)) }
            if rows.isEmpty { console.note("nobody is connected; name a first contact with --bootstrap") }
        }
    }

    static func line(_ peer: PeerExchangePeer) -> String {
        let addresses = peer.addresses.isEmpty ? "no address known" : peer.addresses.map { TerminalText.singleLine($0.description) }.joined(separator: " ")
        let source = peer.isFirstHand ? "met before" : "named by \(peer.sourceCount == 1 ? "1 peer" : "\(peer.sourceCount) peers")"
        return "\(peer.peer)  not connected, \(source)  \(addresses)"
    }

    static func line(_ peer: DiscoveredPeer) -> String {
        "\(peer.peer)  not connected, near by  \(peer.addresses.map { TerminalText.singleLine($0.description) }.joined(separator: " "))"
    }

    static func event(_ peer: DiscoveredPeer) -> JSONObject {
        ["event": "near", "peer": .string("\(peer.peer)"), "addresses": .array(peer.addresses.map { .string($0.description) })]
    }

    static func event(_ peer: PeerExchangePeer) -> JSONObject {
        [
            "event": "known", "peer": .string("\(peer.peer)"), "addresses": .array(peer.addresses.map { .string($0.description) }),
            "isFirstHand": .boolean(peer.isFirstHand), "sources": .integer(Int64(peer.sourceCount)),
        ]
    }
}
