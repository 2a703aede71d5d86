import NIOCore
import Synchronization

/// The buffers of a download, shared by its sessions: what is received and not yet on disk is bounded by them.
///
/// The lock is taken twice for each slab, that is for up to 1 MiB.
final class ChunkSlabPool: Sendable {
    private struct Waiter {
        let id: ObjectIdentifier
        let eventLoop: any EventLoop
        let resume: @Sendable () -> Void
    }

    private struct State {
        var free: [ChunkSlab] = []
        var allocatedCount = 0
        var limit: Int
        var waiters: [Waiter] = []
    }

    private let state: Mutex<State>

    /// - Parameter byteCount: What all slabs together may take; at least two slabs.
    init(byteCount: Int) {
        self.state = Mutex(State(limit: max(2, byteCount / ChunkSlab.byteCount)))
    }

    /// Each session may hold one slab that a slow peer fills; so that this does not stop the others there is one more for each.
    func sessionAdded() { self.state.withLock { $0.limit += 1 } }
    func sessionRemoved() { self.state.withLock { $0.limit -= 1 } }

    /// An empty slab. Nil if all are in use: `resume` is called on `eventLoop` once, when one may be free.
    func take(for owner: AnyObject, on eventLoop: any EventLoop, resume: @escaping @Sendable () -> Void) -> ChunkSlab? {
        self.state.withLock { state in
            if let slab = state.free.popLast() { return slab }
            if state.allocatedCount < state.limit {
                state.allocatedCount += 1
                return ChunkSlab()
            }
            let id = ObjectIdentifier(owner)
            if !state.waiters.contains(where: { $0.id == id }) {
                state.waiters.append(Waiter(id: id, eventLoop: eventLoop, resume: resume))
            }
            return nil
        }
    }

    /// An empty slab even if all are in use, for work that does not wait for the network.
    func takeAnyway() -> ChunkSlab {
        self.state.withLock { state in
            if let slab = state.free.popLast() { return slab }
            state.allocatedCount += 1
            return ChunkSlab()
        }
    }

    func giveBack(_ slab: ChunkSlab) {
        slab.reset()
        let waiter: Waiter? = self.state.withLock { state in
            if state.allocatedCount > state.limit {
                state.allocatedCount -= 1
            } else {
                state.free.append(slab)
            }
            return state.waiters.isEmpty || state.free.isEmpty ? nil : state.waiters.removeFirst()
        }
        if let waiter { waiter.eventLoop.execute(waiter.resume) }
    }

    /// Whoever was woken took no slab: it is the next one's turn.
    func passOn() {
        let waiter: Waiter? = self.state.withLock { state in
            let isFree = !state.free.isEmpty || state.allocatedCount < state.limit
            return state.waiters.isEmpty || !isFree ? nil : state.waiters.removeFirst()
        }
        if let waiter { waiter.eventLoop.execute(waiter.resume) }
    }

    func stopWaiting(_ owner: AnyObject) {
        let id = ObjectIdentifier(owner)
        self.state.withLock { $0.waiters.removeAll { $0.id == id } }
    }

    /// For tests.
    var allocatedCount: Int { self.state.withLock { $0.allocatedCount } }
}
