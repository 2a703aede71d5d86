import NIOCore
import NIOEmbedded

struct NotCompletedError: Error {}

extension EventLoopFuture where Value: Sendable {
    /// The outcome on an embedded loop, where waiting for one that is not there would take for ever.
    func now() throws -> Value {
        (self.eventLoop as? EmbeddedEventLoop)?.run()
        var result: Result<Value, any Error>?
        self.assumeIsolated().whenComplete { result = $0 }
        guard let result else { throw NotCompletedError() }
        return try result.get()
    }
}
