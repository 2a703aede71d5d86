import DIGMultiformats
import DIGNet
import Synchronization

/// A dial under way, and everyone who waits for it. The task that does the work is cancelled when the last of them gives up.
final class Dial: Sendable {
    private struct State {
        var waiters: [UInt64: CheckedContinuation<SwarmConnection, any Error>] = [:]
        var nextWaiter: UInt64 = 0
        var result: Result<SwarmConnection, any Error>?
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    /// What is being tried.
    let addresses: Set<Multiaddr>
    private let options: DialOptions
    private let state = Mutex(State())

    init(addresses: [Multiaddr], options: DialOptions) {
        self.addresses = Set(addresses)
        self.options = options
    }

    /// Whether `connection`, just made to the peer that is dialed, is as good as one of this dial's own.
    ///
    /// A punch that ends in a connection which the peer dialed has done what it was for.
    func isSatisfied(by connection: SwarmConnection) -> Bool {
        if self.options.requiresDirect, connection.isRelayed { return false }
        return !self.options.requiresNew || self.options.purpose == .punch
    }

    func started(_ task: Task<Void, Never>) {
        let isCancelled = self.state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    func cancel() {
        self.state.withLock { state in
            state.isCancelled = true
            return state.task
        }?.cancel()
    }

    /// Tells everyone who waits. Only the first result counts.
    func finish(_ result: Result<SwarmConnection, any Error>) {
        let waiters = self.state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<SwarmConnection, any Error>]() }
            state.result = result
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// - Throws: What the dial failed with, or `CancellationError`.
    func wait() async throws -> SwarmConnection {
        let id = self.state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<SwarmConnection, any Error>? = self.state.withLock { state in
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
