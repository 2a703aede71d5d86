import Synchronization

/// One question that a thread answers and a task waits for. The first result counts: the answer, the deadline, or that nobody waits any more.
final class TextQuestion: Sendable {
    private struct State {
        var continuation: CheckedContinuation<[[UInt8]], any Error>?
        var result: Result<[[UInt8]], any Error>?
    }

    let name: String
    private let state = Mutex(State())

    init(name: String) { self.name = name }

    /// Nobody waits for an answer any more.
    var isOver: Bool { self.state.withLock { $0.result != nil } }

    func finish(_ result: Result<[[UInt8]], any Error>) {
        let continuation = self.state.withLock { state -> CheckedContinuation<[[UInt8]], any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(with: result)
    }

    /// To be called once.
    func answer(until deadline: ContinuousClock.Instant) async throws -> [[UInt8]] {
        let timer = Task {
            // Cancelled: there is a result.
            do { try await ContinuousClock().sleep(until: deadline) } catch { return }
            self.finish(.failure(DNSError(.timedOut, "no DNS server has answered for \(self.name) in time")))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = self.state.withLock { state -> Result<[[UInt8]], any Error>? in
                    if state.result == nil { state.continuation = continuation }
                    return state.result
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            self.finish(.failure(CancellationError()))
        }
    }
}
