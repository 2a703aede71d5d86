/// Runs `body` for `duration` at the most.
///
/// - Returns: What `body` returns; nil if the time was over first, or the task is cancelled. `body` is cancelled then, and waited for.
@discardableResult
package func withTimeout<Value: Sendable>(_ duration: Duration, _ body: @escaping @Sendable () async -> Value) async -> Value? {
    await withTaskGroup(of: Value?.self) { group in
        group.addTask { await body() }
        group.addTask {
            // Ends early only when it is cancelled: then there is nothing to wait for either.
            try? await Task.sleep(for: duration)
            return nil
        }
        defer { group.cancelAll() }
        return await group.next() ?? nil
    }
}
