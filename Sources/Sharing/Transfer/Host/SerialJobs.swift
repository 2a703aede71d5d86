import DequeModule
import NIOCore
import NIOPosix
import Synchronization

/// Runs jobs on a thread pool one after another, so that costly ones never take all its threads. First come, first served.
final class SerialJobs: Sendable {
    /// No room for another job.
    struct Full: Error {}

    private struct State {
        var isRunning = false
        var waiting: Deque<@Sendable () -> Void> = []
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: Jobs that wait; one more fails.
    init(capacity: Int) {
        self.capacity = capacity
    }

    var waitingCount: Int { self.state.withLock { $0.waiting.count } }

    /// - Throws: ``Full`` or what `body` throws, in the future.
    func run<Value: Sendable>(
        on pool: NIOThreadPool, eventLoop: any EventLoop, _ body: @escaping @Sendable () throws -> Value
    ) -> EventLoopFuture<Value> {
        let promise = eventLoop.makePromise(of: Value.self)
        let job: @Sendable () -> Void = {
            pool.submit { state in
                switch state {
                case .active: promise.completeWith(Result(catching: body))
                case .cancelled: promise.fail(CancellationError())
                }
                self.finished()
            }
        }
        let (start, isFull) = self.state.withLock { state -> (Bool, Bool) in
            guard state.isRunning else {
                state.isRunning = true
                return (true, false)
            }
            guard state.waiting.count < self.capacity else { return (false, true) }
            state.waiting.append(job)
            return (false, false)
        }
        if start { job() }
        if isFull { promise.fail(Full()) }
        return promise.futureResult
    }

    private func finished() {
        let next = self.state.withLock { state -> (@Sendable () -> Void)? in
            let next = state.waiting.popFirst()
            if next == nil { state.isRunning = false }
            return next
        }
        next?()
    }
}
