import DIGCircuitRelay
import DIGCommandLine
import DIGIdentity
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
    /// - Parameter path: `--config`; without it `DIG_NAT_CONFIG`, then the standard place, where it need not exist.
    static func configuration(
        flags: [Setting: String], path: String?, environment: [String: String]
    ) throws(ConfigurationError) -> EffectiveConfiguration {
        let named = path ?? environment[StandardPaths.configurationVariable].flatMap { $0.isEmpty ? nil : $0 }
        var file: ConfigurationFile?
        if let path = named ?? StandardPaths(environment: environment).configurationFile, named != nil || FileManager.default.fileExists(atPath: path) {
            file = try ConfigurationFile(text: Self.text(path), path: path)
        }
        return try EffectiveConfiguration(flags: flags, environment: environment, file: file, defaults: Self.defaults)
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
        node.traversal = try self.traversal(node.traversal)
        if let certificate = self.configuration.path(.tlsCertificate), let key = self.configuration.path(.tlsKey) {
            node.webSocket.serverCertificate = .init(chainFile: LocalPath.absolute(certificate), privateKeyFile: LocalPath.absolute(key))
        }
        // Whoever sets a number gets that number; otherwise a relay takes as many connections as the system lets it.
        let isStandard = self.configuration[.maximumConnections].map { $0.origin == .standard } ?? true
        if !isStandard {
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
        if let relays = try self.multiaddresses(.relays, example: "/dns4/relay.example.org/tcp/4001/p2p/12D3Koo…") {
            if let nameless = relays.first(where: { $0.peerID == nil }) {
                throw .invalidValue(
                    origin: self.configuration[.relays]?.origin ?? .standard, setting: .relays, expected: "addresses that end with /p2p/PEER",
                    found: "\"\(nameless)\"")
            }
            traversal.relays = relays
        }
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

    /// `HOST`, `HOST:PORT`, or a URI.
    private func stunServers(_ texts: [String]) throws(ConfigurationError) -> [STUNServerAddress] {
        var servers: [STUNServerAddress] = []
        for text in texts {
            do throws(STUNError) {
                let server = try STUNServerAddress(text.hasPrefix("stun:") || text.hasPrefix("stuns:") ? text : "stun:\(text)")
                guard server.scheme == .stun else { throw STUNError(.unsupported, "TLS says nothing about UDP") }
                servers.append(server)
            } catch {
                throw .invalidValue(
                    origin: self.configuration[.stun]?.origin ?? .standard, setting: .stun, expected: "STUN servers such as stun.example.org:3478",
                    found: "\"\(text)\" (\(error.message))")
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
                throw .invalidValue(
                    origin: self.configuration[setting]?.origin ?? .standard, setting: setting, expected: "multiaddresses such as \(example)",
                    found: "\"\(text)\" (\(error))")
            }
        }
        return addresses
    }

    // MARK: Parts of a node

    func database() throws -> NodeDatabase {
        try NodeDatabase(directory: try self.dataDirectory(), logger: self.logger)
    }

    /// Runs `body` with a network that listens, and ends it whatever happens.
    func withNetwork(_ body: (NetworkManager) async throws -> Void) async throws {
        let network = try NetworkManager(configuration: try self.nodeConfiguration(), logger: self.logger)
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
