import DIGAnnouncement
import DIGIdentity
import Synchronization

/// Answers others, and opens what they send: the lock is not held while signatures are checked. Opens no stream and waits for nothing.
final class PeerExchangeResponder: Sendable {
    let state: Mutex<PeerExchangeStateMachine>

    init(localPeer: PeerID, configuration: PeerExchangeConfiguration, now: ContinuousClock.Instant = .now) {
        self.state = Mutex(PeerExchangeStateMachine(localPeer: localPeer, configuration: configuration, now: now))
    }

    /// - Parameter peer: Who asks; proven by the connection.
    func respond(to request: PeerExchangeRequest, from peer: PeerID, moment: Moment) -> PeerExchangeResponse {
        if let status = self.state.withLock({ $0.refusal(of: request, from: peer, now: moment.now) }) {
            return PeerExchangeResponse(status: status)
        }
        var verifier = EnvelopeVerifier(nowMilliseconds: moment.milliseconds)
        switch request {
        case .exchange(let message):
            var exchange = PeerExchangeStateMachine.HeardExchange(number: message.number)
            exchange.record = message.record.flatMap { verifier.record($0, of: peer) }
            exchange.added = message.added.compactMap { verifier.record($0) }
            exchange.dropped = message.dropped
            exchange.interests = message.interests
            exchange.announcements = message.announcements.compactMap { verifier.announcement($0) }
            let (heard, counters) = (exchange, verifier.counters)
            return self.state.withLock { state in
                state.counters.add(counters)
                return PeerExchangeResponse(status: state.received(heard, from: peer, moment: moment))
            }
        case .announce(let message):
            let record = message.record.flatMap { verifier.record($0, of: peer) }
            let announcements = message.announcements.compactMap { verifier.announcement($0, by: peer) }
            let counters = verifier.counters
            return self.state.withLock { state in
                state.counters.add(counters)
                state.received(announcements, record: record, from: peer, moment: moment)
                return PeerExchangeResponse()
            }
        case .query(let key):
            return self.state.withLock { $0.answer(key, to: peer, nowMilliseconds: moment.milliseconds) }
        case .unknown:
            return PeerExchangeResponse(status: .unsupported)
        }
    }

    /// Takes the answer to a question.
    ///
    /// - Returns: Those that have the content.
    func answered(_ response: PeerExchangeResponse, about key: RendezvousKey, by peer: PeerID, moment: Moment) -> [ContentAnnouncement] {
        var verifier = EnvelopeVerifier(nowMilliseconds: moment.milliseconds)
        let holders = response.holders.compactMap { holder -> PeerExchangeStateMachine.HeardHolder? in
            guard let signed = verifier.announcement(holder.announcement) else { return nil }
            return .init(signed: signed, record: holder.record.flatMap { verifier.record($0, of: signed.announcement.peer) })
        }
        let counters = verifier.counters
        return self.state.withLock { state in
            state.counters.add(counters)
            if response.status == .busy { state.counters.requestsPutOff += 1 }
            return state.answered(holders, about: key, by: peer, nowMilliseconds: moment.milliseconds)
        }
    }
}
