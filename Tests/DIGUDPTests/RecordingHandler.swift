import DIGUDP
import NIOCore
import Synchronization

/// Keeps what it is handed, and lets a test wait for it.
final class RecordingHandler: DatagramHandler {
    let datagrams: AsyncStream<Datagram>
    private let closed = Atomic<Bool>(false)
    private let batches = Atomic<Int>(0)
    var isClosed: Bool { self.closed.load(ordering: .relaxed) }
    var batchCount: Int { self.batches.load(ordering: .relaxed) }
    private let continuation: AsyncStream<Datagram>.Continuation
    private let wants: @Sendable (Datagram) -> Bool
    private let answer: @Sendable (Datagram, UDPEndpoint) -> Void

    init(
        wants: @escaping @Sendable (Datagram) -> Bool = { _ in true },
        answer: @escaping @Sendable (Datagram, UDPEndpoint) -> Void = { _, _ in }
    ) {
        (self.datagrams, self.continuation) = AsyncStream.makeStream()
        self.wants = wants
        self.answer = answer
    }

    func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool {
        guard self.wants(datagram) else { return false }
        self.answer(datagram, endpoint)
        self.continuation.yield(datagram)
        return true
    }

    func receivedBatch(on endpoint: UDPEndpoint) { self.batches.add(1, ordering: .relaxed) }

    func endpointClosed(_ endpoint: UDPEndpoint) {
        self.closed.store(true, ordering: .relaxed)
        self.continuation.finish()
    }

    func next() async -> Datagram? {
        for await datagram in self.datagrams { return datagram }
        return nil
    }
}
