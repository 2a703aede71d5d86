import DIGMultiformats
import DIGNatTools
import Logging

/// A node on loopback, without discovery unless asked for.
struct TestNode {
    let directory: TemporaryDirectory
    let network: NetworkManager

    static func started(configure: (inout NodeConfiguration) throws -> Void = { _ in }) async throws -> Self {
        let directory = try TemporaryDirectory()
        var configuration = NodeConfiguration(dataDirectory: directory.file("node"))
        configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
        configuration.localDiscovery = false
        configuration.discovery = .off
        try configure(&configuration)
        let network = try NetworkManager(configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await network.start()
        return Self(directory: directory, network: network)
    }
}
