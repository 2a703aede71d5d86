import ArgumentParser
import DIGCommandLine
import DIGGossipSub
import DIGGun
import DIGKademlia
import DIGNatTools
import DIGPeerExchange
import Testing

@testable import dig_nat

@Suite("Commands about finding, and their settings")
struct DiscoveryCommandTests {
    private let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    private let hash = "bciqlu6awx6hqdt7kifaubxs5vyrchmadmgrzmf32ts2bb73b6iablli"

    private func parse<Command: ParsableCommand>(_ arguments: String..., as type: Command.Type) throws -> Command {
        try #require(try DigNat.parseAsRoot(arguments) as? Command)
    }

    private func context(
        _ settings: [Setting: String], environment: [String: String] = [:], defaults: [Setting: SettingValue] = [:]
    ) throws -> CommandContext {
        var settings = settings
        settings[.dataDirectory] = "/nowhere"
        return CommandContext(
            configuration: try CommandContext.configuration(flags: settings, path: nil, environment: environment, defaults: defaults),
            console: Console(isJSON: true, isQuiet: true, logs: false, environment: [:]), logger: .silent)
    }

    // MARK: Arguments

    @Test("every command that goes to the network takes the switches of discovery")
    func switches() throws {
        let node = try self.parse(
            "node", "--no-dht", "--public-dht", "--serve-dht", "never", "--no-pex", "--no-gossip", "--gun", "wss://a/gun", "--gun", "http://b", "--gun-listen",
            "0.0.0.0:1", "--bootstrap", "/ip4/1.2.3.4/tcp/1/p2p/\(self.peer)", "--no-announce", "--network", "n", "--share", "d", "--share", "e", "--by-name",
            as: NodeCommand.self)
        #expect(
            node.settings == [
                .dht: "false", .publicDHT: "true", .dhtDuty: "never", .peerExchange: "false", .gossip: "false", .gun: "wss://a/gun,http://b", .gunListen: "0.0.0.0:1",
                .bootstrap: "/ip4/1.2.3.4/tcp/1/p2p/\(self.peer)", .announce: "false", .privateNetwork: "n",
            ])
        #expect(node.share == ["d", "e"] && node.byName)
        #expect(try self.parse("share", "a", "--no-announce", as: ShareCommand.self).settings == [.announce: "false"])
        #expect(try self.parse("get", "a", "--dht", as: GetCommand.self).settings == [.dht: "true"])
        #expect(try self.parse("find", "a", "--pex", as: FindCommand.self).settings == [.peerExchange: "true"])
    }

    @Test("find, peers and dht have their own")
    func own() throws {
        let find = try self.parse("find", self.hash, "--by", "dht,gun", "--timeout", "90s", "--limit", "2", as: FindCommand.self)
        #expect(find.reference == self.hash && find.by == "dht,gun" && find.timeout.duration == .seconds(90) && find.limit == 2)
        #expect(try self.parse("peers", as: PeersCommand.self).period.duration == .seconds(10))
        #expect(try self.parse("peers", "--for", "500ms", as: PeersCommand.self).period.duration == .milliseconds(500))
        _ = try self.parse("dht", as: DHTStatusCommand.self)
        #expect(try self.parse("dht", "status", "--for", "0", "--by", "dht", as: DHTStatusCommand.self).options.by == "dht")
        #expect(try self.parse("dht", "find-peer", self.peer, "--timeout", "1m", as: DHTFindPeerCommand.self).options.timeout.duration == .seconds(60))
        #expect(try self.parse("dht", "lookup", "x", "--no-public-dht", as: DHTLookupCommand.self).settings == [.publicDHT: "false"])
        #expect(try self.parse("dht", "bootstrap", "a", "b", as: DHTBootstrapCommand.self).peers == ["a", "b"])
    }

    @Test(
        "what can't be meant is a usage error, exit code 64",
        arguments: [
            ["find"], ["find", "a", "b"], ["find", "a", "--by", "carrier-pigeon"], ["find", "a", "--by", ""], ["find", "a", "--limit", "0"], ["find", "a", "--timeout", "0"],
            ["find", "a", "--timeout", "soon"], ["peers", "x"], ["peers", "--for", "0"], ["dht", "teleport"], ["dht", "lookup"], ["dht", "find-peer"],
            ["dht", "status", "--by", "gun"], ["dht", "lookup", "a", "--timeout", "2h"], ["node", "--by-name"], ["bootstrap", "x"],
        ])
    func usage(arguments: [String]) throws {
        let error = try #require(throws: (any Error).self) { try DigNat.parseAsRoot(arguments) }
        #expect(DigNat.exitCode(for: error).rawValue == CommandStatus.usage.rawValue, "\(arguments)")
    }

    @Test("the help of each command about the DHT has examples")
    func help() {
        for command in DHTCommand.configuration.subcommands {
            let text = DigNat.helpMessage(for: command, columns: 80)
            #expect(text.contains("EXAMPLES\n  dig-nat dht \(command._commandName)"), "\(text)")
        }
    }

    // MARK: Settings become a configuration

    @Test("without settings everything is on but GUN, which needs somebody to talk to")
    func standard() throws {
        let discovery = try self.context([:]).nodeConfiguration().discovery
        #expect(discovery.dht?.protocolID == Kademlia.digProtocolID)
        #expect(discovery.publicDHT?.protocolID == Kademlia.publicProtocolID)
        #expect(discovery.publicDHT?.bootstrapPeers.isEmpty == false)
        #expect(discovery.peerExchange?.allowsPrivateAddresses == false)
        #expect(discovery.gossip != nil && discovery.gun == nil && discovery.announces && discovery.bootstrapPeers.isEmpty && discovery.dhtDuty == .auto)
    }

    @Test("each can be switched off, by flag and by variable")
    func off() throws {
        let flags = try self.context([.dht: "false", .publicDHT: "false", .peerExchange: "false", .gossip: "false", .announce: "false", .dhtDuty: "always"])
            .nodeConfiguration().discovery
        #expect(flags.dht == nil && flags.publicDHT == nil && flags.peerExchange == nil && flags.gossip == nil && !flags.announces && flags.dhtDuty == .always)
        let variables = try self.context(
            [:], environment: ["DIG_NAT_DHT": "false", "DIG_NAT_PUBLIC_DHT": "false", "DIG_NAT_PEX": "no", "DIG_NAT_GOSSIP": "0", "DIG_NAT_ANNOUNCE": "off"]
        ).nodeConfiguration().discovery
        #expect(variables.dht == nil && variables.publicDHT == nil && variables.peerExchange == nil && variables.gossip == nil && !variables.announces)
    }

    @Test("a relay of GUN, or a place to be one at, switches it on")
    func gun() throws {
        let gun = try #require(try self.context([.gun: "wss://gun.example/gun,http://10.0.0.1:8765", .gunListen: "0.0.0.0:0,[::1]:9"]).nodeConfiguration().discovery.gun)
        #expect(gun.relays.map(\.url.description) == ["wss://gun.example/gun", "ws://10.0.0.1:8765/gun"])
        #expect(gun.relays.allSatisfy { $0.source == .user })
        #expect(gun.listen.map(\.host) == ["0.0.0.0", "::1"] && gun.listen.map(\.port) == [0, 9] && gun.listen.allSatisfy { $0.certificate == nil })
        #expect(try self.context([.gunListen: "127.0.0.1:8765"]).nodeConfiguration().discovery.gun?.relays.isEmpty == true)
        let secure = try self.context([.gunListen: "wss://0.0.0.0:443", .tlsCertificate: "/c.pem", .tlsKey: "/k.pem"]).nodeConfiguration().discovery.gun
        #expect(secure?.listen.first.map { "\($0.certificate.map { "\($0)" } ?? "none")".contains("/c.pem") } == true)
    }

    @Test("a private network has its own DHT, at private addresses too, and is not told to the public one")
    func privateNetwork() throws {
        let discovery = try self.context([.privateNetwork: "example"]).nodeConfiguration().discovery
        #expect(discovery.dht?.protocolID == "/dig/example/kad/1.0.0")
        #expect(discovery.dht?.allowsPrivateAddresses == true && discovery.peerExchange?.allowsPrivateAddresses == true)
        #expect(discovery.publicDHT == nil && discovery.allowsPrivateAddresses)
        #expect(try self.context([.privateNetwork: "example", .publicDHT: "true"]).nodeConfiguration().discovery.publicDHT != nil)
        #expect(try self.context([.privateNetwork: "example", .dht: "false"]).nodeConfiguration().discovery.dht == nil)
        #expect(try self.context([.privateNetwork: ""]).nodeConfiguration().discovery.publicDHT != nil)
    }

    @Test("first contacts are named with their peers")
    func bootstrap() throws {
        let address = "/ip4/1.2.3.4/tcp/4001/p2p/\(self.peer)"
        #expect(try self.context([.bootstrap: address]).nodeConfiguration().discovery.bootstrapPeers.map(\.description) == [address])
    }

    @Test(
        "what cannot be used is refused with its origin",
        arguments: [
            (Setting.bootstrap, "/ip4/1.2.3.4/tcp/1", "end with /p2p/PEER"), (.bootstrap, "node.example", "multiaddresses such as"), (.gun, "gun.example", "URLs such as"),
            (.gun, "ftp://a", "URLs such as"), (.gunListen, "8765", "addresses such as"), (.gunListen, "gun.example:1", "addresses such as"),
            (.gunListen, "0.0.0.0:65536", "addresses such as"), (.gunListen, "::1:9", "addresses such as"), (.gunListen, "wss://0.0.0.0:443", "tls-certificate"),
            (.privateNetwork, "a/b", "letters, digits"), (.privateNetwork, String(repeating: "n", count: 65), "1 to 64"),
        ])
    func refused(setting: Setting, text: String, expected: String) throws {
        let context = try self.context([setting: text])
        let error = try #require(throws: ConfigurationError.self) { try context.nodeConfiguration() }
        #expect(error.description.contains(expected), "\(error)")
        #expect(error.failure.status == .usage)
    }

    @Test("too many relays of GUN are refused, not left out")
    func manyRelays() throws {
        let context = try self.context([.gun: (1...17).map { "ws://10.0.0.\($0)/gun" }.joined(separator: ",")])
        #expect(throws: ConfigurationError.self) { try context.nodeConfiguration() }
    }

    @Test("doctor leaves alone who is not named, unless it is told otherwise")
    func doctor() throws {
        for (settings, isOn) in [([:], false), ([.dht: "true", .publicDHT: "true", .peerExchange: "true", .gossip: "true"], true)] as [([Setting: String], Bool)] {
            let context = try self.context(settings)
            var node = try context.nodeConfiguration()
            DoctorCommand.tune(&node, context.configuration)
            #expect((node.discovery.dht != nil) == isOn && (node.discovery.publicDHT != nil) == isOn)
            #expect((node.discovery.peerExchange != nil) == isOn && (node.discovery.gossip != nil) == isOn)
        }
    }

    // MARK: Everybody's first contact

    @Test("bootstrap has other defaults, and every one can be set")
    func firstContact() throws {
        let command = try self.parse("bootstrap", as: BootstrapCommand.self)
        var node = try self.context([:], defaults: command.defaults).nodeConfiguration()
        #expect(node.listen.map(\.description) == ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"])
        #expect(node.discovery.dhtDuty == .always && node.traversal.relayDuty == .always)
        #expect(node.discovery.gun?.listen.map(\.port) == [8765, 8765])
        #expect(node.maximumConnectionCount >= 200)
        #expect(node.traversal.relayConnectionAllowance != 0)
        BootstrapCommand.tune(&node)
        #expect(node.discovery.dht?.maximumInboundStreams == 2048 && node.discovery.publicDHT?.maximumInboundStreams == 2048)
        #expect((node.discovery.peerExchange?.maximumLinks ?? 0) >= node.maximumConnectionCount)
        #expect((node.discovery.gossip?.maximumPeers ?? 0) >= node.maximumConnectionCount)
        #expect(node.discovery.gun?.connectionCount == 1024)

        var other = try self.context([.dhtDuty: "auto", .gunListen: "", .maximumConnections: "7", .dht: "false"], defaults: command.defaults).nodeConfiguration()
        BootstrapCommand.tune(&other)
        #expect(other.discovery.dhtDuty == .auto && other.discovery.gun == nil && other.maximumConnectionCount == 7 && other.discovery.dht == nil)
    }

    @Test("half of the open files are for its own connections, the rest for those it relays for")
    func connectionCount() {
        #expect(BootstrapCommand.connectionCount(fileLimit: 10_240) == 2000)
        #expect(BootstrapCommand.connectionCount(fileLimit: 1024) == 384)
        #expect(BootstrapCommand.connectionCount(fileLimit: 256) == 200)
        #expect(BootstrapCommand.connectionCount(fileLimit: nil) == 200)
    }
}
