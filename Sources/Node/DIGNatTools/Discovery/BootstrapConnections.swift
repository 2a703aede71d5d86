import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Stays connected to the first contacts.
final class BootstrapConnections: Service {
    private static let tag = "bootstrap"
    private static let retryIntervals: [Duration] = [.seconds(1), .seconds(2), .seconds(5), .seconds(15), .seconds(60), .seconds(300)]

    private let swarm: Swarm
    private let peers: [PeerID: [Multiaddr]]
    private let logger: Logger
    /// Contacts that were not tried yet; the stream ends with the last.
    private let untriedCount: Mutex<Int>
    private let untried = AsyncStream.makeStream(of: Never.self)

    /// - Parameter addresses: Those without a peer id are left out.
    init(swarm: Swarm, addresses: [Multiaddr], logger: Logger) {
        self.swarm = swarm
        var peers: [PeerID: [Multiaddr]] = [:]
        for address in addresses {
            guard let peer = address.peerID, peer != swarm.localPeer else { continue }
            peers[peer, default: []].append(address.removingPeerID())
        }
        self.peers = peers
        self.logger = logger
        self.untriedCount = Mutex(peers.count)
        if peers.isEmpty { self.untried.continuation.finish() }
    }

    /// Waits until each was connected to or tried in vain. For one caller.
    func hasTriedAll() async {
        for await _ in self.untried.stream {}
    }

    private func hasTried() {
        let left = self.untriedCount.withLock { count in
            count -= 1
            return count
        }
        if left == 0 { self.untried.continuation.finish() }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for (peer, addresses) in self.peers {
                    group.addTask { await self.keep(peer, addresses) }
                }
            }
        }
    }

    private func keep(_ peer: PeerID, _ addresses: [Multiaddr]) async {
        self.swarm.protect(peer, tag: Self.tag)
        defer { self.swarm.unprotect(peer, tag: Self.tag) }
        var failures = 0
        var isFirst = true
        func tried() {
            if isFirst { self.hasTried() }
            isFirst = false
        }
        while !Task.isCancelled {
            do {
                let connection = try await self.swarm.connect(to: peer, addresses: addresses, options: DialOptions())
                tried()
                failures = 0
                // A future can't be given up, a stream can.
                let (closed, close) = AsyncStream.makeStream(of: Never.self)
                connection.closeFuture.whenComplete { _ in close.finish() }
                for await _ in closed {}
            } catch is CancellationError {
                return
            } catch {
                tried()
                self.logger.info("a first contact cannot be reached", metadata: ["dig.node.peer": "\(peer)", "dig.node.error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.retryIntervals[min(failures, Self.retryIntervals.count - 1)]) } catch { return }
            failures += 1
        }
    }
}
