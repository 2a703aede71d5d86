import DIGNet

/// Gives up on what takes too long, whether or not it lets itself be cancelled.
enum TimeLimit {
    /// - Parameters:
    ///   - returned: Called when `operation` has come back, which may be long after this has.
    /// - Throws: ``DiscoveryError`` `.timedOut`, `CancellationError`, or what `operation` throws.
    static func run<Value: Sendable>(
        _ limit: Duration, _ operation: @escaping @Sendable () async throws -> Value, returned: @escaping @Sendable () -> Void
    ) async throws -> Value {
        let shared = SharedTask<Value>()
        // Cancelled by `shared` when nobody waits, and at the limit.
        let work = Task {
            do { shared.finish(.success(try await operation())) } catch { shared.finish(.failure(error)) }
            returned()
        }
        shared.started(work)
        let timer = Task {
            do { try await Task.sleep(for: limit) } catch { return }
            shared.finish(.failure(DiscoveryError(.timedOut, "no answer within \(limit)")))
            work.cancel()
        }
        defer { timer.cancel() }
        return try await shared.wait()
    }
}
