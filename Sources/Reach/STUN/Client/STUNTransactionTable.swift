import DIGNet
import DIGUDP
import Logging
import NIOCore

/// The requests of one client that wait for their answers.
///
/// Sendable although it has state: every mutable property is read and written on the endpoint's event loop only.
final class STUNTransactionTable: DatagramHandler, @unchecked Sendable {
    private struct Pending {
        var machine: STUNTransactionStateMachine
        var check: STUNAnswerCheck
        var request: ByteBuffer
        var sentAt: ContinuousClock.Instant
        var lastRefusal: STUNError?
        var timer: Scheduled<Void>?
        var promise: EventLoopPromise<STUNBinding>
    }

    private let endpoint: UDPEndpoint
    private let maximumCount: Int
    private let refusals: RefusalLog
    private var pending: [STUNTransactionID: Pending] = [:]
    private var isClosed = false

    init(endpoint: UDPEndpoint, maximumCount: Int, refusals: RefusalLog) {
        self.endpoint = endpoint
        self.maximumCount = maximumCount
        self.refusals = refusals
    }

    func start(_ message: STUNMessage, check: STUNAnswerCheck, retransmission: STUNRetransmission) -> EventLoopFuture<STUNBinding> {
        self.endpoint.eventLoop.flatSubmit {
            let promise = self.endpoint.eventLoop.makePromise(of: STUNBinding.self)
            if self.isClosed {
                promise.fail(STUNError(.closed, "the UDP port is closed"))
            } else if self.pending.count >= self.maximumCount {
                promise.fail(STUNError(.limitExceeded, "\(self.maximumCount) STUN requests are waiting already"))
            } else {
                self.pending[message.transactionID] = Pending(
                    machine: STUNTransactionStateMachine(retransmission, now: .now), check: check, request: message.encoded(), sentAt: .now,
                    promise: promise)
                self.proceed(message.transactionID)
            }
            return promise.futureResult
        }
    }

    func cancel(_ id: STUNTransactionID) {
        self.endpoint.eventLoop.execute { self.finish(id, .failure(CancellationError())) }
    }

    private func proceed(_ id: STUNTransactionID) {
        guard var transaction = self.pending[id] else { return }
        switch transaction.machine.deadlineReached(now: .now) {
        case .send:
            transaction.sentAt = .now
            self.endpoint.send(transaction.request, to: transaction.check.server)
        case .giveUp:
            self.finish(id, .failure(transaction.lastRefusal ?? STUNError(.timedOut, "\(transaction.check.server) does not answer")))
            return
        case .none:
            break
        }
        if let deadline = transaction.machine.deadline {
            transaction.timer = self.endpoint.eventLoop.scheduleTask(in: max(.milliseconds(1), TimeAmount(deadline - .now))) { self.proceed(id) }
        }
        self.pending[id] = transaction
    }

    private func finish(_ id: STUNTransactionID, _ result: Result<STUNBinding, any Error>) {
        guard let transaction = self.pending.removeValue(forKey: id) else { return }
        transaction.timer?.cancel()
        transaction.promise.completeWith(result)
    }

    func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool {
        guard let id = datagram.payload.stunResponseTransactionID, let transaction = self.pending[id] else { return false }
        switch transaction.check.check(datagram.payload, from: datagram.source) {
        case .binding(var binding):
            binding.roundTripTime = .now - transaction.sentAt
            self.finish(id, .success(binding))
        case .ignored(let error):
            self.pending[id]?.lastRefusal = error
            self.note(error, transaction.check)
        case .failed(let error):
            self.note(error, transaction.check)
            self.finish(id, .failure(error))
        }
        return true
    }

    private func note(_ error: STUNError, _ check: STUNAnswerCheck) {
        // A server may say no, and may not know how to answer from elsewhere.
        guard error.code != .errorResponse, check.answersFrom == check.server else { return }
        self.refusals.note("a STUN answer is not believed", of: check.server, because: "\(error)")
    }

    func endpointClosed(_ endpoint: UDPEndpoint) {
        self.isClosed = true
        for id in Array(self.pending.keys) { self.finish(id, .failure(STUNError(.closed, "the UDP port is closed"))) }
    }
}

extension ByteBuffer {
    /// Of what seems to be a STUN response; nothing but its header is looked at.
    var stunResponseTransactionID: STUNTransactionID? {
        guard let type = self.getInteger(at: self.readerIndex, as: UInt16.self), type & 0xc100 == 0x0100,
            let high = self.getInteger(at: self.readerIndex + 8, as: UInt32.self), let low = self.getInteger(at: self.readerIndex + 12, as: UInt64.self)
        else { return nil }
        return STUNTransactionID(high: high, low: low)
    }
}
