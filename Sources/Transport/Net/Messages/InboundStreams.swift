import DIGIdentity
import Synchronization

/// The streams that peers have opened for one protocol: so many at a time, so many of each peer, each served by a task of its own.
package final class InboundStreams: Sendable {
    package struct Inbound: Sendable {
        package var messages: MessageStream
        package var connection: any Connection
    }

    private struct State {
        var counts: [PeerID: Int] = [:]
        var count = 0
    }

    private let maximumCount: Int
    private let maximumCountPerPeer: Int
    private let state = Mutex(State())
    private let streams: AsyncStream<Inbound>
    private let continuation: AsyncStream<Inbound>.Continuation

    package init(maximumCount: Int, maximumCountPerPeer: Int) {
        self.maximumCount = max(1, maximumCount)
        self.maximumCountPerPeer = max(1, maximumCountPerPeer)
        (self.streams, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(self.maximumCount))
    }

    /// Streams that are served or wait for it.
    package var count: Int { self.state.withLock { $0.count } }

    /// Takes a stream to be served; one over a limit, or after ``finish()``, is reset.
    ///
    /// - Returns: False if it was over a limit.
    package func accept(_ messages: MessageStream, of connection: any Connection) -> Bool {
        let peer = connection.remotePeer
        let isAdmitted = self.state.withLock { state in
            guard state.count < self.maximumCount, state.counts[peer, default: 0] < self.maximumCountPerPeer else { return false }
            state.counts[peer, default: 0] += 1
            state.count += 1
            return true
        }
        guard isAdmitted else {
            messages.close()
            return false
        }
        if case .enqueued = self.continuation.yield(Inbound(messages: messages, connection: connection)) { return true }
        self.left(peer)
        messages.close()
        return true
    }

    /// Serves until ``finish()`` or cancelled; then the streams are reset and the tasks that serve them cancelled. Once.
    ///
    /// - Parameter body: The stream is reset when it is through.
    package func serve(_ body: @escaping @Sendable (Inbound) async -> Void) async {
        await withDiscardingTaskGroup { group in
            for await inbound in self.streams {
                group.addTask {
                    await withTaskCancellationHandler {
                        await body(inbound)
                        inbound.messages.close()
                    } onCancel: {
                        inbound.messages.close()
                    }
                    self.left(inbound.connection.remotePeer)
                }
            }
            group.cancelAll()
        }
        self.finish()
        // Those that nobody has begun to serve. In a task of its own: this one may be cancelled, and would not see them.
        await Task {
            for await inbound in self.streams {
                inbound.messages.close()
                self.left(inbound.connection.remotePeer)
            }
        }.value
    }

    /// No stream is taken any more.
    package func finish() { self.continuation.finish() }

    private func left(_ peer: PeerID) {
        self.state.withLock { state in
            state.count -= 1
            let count = state.counts[peer, default: 1] - 1
            state.counts[peer] = count > 0 ? count : nil
        }
    }
}
