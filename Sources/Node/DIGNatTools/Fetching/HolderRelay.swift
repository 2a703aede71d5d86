import DIGNet
import Synchronization

/// Hands connections to holders on to the download, those that came before it was made too.
final class HolderRelay: Sendable {
    private struct State {
        var waiting: [any Connection] = []
        var forward: (add: @Sendable (any Connection) -> Void, remove: @Sendable (any Connection) -> Void)?
    }

    private let state = Mutex(State())
    private let arrivals = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    func add(_ connection: any Connection) {
        let forward = self.state.withLock { state in
            if state.forward == nil { state.waiting.append(connection) }
            return state.forward
        }
        if let forward { forward.add(connection) } else { self.arrivals.continuation.yield() }
    }

    /// Hands `new` on in place of `old`, of which nothing more is asked.
    func move(from old: any Connection, to new: any Connection) {
        let forward = self.state.withLock { state in
            if state.forward == nil { state.waiting = state.waiting.map { $0.id == old.id ? new : $0 } }
            return state.forward
        }
        forward?.add(new)
        forward?.remove(old)
    }

    /// The first connection that is here within `duration`.
    func first(within duration: Duration) async -> (any Connection)? {
        _ = await self.arrivals.stream.first(within: duration)
        return self.current
    }

    /// The first connection of those that nobody took yet.
    var current: (any Connection)? { self.state.withLock { $0.waiting.first } }

    /// The connection that came after `index` others, now or before `deadline`. For one caller at a time, before ``forward(_:)``.
    func connection(at index: Int, until deadline: ContinuousClock.Instant) async -> (any Connection)? {
        while true {
            let found = self.state.withLock { index < $0.waiting.count ? $0.waiting[index] : nil }
            let left = deadline - .now
            guard found == nil, left > .zero, await self.arrivals.stream.first(within: left) != nil else { return found }
        }
    }

    /// Calls `add` for all there are, and from now on for each; `remove` for one whose place another has taken.
    func forward(add: @escaping @Sendable (any Connection) -> Void, remove: @escaping @Sendable (any Connection) -> Void) {
        let waiting = self.state.withLock { state in
            state.forward = (add, remove)
            defer { state.waiting = [] }
            return state.waiting
        }
        for connection in waiting { add(connection) }
    }
}
