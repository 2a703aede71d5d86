import DIGContent
import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTransfer
import NIOCore
import Synchronization

/// Finds holders and keeps connections to them: the peers of a link, and whoever on the local network says that it has the content.
///
/// Runs until it is cancelled. A connection that ends is dialed again, ever more slowly.
final class HolderSearch: Sendable {
    /// What came of trying one peer, for the error if nobody delivers.
    struct Attempt: Sendable {
        var peer: String
        var outcome: String
    }

    private static let redialIntervals: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10)]
    /// Peers of the local network asked at once and remembered at most.
    private static let maximumLocalPeerCount = 256

    private let network: NetworkManager
    private let link: [Multiaddr]
    /// What a local peer must say before it counts. Nil: connecting is enough.
    private let question: @Sendable (any Connection) async throws -> Bool
    private let found: @Sendable (any Connection) async -> Void
    private let attempts = Mutex<[String: String]>([:])
    /// Peers of the link not tried yet.
    private let untriedCount: Mutex<Int>
    private let exhaustion = AsyncStream.makeStream(of: Void.self)

    /// - Parameters:
    ///   - link: Addresses with peer ids, taken at their word.
    ///   - question: Whether a peer of the local network is one to use.
    ///   - found: Called for every connection to a holder, again after each reconnect.
    init(
        network: NetworkManager, link: [Multiaddr], question: @escaping @Sendable (any Connection) async throws -> Bool,
        found: @escaping @Sendable (any Connection) async -> Void
    ) {
        self.network = network
        self.link = link
        self.question = question
        self.found = found
        // An address and a peer each count at most once.
        var names = Set<String>()
        for address in link { names.insert(address.peerID?.description ?? address.description) }
        self.untriedCount = Mutex(names.count)
    }

    /// What has been tried so far, in no particular order.
    var log: [Attempt] {
        self.attempts.withLock { $0.map { Attempt(peer: $0.key, outcome: $0.value) } }
    }

    /// Returns when every peer of the link has been tried once; never if the link names none.
    func linkIsExhausted() async {
        for await _ in self.exhaustion.stream {}
    }

    /// Whether every peer of the link has been tried once.
    var isLinkExhausted: Bool { self.untriedCount.withLock { $0 <= 0 } }

    private func tried() {
        let left = self.untriedCount.withLock { count in
            count -= 1
            return count
        }
        if left == 0 { self.exhaustion.continuation.finish() }
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            var addresses: [PeerID: [Multiaddr]] = [:]
            var withoutPeer: Set<Multiaddr> = []
            for address in self.link {
                if let peer = address.peerID { addresses[peer, default: []].append(address) } else { withoutPeer.insert(address) }
            }
            let known = Set(addresses.keys)
            for (peer, addresses) in addresses {
                group.addTask {
                    await self.keep("\(peer)", isOfLink: true) { try await self.network.connect(to: peer, addresses: addresses) }
                }
            }
            for address in withoutPeer {
                group.addTask {
                    await self.keep("\(address)", isOfLink: true) { try await self.network.swarm.connect(to: address) }
                }
            }
            guard let discovery = self.network.localDiscovery else { return }
            var seen = known
            for await peer in discovery.findPeers() {
                guard seen.count < Self.maximumLocalPeerCount + known.count, !peer.addresses.isEmpty, seen.insert(peer.peer).inserted else { continue }
                group.addTask {
                    await self.keep("\(peer.peer)", isOfLink: false) {
                        let connection = try await self.network.connect(to: peer.peer, addresses: peer.addresses)
                        guard try await self.question(connection) else { throw NodeError(.notFound, "on the local network, does not have it") }
                        return connection
                    }
                }
            }
        }
    }

    /// Connects, reports, waits until the connection ends, and begins again.
    private func keep(_ name: String, isOfLink: Bool, connect: @Sendable () async throws -> any Connection) async {
        var failures = 0
        var isFirst = isOfLink
        while !Task.isCancelled {
            do {
                let connection = try await connect()
                self.network.swarm.protect(connection.remotePeer, tag: "fetch")
                self.note(name, "connected")
                await self.found(connection)
                if isFirst {
                    self.tried()
                    isFirst = false
                }
                failures = 0
                // Leaves at once if the task is cancelled: the future is about the connection, which may outlive this search.
                await Self.wait(for: connection)
                self.network.swarm.unprotect(connection.remotePeer, tag: "fetch")
                self.note(name, "disconnected")
            } catch {
                self.note(name, "\(error)")
                if isFirst {
                    self.tried()
                    isFirst = false
                }
                // Whoever was asked and has it not is not asked again.
                if let error = error as? NodeError, error.code == .notFound { return }
            }
            do {
                try await Task.sleep(for: Self.redialIntervals[min(failures, Self.redialIntervals.count - 1)])
            } catch {
                return
            }
            failures += 1
        }
    }

    private static func wait(for connection: any Connection) async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        connection.closeFuture.whenComplete { _ in continuation.finish() }
        for await _ in stream {}
    }

    private func note(_ name: String, _ outcome: String) {
        self.attempts.withLock { attempts in
            guard attempts[name] != nil || attempts.count < Self.maximumLocalPeerCount else { return }
            attempts[name] = outcome
        }
    }
}
