import DIGIdentity
import DIGNet
import NIOCore
import Synchronization

/// Two streams made one: whatever either brings goes out on the other, in both directions, undecrypted.
final class RelayedCircuit: Sendable {
    private struct State {
        /// Bytes that were accounted for.
        var counted: UInt64 = 0
        var timer: Scheduled<Void>?
        var isOver = false
    }

    let id: RelayTable.CircuitID
    let source: PeerID
    let target: PeerID
    private let sourceEnd: SpliceHandler
    private let targetEnd: SpliceHandler
    private let state = Mutex(State())

    /// - Parameters:
    ///   - onEnd: Called when the relay ends the circuit, before it does.
    init(
        id: RelayTable.CircuitID, source: PeerID, target: PeerID, sourceLoop: any EventLoop, targetLoop: any EventLoop, isLimited: Bool,
        window: Int, byteLimit: UInt64?, onEnd: @escaping @Sendable (RelayedCircuit, CircuitEnd) -> Void
    ) {
        self.id = id
        self.source = source
        self.target = target
        let reached = EndSignal()
        self.sourceEnd = SpliceHandler(
            eventLoop: sourceLoop, meter: FlowMeter(isLimited: isLimited), window: window, byteLimit: byteLimit, onByteLimit: { reached.fire() })
        self.targetEnd = SpliceHandler(
            eventLoop: targetLoop, meter: FlowMeter(isLimited: isLimited), window: window, byteLimit: byteLimit, onByteLimit: { reached.fire() })
        SpliceHandler.join(self.sourceEnd, self.targetEnd)
        reached.action.withLock { action in
            action = { [weak self] in
                guard let self else { return }
                self.end(.byteCount, onEnd)
            }
        }
    }

    /// What the ends call; set once the circuit is there.
    private final class EndSignal: Sendable {
        let action = Mutex<(@Sendable () -> Void)?>(nil)
        func fire() { self.action.withLock { $0 }?() }
    }

    var meters: [FlowMeter] { [self.sourceEnd.meter, self.targetEnd.meter] }

    /// Takes over the two streams. The future completes when both are closed.
    func start(source: MessageStream, target: MessageStream, duration: Duration?, onEnd: @escaping @Sendable (RelayedCircuit, CircuitEnd) -> Void)
        -> EventLoopFuture<Void>
    {
        let ends = [(source, self.sourceEnd), (target, self.targetEnd)]
        for (messages, end) in ends {
            messages.handOver { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(end) }
            }.whenFailure { _ in self.abort() }
        }
        if let duration {
            let timer = source.channel.eventLoop.scheduleTask(in: TimeAmount(duration)) { [weak self] in
                guard let self else { return }
                self.end(.duration, onEnd)
            }
            self.state.withLock { $0.timer = timer }
        }
        let closed = source.channel.closeFuture.and(target.channel.closeFuture.hop(to: source.channel.eventLoop)).map { _ in }
        closed.whenComplete { _ in
            let timer = self.state.withLock { state in
                state.isOver = true
                return state.timer
            }
            timer?.cancel()
        }
        return closed
    }

    /// Ends the circuit for a reason of the relay's own.
    func end(_ reason: CircuitEnd, _ onEnd: (RelayedCircuit, CircuitEnd) -> Void) {
        let isFirst = self.state.withLock { state in
            defer { state.isOver = true }
            return !state.isOver
        }
        guard isFirst else { return }
        onEnd(self, reason)
        self.abort()
    }

    /// Resets both streams.
    func abort() {
        self.sourceEnd.abort()
        self.targetEnd.abort()
    }

    /// Bytes carried since the last call, both directions.
    func takeCarried() -> UInt64 {
        self.state.withLock { state in
            let carried = self.meters.reduce(UInt64(0)) { $0 &+ $1.carried.load(ordering: .relaxed) }
            defer { state.counted = carried }
            return carried &- state.counted
        }
    }

    // MARK: Rates

    /// Both directions, the source's first.
    func flows() -> [RateAllocator.Flow] {
        self.meters.map { meter in
            RateAllocator.Flow(
                source: self.source, target: self.target, balance: meter.balance.load(ordering: .relaxed),
                isWaiting: meter.isWaiting.load(ordering: .relaxed))
        }
    }

    /// In the order of ``flows()``.
    func grant(_ shares: some Sequence<Int>) {
        for (end, share) in zip([self.sourceEnd, self.targetEnd], shares) where share > 0 {
            let balance = end.meter.balance.wrappingAdd(share, ordering: .sequentiallyConsistent).newValue
            if balance > 0, end.meter.isWaiting.exchange(false, ordering: .sequentiallyConsistent) { end.resume() }
        }
    }
}
