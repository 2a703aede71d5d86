import Foundation

/// Work that blocks a thread, kept away from the cooperative pool.
enum Blocking {
    /// Runs `body` on a thread of its own and returns what it returns. Cancelling does not interrupt it: what is torn down is torn down.
    static func run<T: Sendable>(_ body: @escaping @Sendable () throws(LabError) -> T) async throws(LabError) -> T {
        let result: Result<T, LabError> = await withCheckedContinuation { continuation in
            self.detach {
                do throws(LabError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    static func detach(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Runs all on threads of their own, `limit` at a time, and waits for them on the calling thread.
    static func concurrently(limit: Int, _ bodies: [@Sendable () -> Void]) {
        let slots = DispatchSemaphore(value: limit)
        let group = DispatchGroup()
        for body in bodies {
            slots.wait()
            group.enter()
            self.detach {
                body()
                slots.signal()
                group.leave()
            }
        }
        group.wait()
    }
}
