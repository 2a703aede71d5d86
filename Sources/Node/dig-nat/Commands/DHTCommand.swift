import ArgumentParser
import DIGCommandLine
import DIGDiscovery
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNatTools

struct DHTCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dht",
        abstract: "Looks at the DHT, and looks things up in it.",
        discussion: """
            There are two: the one of this software ("dht"), or of a private network (--network), and the one of libp2p and IPFS ("public-dht").

            EXAMPLES
              dig-nat dht status
              dig-nat dht lookup bciq…
              dig-nat dht find-peer 12D3KooW…
              dig-nat dht bootstrap /dns4/node.example.org/tcp/4001/p2p/12D3…
            """,
        subcommands: [DHTStatusCommand.self, DHTFindPeerCommand.self, DHTLookupCommand.self, DHTBootstrapCommand.self],
        defaultSubcommand: DHTStatusCommand.self)
}

struct DHTStatusCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Takes part for a while and prints what this node is in each DHT: mode, nodes known, records, questions.",
        discussion: """
            EXAMPLES
              dig-nat dht status
              dig-nat dht status --for 60s --by public-dht --json
            """)

    @Option(name: .customLong("for"), help: ArgumentHelp("How long to take part.", valueName: "duration"))
    var period = DurationArgument(.seconds(10))

    @OptionGroup
    var options: DHTOptions

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func validate() throws {
        if !(Duration.zero...Duration.seconds(86_400)).contains(self.period.duration) { throw ValidationError("--for takes at most 24h.") }
    }

    func execute(_ context: CommandContext) async throws {
        try await context.withNetwork { network in
            let services = try self.options.services(of: network)
            if self.period.duration > .zero { context.console.note("taking part for \(DurationText.elapsed(self.period.duration))") }
            try await Task.sleep(for: self.period.duration)
            for (source, dht) in services {
                let report = DHTReport(dht, source: source)
                context.console.result(report.text, event: report.event)
            }
        }
    }
}

struct DHTFindPeerCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "find-peer",
        abstract: "Asks the DHT where a peer is.",
        discussion: """
            Prints what the first node says that knows. Ends with exit code 3 if none does. An overlay address (fd…, as "id" prints it) names a peer \
            too: the DHT of this software has who that is, in the peer's own signed words. The address itself is never dialed.

            EXAMPLES
              dig-nat dht find-peer 12D3KooW…
              dig-nat dht find-peer fd3c:9b1e:…
              dig-nat dht find-peer QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN --by public-dht
            """)

    @Argument(help: ArgumentHelp("The peer's id, or its overlay address.", valueName: "peer"))
    var peer: String

    @OptionGroup
    var options: DHTOptions

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func execute(_ context: CommandContext) async throws {
        let name = try Self.name(parsing: self.peer)
        try await context.withNetwork { network in
            try await self.options.inEach(of: network, console: context.console, orThrow: "no node knows \(self.peer)") { source, dht in
                let start = ContinuousClock.now
                let found: KademliaPeer?
                switch name {
                case .peer(let peer): found = try await dht.findPeer(peer)
                // Other software has no such records, and would not take them.
                case .overlay(let address): found = source == .dht ? try await dht.findPeer(address) : nil
                }
                guard let found else { return false }
                let elapsed = ContinuousClock.now - start
                context.console.result(Self.line(found, source: source, after: elapsed), event: Self.event(found, source: source, after: elapsed))
                return true
            }
        }
    }

    enum Name: Hashable {
        case peer(PeerID)
        case overlay(OverlayAddress)
    }

    static func name(parsing text: String) throws -> Name {
        if let address = OverlayAddress(text) { return .overlay(address) }
        do { return .peer(try PeerID(text)) } catch {
            throw CommandFailure(.usage, "\"\(text)\" is no peer id and no overlay address", next: "copy it from a link, after /p2p/, or from \"dig-nat id\" of the peer")
        }
    }

    static func line(_ peer: KademliaPeer, source: DiscoverySource, after elapsed: Duration) -> String {
        "\(peer.peer)  \(source.rawValue) \(DurationText.latency(elapsed))  \(peer.addresses.isEmpty ? "no address known" : peer.addresses.map { TerminalText.singleLine($0.description) }.joined(separator: " "))"
    }

    static func event(_ peer: KademliaPeer, source: DiscoverySource, after elapsed: Duration) -> JSONObject {
        [
            "event": "located", "peer": .string("\(peer.peer)"), "by": .string(source.rawValue), "seconds": .number(DurationText.seconds(elapsed)),
            "addresses": .array(peer.addresses.map { .string($0.description) }),
        ]
    }
}

struct DHTLookupCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup",
        abstract: "Looks up a key in the DHT: the nodes closest to it, and who says that it has it.",
        discussion: """
            KEY is what "get" takes, a peer's id, or "hex:" and the bytes of a key. Closest nodes come with how many bits they share with the key, \
            providers with how many nodes were asked one after the other until one knew. Ends with exit code 3 if there is no provider.

            EXAMPLES
              dig-nat dht lookup bciq…
              dig-nat dht lookup photos-2025 --by dht --timeout 30s --json
            """)

    @Argument(help: ArgumentHelp("Content hash, name, SHA-256, link, peer or hex:…", valueName: "key"))
    var key: String

    @OptionGroup
    var options: DHTOptions

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    /// What came of it in one DHT.
    struct Outcome: Hashable {
        var source: DiscoverySource
        var key: [UInt8]
        var closest: [KademliaPeer] = []
        var providers: [FoundProvider] = []
        var requests: UInt64 = 0
        var closestTime: Duration = .zero
        var providersTime: Duration = .zero
    }

    func execute(_ context: CommandContext) async throws {
        let key = try DHTLookupKey.bytes(parsing: self.key)
        try await context.withNetwork { network in
            try await self.options.inEach(of: network, console: context.console, orThrow: "nobody says that it has it") { source, dht in
                var outcome = Outcome(source: source, key: key)
                let before = dht.statistics.requestsSent
                let start = ContinuousClock.now
                outcome.closest = try await dht.closestPeers(to: key)
                outcome.closestTime = ContinuousClock.now - start
                for await provider in dht.findProviders(of: key) {
                    if let index = outcome.providers.firstIndex(where: { $0.peer == provider.peer }) { outcome.providers[index] = provider } else { outcome.providers.append(provider) }
                }
                outcome.providersTime = ContinuousClock.now - start - outcome.closestTime
                outcome.requests = dht.statistics.requestsSent - min(before, dht.statistics.requestsSent)
                Self.tell(outcome, context.console)
                return !outcome.providers.isEmpty
            }
        }
    }

    private static func tell(_ outcome: Outcome, _ console: Console) {
        if console.isJSON {
            for event in Self.events(outcome) { console.event(event) }
        } else {
            console.result(Self.text(outcome), event: [:])
        }
    }

    static func text(_ outcome: Outcome) -> String {
        let key = KademliaKey(hashing: outcome.key)
        var lines = ["\(outcome.source.rawValue): \(outcome.closest.count == 1 ? "1 closest node" : "\(outcome.closest.count) closest nodes") in \(DurationText.latency(outcome.closestTime))"]
        lines += outcome.closest.map { "  \($0.peer)  \(key.commonPrefixLength(with: $0.key)) bits  \(Self.addresses($0.addresses))" }
        lines.append("\(outcome.source.rawValue): \(outcome.providers.count == 1 ? "1 provider" : "\(outcome.providers.count) providers") in \(DurationText.latency(outcome.providersTime)), \(outcome.requests) questions in all")
        lines += outcome.providers.map { provider in
            "  \(provider.peer)  \(provider.hops == 1 ? "1 hop" : "\(provider.hops) hops")\(provider.isSigned ? ", signed" : "")  \(Self.addresses(provider.addresses))"
        }
        return lines.joined(separator: "\n")
    }

    static func events(_ outcome: Outcome) -> [JSONObject] {
        let key = KademliaKey(hashing: outcome.key)
        let by = JSONValue.string(outcome.source.rawValue)
        func addresses(_ addresses: [Multiaddr]) -> JSONValue { .array(addresses.map { .string($0.description) }) }
        let closest = outcome.closest.map { peer -> JSONObject in
            [
                "event": "closest", "by": by, "peer": .string("\(peer.peer)"), "sharedBits": .integer(Int64(key.commonPrefixLength(with: peer.key))),
                "addresses": addresses(peer.addresses),
            ]
        }
        let providers = outcome.providers.map { provider -> JSONObject in
            [
                "event": "provider", "by": by, "peer": .string("\(provider.peer)"), "hops": .integer(Int64(provider.hops)), "signed": .boolean(provider.isSigned),
                "source": .string("\(provider.source)"), "addresses": addresses(provider.addresses),
            ]
        }
        let sums: JSONObject = [
            "event": "lookup", "by": by, "closest": .integer(Int64(outcome.closest.count)), "providers": .integer(Int64(outcome.providers.count)),
            "requests": .unsigned(outcome.requests), "closestSeconds": .number(DurationText.seconds(outcome.closestTime)),
            "providersSeconds": .number(DurationText.seconds(outcome.providersTime)),
        ]
        return closest + providers + [sums]
    }

    private static func addresses(_ addresses: [Multiaddr]) -> String {
        addresses.isEmpty ? "no address known" : addresses.map { TerminalText.singleLine($0.description) }.joined(separator: " ")
    }
}

struct DHTBootstrapCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "Gets to know the DHT through the first contacts, and says what came of it.",
        discussion: """
            What is learned is remembered in the data directory: later commands begin with it. Ends with exit code 7 if no first contact answers.

            EXAMPLES
              dig-nat dht bootstrap
              dig-nat dht bootstrap /dns4/node.example.org/tcp/4001/p2p/12D3…
            """)

    @Argument(help: ArgumentHelp("First contacts beside those of the settings; each ends with /p2p/PEER.", valueName: "multiaddress"))
    var peers: [String] = []

    @OptionGroup
    var options: DHTOptions

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] { self.global.settings.merging(self.network.settings) { $1 } }

    func execute(_ context: CommandContext) async throws {
        let named = try self.peers.map { text -> Multiaddr in
            do {
                let address = try Multiaddr(text)
                if address.peerID != nil { return address }
            } catch {
                // No address, either.
            }
            throw CommandFailure(.usage, "\"\(text)\" is no address of a peer", next: "it ends with /p2p/PEER, as \"dig-nat bootstrap\" prints it")
        }
        try await context.withNetwork { network in
            let services = try self.options.services(of: network)
            var isAnybodyThere = false
            var details: [String] = []
            for (source, dht) in services {
                let start = ContinuousClock.now
                // First contacts of the settings are those of our own DHT; the public one has its own.
                let peers = named + (source == .dht ? network.configuration.discovery.bootstrapPeers : [])
                do {
                    let answered = try await dht.bootstrap(peers)
                    isAnybodyThere = true
                    let nodes = dht.statistics.routingTableCount
                    context.console.result(
                        "\(source.rawValue): \(answered == 1 ? "1 first contact" : "\(answered) first contacts") answered, \(nodes == 1 ? "1 node" : "\(nodes) nodes") known after \(DurationText.latency(ContinuousClock.now - start))",
                        event: [
                            "event": "bootstrapped", "by": .string(source.rawValue), "answered": .integer(Int64(answered)), "nodes": .integer(Int64(nodes)),
                            "seconds": .number(DurationText.seconds(ContinuousClock.now - start)),
                        ])
                } catch let error as KademliaError {
                    details.append("\(source.words): \(error)")
                }
            }
            guard !isAnybodyThere else { return }
            throw CommandFailure(.unreachable, "no first contact answers", details: details, next: "name one that runs: dig-nat dht bootstrap MULTIADDRESS")
        }
    }
}
