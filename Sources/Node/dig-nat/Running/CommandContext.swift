import DIGAccess
import DIGCircuitRelay
import DIGCommandLine
import DIGGun
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNatTools
import DIGSTUN
import DIGStorage
import DIGTraversal
import DIGWebSocket
import Foundation
import Logging

/// What a command has at hand when it runs.
struct CommandContext: Sendable {
    let configuration: EffectiveConfiguration
    let console: Console
    let logger: Logger

    // MARK: Configuration

    /// Layers flags, environment, file and defaults.
    ///
    /// - Parameters:
    ///   - path: `--config`; without it `DIG_NAT_CONFIG`, then the standard place, where it need not exist.
    ///   - defaults: What takes the place of the library's defaults in one command.
    static func configuration(
        flags: [Setting: String], path: String?, environment: [String: String], defaults: [Setting: SettingValue] = [:]
    ) throws(ConfigurationError) -> EffectiveConfiguration {
        let named = path ?? environment[StandardPaths.configurationVariable].flatMap { $0.isEmpty ? nil : $0 }
        var file: ConfigurationFile?
        if let path = named ?? StandardPaths(environment: environment).configurationFile, named != nil || FileManager.default.fileExists(atPath: path) {
            file = try ConfigurationFile(text: Self.text(path), path: path)
        }
        return try EffectiveConfiguration(flags: flags, environment: environment, file: file, defaults: Self.defaults.merging(defaults) { $1 })
    }

    private static func text(_ path: String) throws(ConfigurationError) -> String {
        do {
            return try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
        } catch {
            let exists = FileManager.default.fileExists(atPath: path)
            throw .unreadable(path: path, reason: exists ? "cannot be read as UTF-8 text" : "there is no such file")
        }
    }

    /// The library's defaults, so that they are written down once.
    static var defaults: [Setting: SettingValue] {
        let node = NodeConfiguration(dataDirectory: "")
        return [
            .downloadDirectory: .path("."),
            .listen: .addresses(node.listen.map(\.description)),
            .uploadRate: .rate(node.uploadRate.map { UInt64(clamping: $0) }),
            .downloadRate: .rate(node.downloadRate.map { UInt64(clamping: $0) }),
            .localDiscovery: .flag(node.localDiscovery),
            .maximumConnections: .count(node.maximumConnectionCount),
            .relays: .addresses(node.traversal.relays.map(\.description)),
            .stun: .addresses(node.traversal.stunServers.map(\.description)),
            .portMapping: .flag(node.traversal.usesPortMapping),
            .relayDuty: .choice(node.traversal.relayDuty.rawValue),
            .relayRate: .rate(node.traversal.relayService.bytesPerSecond.map { UInt64(clamping: $0) }),
            .relayDaily: .bytes(node.traversal.relayService.bytesPerDay),
            .traversalMode: .choice(node.traversal.ladder.mode.rawValue),
            .methods: .words([]),
            .bootstrap: .addresses(node.discovery.bootstrapPeers.map(\.description)),
            .dht: .flag(node.discovery.dht != nil),
            .publicDHT: .flag(node.discovery.publicDHT != nil),
            .dhtDuty: .choice(node.discovery.dhtDuty.rawValue),
            .peerExchange: .flag(node.discovery.pexEnabled),
            .gossip: .flag(node.discovery.gossip != nil),
            .gun: .addresses(node.discovery.gun?.relays.map(\.url.description) ?? []),
            .gunListen: .addresses([]),
            .announce: .flag(node.discovery.announces),
            .privateNetwork: .name(""),
            .requireAuthentication: .flag(node.access.requirePeerAuthentication),
            .anonymous: .flag(node.access.acceptAnonymousPeers),
            .documentationAddresses: .flag(false),
        ]
    }

    func dataDirectory() throws(ConfigurationError) -> String {
        guard let path = self.configuration.path(.dataDirectory) else { throw .noHome(needed: .dataDirectory) }
        return LocalPath.absolute(path)
    }

    func keyFile() throws(ConfigurationError) -> String {
        guard let path = self.configuration.path(.keyFile) else { throw .noHome(needed: .keyFile) }
        return LocalPath.absolute(path)
    }

    func nodeConfiguration() throws(ConfigurationError) -> NodeConfiguration {
        var node = NodeConfiguration(dataDirectory: try self.dataDirectory())
        node.identity = .file(path: try self.keyFile())
        if let addresses = try self.multiaddresses(.listen, example: "/ip4/0.0.0.0/tcp/4001") { node.listen = addresses }
        node.uploadRate = self.configuration.rate(.uploadRate).map { Int(clamping: $0) }
        node.downloadRate = self.configuration.rate(.downloadRate).map { Int(clamping: $0) }
        if let discovery = self.configuration.flag(.localDiscovery) { node.localDiscovery = discovery }
        if let count = self.configuration.count(.maximumConnections) { node.maximumConnectionCount = count }
        if let isRequired = self.configuration.flag(.requireAuthentication) { node.access.requirePeerAuthentication = isRequired }
        if let isAccepted = self.configuration.flag(.anonymous) { node.access.acceptAnonymousPeers = isAccepted }
        node.traversal = try self.traversal(node.traversal)
        switch (self.configuration.path(.tlsCertificate), self.configuration.path(.tlsKey)) {
        case (let certificate?, let key?):
            node.webSocket.serverCertificate = .init(chainFile: LocalPath.absolute(certificate), privateKeyFile: LocalPath.absolute(key))
        case (_?, nil): throw self.invalid(.tlsCertificate, expected: "set together with \(Setting.tlsKey.key)", found: "alone")
        case (nil, _?): throw self.invalid(.tlsKey, expected: "set together with \(Setting.tlsCertificate.key)", found: "alone")
        case (nil, nil): break
        }
        node.discovery = try self.discovery(node.discovery, webSocket: node.webSocket)
        // Whoever sets a number gets that number; otherwise a relay takes as many connections as the system lets it.
        if self.configuration.isSet(.maximumConnections) {
            node.traversal.relayConnectionAllowance = 0
        } else if let files = OpenFiles.limit {
            let relay = node.traversal.relayService
            node.traversal.relayConnectionAllowance = min(
                relay.maximumReservations + relay.maximumCircuits, max(0, files - node.maximumConnectionCount - OpenFiles.reserve))
        }
        return node
    }

    private func traversal(_ defaults: TraversalConfiguration) throws(ConfigurationError) -> TraversalConfiguration {
        var traversal = defaults
        if let relays = try self.peerAddresses(.relays, example: "/dns4/relay.example.org/tcp/4001/p2p/12D3Koo…") { traversal.relays = relays }
        if let servers = self.configuration.addresses(.stun) { traversal.stunServers = try self.stunServers(servers) }
        if let isOn = self.configuration.flag(.portMapping) { traversal.usesPortMapping = isOn }
        if let duty = self.configuration.word(.relayDuty).flatMap(TraversalConfiguration.RelayDuty.init) { traversal.relayDuty = duty }
        traversal.relayService.bytesPerSecond = self.configuration.rate(.relayRate).map { Int(clamping: $0) }
        traversal.relayService.bytesPerDay = self.configuration.bytes(.relayDaily)
        switch self.configuration.word(.traversalMode) {
        case "race"?: traversal.ladder.mode = .race
        case let order?:
            traversal.ladder.mode = .sequential
            traversal.ladder.preset = TraversalPreset(rawValue: order) ?? .dualRole
        case nil: break
        }
        if let words = self.configuration.words(.methods), !words.isEmpty {
            traversal.ladder.preferredMethods = words.compactMap(TraversalMethod.init)
        }
        traversal.addressPolicy.treatsDocumentationAsPublic = self.configuration.flag(.documentationAddresses) ?? false
        return traversal
    }

    private func peerAddresses(_ setting: Setting, example: String) throws(ConfigurationError) -> [Multiaddr]? {
        guard let addresses = try self.multiaddresses(setting, example: example) else { return nil }
        if let nameless = addresses.first(where: { $0.peerID == nil }) {
            throw self.invalid(setting, expected: "addresses that end with /p2p/PEER", found: "\"\(nameless)\"")
        }
        return addresses
    }

    private func invalid(_ setting: Setting, expected: String, found: String) -> ConfigurationError {
        .invalidValue(origin: self.configuration[setting]?.origin ?? .standard, setting: setting, expected: expected, found: found)
    }

    /// `HOST`, `HOST:PORT`, or a URI.
    private func stunServers(_ texts: [String]) throws(ConfigurationError) -> [STUNServerAddress] {
        var servers: [STUNServerAddress] = []
        for text in texts {
            do throws(STUNError) {
                let server = try STUNServerAddress(text.hasPrefix("stun:") || text.hasPrefix("stuns:") ? text : "stun:\(text)")
                guard server.scheme == .stun else { throw STUNError(.unsupported, "TLS says nothing about UDP") }
                servers.append(server)
            } catch {
                throw self.invalid(.stun, expected: "STUN servers such as stun.example.org:3478", found: "\"\(text)\" (\(error.message))")
            }
        }
        return servers
    }

    private func multiaddresses(_ setting: Setting, example: String) throws(ConfigurationError) -> [Multiaddr]? {
        guard let texts = self.configuration.addresses(setting) else { return nil }
        var addresses: [Multiaddr] = []
        for text in texts {
            do {
                addresses.append(try Multiaddr(text))
            } catch {
                throw self.invalid(setting, expected: "multiaddresses such as \(example)", found: "\"\(text)\" (\(error))")
            }
        }
        return addresses
    }

    // MARK: Discovery

    private func discovery(
        _ defaults: NodeDiscoveryConfiguration, webSocket: WebSocketConfiguration
    ) throws(ConfigurationError) -> NodeDiscoveryConfiguration {
        var discovery = defaults
        if let name = self.configuration.name(.privateNetwork) {
            do throws(KademliaError) { discovery = try .privateNetwork(name) } catch {
                throw self.invalid(.privateNetwork, expected: "1 to 64 letters, digits, '-', '_' and '.'", found: "\"\(name)\"")
            }
            // Nobody outside is to hear what is shared inside, unless that is wanted.
            if self.configuration.isSet(.publicDHT) { discovery.publicDHT = defaults.publicDHT }
        }
        if let peers = try self.peerAddresses(.bootstrap, example: "/dns4/node.example.org/tcp/4001/p2p/12D3Koo…") { discovery.bootstrapPeers = peers }
        if let duty = self.configuration.word(.dhtDuty).flatMap(NodeDiscoveryConfiguration.DHTDuty.init) { discovery.dhtDuty = duty }
        if let announces = self.configuration.flag(.announce) { discovery.announces = announces }
        if self.configuration.flag(.dht) == false { discovery.dht = nil }
        if self.configuration.flag(.publicDHT) == false { discovery.publicDHT = nil }
        if self.configuration.flag(.peerExchange) == false { discovery.peerExchange = nil }
        if self.configuration.flag(.gossip) == false { discovery.gossip = nil }
        discovery.gun = try self.gun(defaults.gun, webSocket: webSocket)
        return discovery
    }

    /// Nil without relays and without a place to listen.
    private func gun(_ defaults: GunPeerConfiguration?, webSocket: WebSocketConfiguration) throws(ConfigurationError) -> GunPeerConfiguration? {
        var gun = defaults ?? GunPeerConfiguration()
        gun.relays = []
        for text in self.configuration.addresses(.gun) ?? [] {
            do throws(GunError) { gun.relays.append(.init(try GunURL(text))) } catch {
                throw self.invalid(.gun, expected: "URLs such as wss://gun.example.org/gun", found: "\"\(text)\"")
            }
        }
        if gun.relays.count > gun.maximumRelayCount {
            throw self.invalid(.gun, expected: "at most \(gun.maximumRelayCount) relays", found: "\(gun.relays.count)")
        }
        gun.listen = []
        for text in self.configuration.addresses(.gunListen) ?? [] {
            guard let (listen, isSecure) = ListenText.parse(text) else {
                throw self.invalid(.gunListen, expected: "addresses such as 0.0.0.0:8765, [::]:8765 or wss://0.0.0.0:8765", found: "\"\(text)\"")
            }
            var address = GunListenAddress(host: listen.host, port: listen.port)
            if isSecure {
                guard let certificate = webSocket.serverCertificate else {
                    throw self.invalid(.gunListen, expected: "without wss:// as long as tls-certificate and tls-key are not set", found: "\"\(text)\"")
                }
                address.certificate = certificate
            }
            gun.listen.append(address)
        }
        return gun.relays.isEmpty && gun.listen.isEmpty ? nil : gun
    }

    // MARK: Parts of a node

    func database() throws -> NodeDatabase {
        try NodeDatabase(directory: try self.dataDirectory(), logger: self.logger)
    }

    /// Runs `body` with a network that listens, and ends it whatever happens.
    ///
    /// - Parameter tune: Changes what no setting is for.
    func withNetwork(tune: (inout NodeConfiguration) -> Void = { _ in }, _ body: (NetworkManager) async throws -> Void) async throws {
        var configuration = try self.nodeConfiguration()
        tune(&configuration)
        let network = try NetworkManager(configuration: configuration, logger: self.logger)
        do {
            try await network.start()
            try await body(network)
        } catch {
            await network.stop()
            throw error
        }
        await network.stop()
    }
}
