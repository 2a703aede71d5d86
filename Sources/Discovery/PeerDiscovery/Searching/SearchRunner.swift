import DIGAnnouncement
import DIGIdentity
import Synchronization

/// Does what a ``SearchStateMachine`` asks for: reads mechanisms, each in a task of its own, and keeps its deadlines.
final class SearchRunner: Sendable {
    private struct State {
        var machine: SearchStateMachine
        var readers: [Int: Task<Void, Never>] = [:]
        var timer: (task: Task<Void, Never>, deadline: ContinuousClock.Instant)?
        var waiters: [UInt64: CheckedContinuation<DiscoveryEvent?, Never>] = [:]
        var nextWaiter: UInt64 = 0
        /// Nobody reads any more.
        var isCancelled = false
        var hasReportedEnd = false
    }

    private let key: RendezvousKey
    private let mechanisms: [any DiscoveryMechanism]
    private let record: @Sendable (SearchRecord) -> Void
    private let ended: @Sendable () -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - record: Told of each mechanism's end.
    ///   - ended: Called once, when all are read or given up.
    init(
        _ key: RendezvousKey, mechanisms: [any DiscoveryMechanism], ourselves: PeerID, options: HolderSearchOptions, configuration: DiscoveryConfiguration,
        record: @escaping @Sendable (SearchRecord) -> Void, ended: @escaping @Sendable () -> Void
    ) {
        self.key = key
        self.mechanisms = mechanisms
        self.record = record
        self.ended = ended
        let machine = SearchStateMachine(
            mechanisms.map { .init(source: $0.source, isListening: $0.isListening) }, ourselves: ourselves, options: options,
            configuration: configuration, now: .now)
        self.state = Mutex(State(machine: machine))
    }

    func start() { self.advance { $0.started(now: .now) } }

    func peersChanged() { self.advance { $0.peersChanged(now: .now) } }

    func cancel() {
        self.state.withLock { $0.isCancelled = true }
        self.advance { $0.cancelled(now: .now) }
    }

    /// The next event; nil when there is none any more, and for a caller that is cancelled, which cancels the search.
    func next() async -> DiscoveryEvent? {
        let id = self.state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: DiscoveryEvent?? = self.state.withLock { state in
                    if state.isCancelled || Task.isCancelled { return .some(nil) }
                    if let event = state.machine.nextEvent() { return event }
                    if state.machine.isOver { return .some(nil) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            self.state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
            self.cancel()
        }
    }

    // MARK: Inputs

    private func read(_ index: Int, round: UInt64) async {
        var failure: String?
        do {
            for try await holder in self.mechanisms[index].findHolders(of: self.key) {
                self.advance { $0.found(holder, by: index, round: round, now: .now) }
                guard !Task.isCancelled else { return }
            }
        } catch {
            failure = "\(error)"
        }
        self.advance { $0.ended(index, round: round, failure: failure, now: .now) }
    }

    /// Computes under the lock; everything that may call back is done after.
    private func advance(_ input: (inout SearchStateMachine) -> [SearchStateMachine.Action]) {
        var told: [(CheckedContinuation<DiscoveryEvent?, Never>, DiscoveryEvent?)] = []
        var stopped: [Task<Void, Never>] = []
        var records: [SearchRecord] = []
        let hasEnded = self.state.withLock { state in
            for action in input(&state.machine) {
                switch action {
                case .ask(let index, let round):
                    // Owned by `readers`: a search that ends cancels it.
                    state.readers[index] = Task { await self.read(index, round: round) }
                case .stop(let index):
                    if let reader = state.readers.removeValue(forKey: index) { stopped.append(reader) }
                case .record(let record):
                    records.append(record)
                }
            }
            while !state.isCancelled, let id = state.waiters.keys.min(), let event = state.machine.nextEvent() {
                if let waiter = state.waiters.removeValue(forKey: id) { told.append((waiter, event)) }
            }
            if state.isCancelled || state.machine.isOver {
                told += state.waiters.values.map { ($0, nil) }
                state.waiters = [:]
            }
            let deadline = state.machine.deadline
            if deadline != state.timer?.deadline {
                if let timer = state.timer { stopped.append(timer.task) }
                // Owned by `timer`; it ends with the search or when another takes its place.
                state.timer = deadline.map { deadline in
                    let task = Task { [weak self] in
                        do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
                        self?.deadlineReached(deadline)
                    }
                    return (task, deadline)
                }
            }
            guard state.machine.isEnded, !state.hasReportedEnd else { return false }
            state.hasReportedEnd = true
            return true
        }
        for task in stopped { task.cancel() }
        for (waiter, event) in told { waiter.resume(returning: event) }
        for record in records { self.record(record) }
        if hasEnded { self.ended() }
    }

    private func deadlineReached(_ deadline: ContinuousClock.Instant) {
        // Otherwise one with the same deadline would not be set again.
        self.state.withLock { state in
            if state.timer?.deadline == deadline { state.timer = nil }
        }
        self.advance { $0.deadlineReached(now: .now) }
    }
}
