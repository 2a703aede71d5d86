import Synchronization

/// Keeps the graph as long as the process lives: for tests, and to carry it from one ``GunPeer`` to the next.
public final class GunMemoryStorage: GunStorage {
    private struct State {
        var nodes: [ExactText: (stored: GunStoredNode, saved: UInt64)] = [:]
        var count: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    public func load(limit: Int) async throws -> [GunStoredNode] {
        self.state.withLock { state in
            state.nodes.values.sorted { ($0.stored.isOwn ? 0 : 1, UInt64.max - $0.saved) < ($1.stored.isOwn ? 0 : 1, UInt64.max - $1.saved) }
                .prefix(limit).map(\.stored)
        }
    }

    public func save(_ nodes: [GunStoredNode], removing removed: [ExactText]) async throws {
        self.state.withLock { state in
            for soul in removed { state.nodes[soul] = nil }
            for node in nodes {
                state.count += 1
                state.nodes[node.node.soul] = (node, state.count)
            }
        }
    }
}
