import DIGNet
import Synchronization

/// The conversation of the side that begins, in a relayed connection.
///
/// Every attempt may have a stream of its own: most other implementations end it after SYNC and expect another for the next attempt ("go back to
/// step 1"), where ours goes on with the one there is. The peer shows which it is.
final class RelayPunchChannel: PunchChannel {
    private struct State {
        var stream: StreamPunchChannel
        /// Counts the streams.
        var number = 0
        /// Everything is said on this stream that an attempt needs.
        var isSynchronized = false
        var hasEnded = false
    }

    private let open: @Sendable () async throws -> StreamPunchChannel
    private let state: Mutex<State>
    /// Yields when there is another stream.
    private let renewals: AsyncStream<Void>
    private let renewed: AsyncStream<Void>.Continuation

    /// - Parameter open: Opens a stream.
    init(_ open: @escaping @Sendable () async throws -> StreamPunchChannel) async throws {
        self.open = open
        self.state = Mutex(State(stream: try await open()))
        (self.renewals, self.renewed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var name: String { PunchEvent.relaySignaling }

    func send(_ message: PunchMessage) async throws {
        if case .connect = message, self.state.withLock({ $0.hasEnded }) {
            let next = try await self.open()
            self.state.withLock { $0 = State(stream: next, number: $0.number + 1) }
            self.renewed.yield()
        }
        let stream = self.state.withLock { state in
            if case .sync = message { state.isSynchronized = true }
            return state.stream
        }
        try await stream.send(message)
    }

    func receive() async throws -> PunchMessage {
        while true {
            let (stream, number) = self.state.withLock { ($0.stream, $0.number) }
            do {
                return try await stream.receive()
            } catch let error as PunchDecodingError {
                throw error
            } catch {
                try Task.checkCancellation()
                let isOver = self.state.withLock { state in
                    guard state.number == number else { return false }
                    state.hasEnded = true
                    return !state.isSynchronized
                }
                if isOver { throw error }
            }
            // The next attempt, if there is one, begins with another stream.
            while self.state.withLock({ $0.number == number }) {
                var iterator = self.renewals.makeAsyncIterator()
                guard await iterator.next() != nil else {
                    try Task.checkCancellation()
                    throw ConnectionError(.closed, "the conversation is over")
                }
            }
        }
    }

    func finish() {
        self.renewed.finish()
        self.state.withLock { $0.stream }.finish()
    }

    func close() {
        self.renewed.finish()
        self.state.withLock { $0.stream }.close()
    }
}
