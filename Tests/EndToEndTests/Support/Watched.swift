import Synchronization

/// A value that others change, and that a test waits on.
final class Watched<State: Sendable>: Sendable {
    struct DeadlinePassed: Error, CustomStringConvertible {
        var description: String
    }

    private struct Waiter {
        var isSatisfied: @Sendable (State) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct Storage {
        var state: State
        var waiters: [Int: Waiter] = [:]
        var expired: Set<Int> = []
        var nextID = 0
    }

    private let storage: Mutex<Storage>

    init(_ state: State) {
        self.storage = Mutex(Storage(state: state))
    }

    var value: State { self.storage.withLock { $0.state } }

    func update(_ change: (inout State) -> Void) {
        let ready = self.storage.withLock { storage in
            change(&storage.state)
            let ids = storage.waiters.filter { $0.value.isSatisfied(storage.state) }.map(\.key)
            return ids.compactMap { storage.waiters.removeValue(forKey: $0)?.continuation }
        }
        for continuation in ready { continuation.resume() }
    }

    /// Waits until `result` finds something.
    ///
    /// - Throws: ``DeadlinePassed`` that says `what` was waited for and how far things had come.
    func wait<Result: Sendable>(
        for what: String, within limit: Duration = .seconds(60), _ result: @escaping @Sendable (State) -> Result?
    ) async throws -> Result {
        let id = self.storage.withLock { storage in
            storage.nextID += 1
            return storage.nextID
        }
        let alarm = Task {
            try await Task.sleep(for: limit)
            self.expire(id)
        }
        defer { alarm.cancel() }
        await withCheckedContinuation { continuation in
            let isDone = self.storage.withLock { storage in
                if storage.expired.contains(id) || result(storage.state) != nil { return true }
                storage.waiters[id] = Waiter(isSatisfied: { result($0) != nil }, continuation: continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
        let state = self.value
        guard let found = result(state) else { throw DeadlinePassed(description: "waited \(limit) for \(what); until then: \(state)") }
        return found
    }

    private func expire(_ id: Int) {
        let waiter = self.storage.withLock { storage in
            storage.expired.insert(id)
            return storage.waiters.removeValue(forKey: id)
        }
        waiter?.continuation.resume()
    }
}
