import Logging
import NIOCore
import NIOPosix
import Testing

@testable import DIGGun

/// Peers over loopback WebSockets.
enum Loopback {
    static let logger = Logger(label: "gun", factory: { _ in SwiftLogNoOpLogHandler() })
    static let group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

    static func peer(relays: [GunURL] = [], isRelay: Bool = false, storage: (any GunStorage)? = nil, guards: [GunGuard] = GunNamespace.standard.guards) -> GunPeer {
        var configuration = GunPeerConfiguration()
        configuration.relays = relays.map { .init($0) }
        if isRelay { configuration.listen = [GunListenAddress(host: "127.0.0.1", port: 0)] }
        configuration.saveInterval = .milliseconds(20)
        return GunPeer(configuration: configuration, guards: guards, storage: storage, group: self.group, logger: self.logger)
    }

    /// Waits until `condition` holds, at most `limit`.
    static func wait(_ limit: Duration = .seconds(60), until condition: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + limit
        while try await !condition() {
            try #require(ContinuousClock.now < end, "waited \(limit) in vain")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Runs a relay and whatever `body` starts in its group; everything ends with it.
    static func withRelay(_ body: (GunPeer, GunURL, inout ThrowingTaskGroup<Void, any Error>) async throws -> Void) async throws {
        let relay = self.peer(isRelay: true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            try await self.wait { !relay.status.listening.isEmpty }
            let url = try #require(relay.status.listening.first)
            do { try await body(relay, url, &group) } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }
}
