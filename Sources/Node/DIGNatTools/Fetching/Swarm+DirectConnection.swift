import DIGNet
import DIGSwarm
import NIOCore

extension Swarm {
    /// Waits for a direct connection that takes the place of a relayed one.
    ///
    /// - Returns: Nil when `connection` is closed, and at once if the task is cancelled: the connection may outlive whoever waits.
    func directConnection(insteadOf connection: any Connection) async -> (any Connection)? {
        let (stream, continuation) = AsyncStream.makeStream(of: (any Connection).self)
        connection.closeFuture.whenComplete { _ in continuation.finish() }
        guard connection.isRelayed else {
            for await _ in stream {}
            return nil
        }
        let events = self.events
        if let current = self.connection(to: connection.remotePeer), !current.isRelayed { return current }
        let watch = Task {
            for await case .upgraded(let better) in events where better.remotePeer == connection.remotePeer && !better.isRelayed {
                continuation.yield(better)
            }
        }
        defer { watch.cancel() }
        for await better in stream { return better }
        // Closed because the better one was there, perhaps before its event was read.
        return self.connection(to: connection.remotePeer).flatMap { $0.isRelayed || Task.isCancelled ? nil : $0 }
    }
}
