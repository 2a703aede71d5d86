import OrderedCollections
import Synchronization

/// Lets so many through at a time; the others wait in line.
final class RequestGate: Sendable {
    private struct State {
        var free: Int
        var waiters: OrderedDictionary<UInt64, CheckedContinuation<Void, any Error>> = [:]
        var next: UInt64 = 0
    }

    private let state: Mutex<State>

    init(count: Int) { self.state = Mutex(State(free: max(1, count))) }

    /// - Throws: `CancellationError`.
    func enter() async throws {
        let id = self.state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = self.state.withLock { state in
                    // Whoever was cancelled before it stood in line was not found there.
                    guard !Task.isCancelled else { return .failure(CancellationError()) }
                    guard state.free == 0 else {
                        state.free -= 1
                        return .success(())
                    }
                    state.waiters[id] = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(throwing: CancellationError())
        }
    }

    func leave() {
        let next = self.state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard !state.waiters.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiters.removeFirst().value
        }
        next?.resume()
    }
}
