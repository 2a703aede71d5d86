import NIOCore
import Synchronization

/// Closes a channel when the task that waits for it is cancelled, also if that was before the channel was there.
final class ChannelCanceller: Sendable {
    private let state = Mutex<(channel: (any Channel)?, isCancelled: Bool)>((nil, false))

    func attach(_ channel: any Channel) {
        let isCancelled = self.state.withLock { state in
            state.channel = channel
            return state.isCancelled
        }
        if isCancelled { channel.close(promise: nil) }
    }

    func cancel() {
        let channel = self.state.withLock { state in
            state.isCancelled = true
            return state.channel
        }
        channel?.close(promise: nil)
    }

    /// Waits for what `body` starts; cancelling closes the channel that it attaches.
    static func run<Value: Sendable>(_ body: (ChannelCanceller) -> EventLoopFuture<Value>) async throws -> Value {
        let canceller = ChannelCanceller()
        let future = body(canceller)
        return try await withTaskCancellationHandler {
            try await future.get()
        } onCancel: {
            canceller.cancel()
        }
    }
}
