import DIGMultiformats
import NIOCore
import Synchronization

/// The `/memory/…` addresses of one test: transports with the same network see each other.
public final class MemoryNetwork: Sendable {
    private struct State {
        var listeners: [UInt64: MemoryListener] = [:]
        var next: UInt64 = 1
    }

    private let state = Mutex(State())

    public init() {}

    /// A number that nobody has.
    func reserve() -> UInt64 {
        self.state.withLock { state in
            while state.listeners[state.next] != nil { state.next += 1 }
            defer { state.next += 1 }
            return state.next
        }
    }

    func insert(_ listener: MemoryListener) -> Bool {
        self.state.withLock { state in
            guard state.listeners[listener.number] == nil else { return false }
            state.listeners[listener.number] = listener
            return true
        }
    }

    func remove(_ number: UInt64) {
        self.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
    }

    func listener(_ number: UInt64) -> MemoryListener? {
        self.state.withLock { $0.listeners[number] }
    }
}
