import Synchronization

/// Work that several callers wait for: it runs once, everybody gets its first result, and it is cancelled when the last of them gives up
/// before there is one.
package final class SharedTask<Value: Sendable>: Sendable {
    private struct State {
        var waiters: [UInt64: CheckedContinuation<Value, any Error>] = [:]
        var nextWaiter: UInt64 = 0
        var result: Result<Value, any Error>?
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    private let state = Mutex(State())

    package init() {}

    /// Ties the task that does the work to this. It goes on after ``finish(_:)`` if there is more to do.
    package func started(_ task: Task<Void, Never>) {
        let isCancelled = self.state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    package func cancel() {
        self.state.withLock { state in
            state.isCancelled = true
            return state.task
        }?.cancel()
    }

    /// Tells everyone who waits. Only the first result counts.
    package func finish(_ result: Result<Value, any Error>) {
        let waiters = self.state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Value, any Error>]() }
            state.result = result
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// - Throws: What the work failed with, or `CancellationError`.
    package func wait() async throws -> Value {
        let id = self.state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Value, any Error>? = self.state.withLock { state in
                    if let result = state.result { return result }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let result {
                    continuation.resume(with: result)
                    self.cancelIfUnwanted()
                }
            }
        } onCancel: {
            let waiter = self.state.withLock { $0.waiters.removeValue(forKey: id) }
            guard let waiter else { return }
            waiter.resume(throwing: CancellationError())
            self.cancelIfUnwanted()
        }
    }

    private func cancelIfUnwanted() {
        let isUnwanted = self.state.withLock { $0.waiters.isEmpty && $0.result == nil }
        if isUnwanted { self.cancel() }
    }
}
