import Dispatch
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("serial jobs", .timeLimit(.minutes(5)))
struct SerialJobsTests {
    struct Failure: Error {}

    @Test("run one at a time, in their order, and go on after one that fails")
    func order() async throws {
        let jobs = SerialJobs(capacity: 1000)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let running = Atomic(0)
        let order = Mutex<[Int]>([])
        let futures = (0..<200).map { index in
            jobs.run(on: .singleton, eventLoop: loop) {
                #expect(running.add(1, ordering: .sequentiallyConsistent).newValue == 1)
                order.withLock { $0.append(index) }
                running.subtract(1, ordering: .sequentiallyConsistent)
                if index % 3 == 0 { throw Failure() }
                return index
            }
        }
        for (index, future) in futures.enumerated() {
            if index % 3 == 0 {
                await #expect(throws: Failure.self) { try await future.get() }
            } else {
                #expect(try await future.get() == index)
            }
        }
        #expect(order.withLock { $0 } == Array(0..<200))
        #expect(jobs.waitingCount == 0)
    }

    @Test("refuse what they have no room for")
    func full() async throws {
        let jobs = SerialJobs(capacity: 2)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let gate = DispatchSemaphore(value: 0)
        let futures = (0..<3).map { _ in jobs.run(on: .singleton, eventLoop: loop) { _ = gate.wait(timeout: .now() + 30) } }
        await #expect(throws: SerialJobs.Full.self) { try await jobs.run(on: .singleton, eventLoop: loop) {}.get() }
        for _ in futures { gate.signal() }
        for future in futures { try await future.get() }
        try await jobs.run(on: .singleton, eventLoop: loop) {}.get()
    }
}
