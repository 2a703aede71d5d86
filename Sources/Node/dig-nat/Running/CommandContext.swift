import DIGCommandLine
import DIGMultiformats
import DIGNatTools
import DIGStorage
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
        if let addresses = self.configuration.addresses(.listen) {
            node.listen = []
            for text in addresses {
                do {
                    node.listen.append(try Multiaddr(text))
                } catch {
                    throw .invalidValue(
                        origin: self.configuration[.listen]?.origin ?? .standard, setting: .listen,
                        expected: "multiaddresses such as /ip4/0.0.0.0/tcp/4001", found: "\"\(text)\" (\(error))")
                }
            }
        }
        node.uploadRate = self.configuration.rate(.uploadRate).map { Int(clamping: $0) }
        node.downloadRate = self.configuration.rate(.downloadRate).map { Int(clamping: $0) }
        if let discovery = self.configuration.flag(.localDiscovery) { node.localDiscovery = discovery }
        if let count = self.configuration.count(.maximumConnections) { node.maximumConnectionCount = count }
        return node
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
