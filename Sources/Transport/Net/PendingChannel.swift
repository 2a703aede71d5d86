package import NIOCore
import Synchronization

/// Ties a channel that is being made to the task that wants it: cancelling the task closes the channel.
package final class PendingChannel: Sendable {
    private struct State {
        var channel: (any Channel)?
        var isCancelled = false
    }

    private let state = Mutex(State())

    package init() {}

    /// Remembers `channel`, from inside its initializer.
    ///
    /// - Throws: `CancellationError` if the task was cancelled before. The initializer fails with it, which closes the channel.
    package func made(_ channel: any Channel) throws {
        try self.state.withLock { state in
            guard !state.isCancelled else { throw CancellationError() }
            state.channel = channel
        }
    }

    /// Runs `body`, closing the channel when the task is cancelled meanwhile.
    ///
    /// - Throws: `CancellationError` if the task was cancelled, whatever `body` made of it; else what `body` throws.
    package func run(_ body: () async throws -> any Channel) async throws -> any Channel {
        do {
            let channel = try await withTaskCancellationHandler {
                try Task.checkCancellation()
                return try await body()
            } onCancel: {
                self.cancel()
            }
            guard !self.state.withLock({ $0.isCancelled }) else {
                channel.close(promise: nil)
                throw CancellationError()
            }
            return channel
        } catch {
            if self.state.withLock({ $0.isCancelled }) { throw CancellationError() }
            throw error
        }
    }

    private func cancel() {
        let channel = self.state.withLock { state in
            state.isCancelled = true
            return state.channel
        }
        channel?.close(promise: nil)
    }
}
