import DIGIdentity
import DIGMultiformats

/// Which relays are asked, and when: keeps reservations at a number of them.
///
/// After each input, and when ``deadline`` passes, the owner drains ``poll(now:)`` and performs what it returns. For each
/// ``Action/reserve(_:)`` it calls ``reserved(_:now:)`` or ``failed(_:kind:now:)`` once.
struct RelayClientStateMachine {
    typealias Instant = ContinuousClock.Instant

    enum Action: Hashable {
        /// Ask for a reservation, or refresh the one held.
        case reserve(RelayCandidate)
        /// A reservation is held, is not any more, or has other addresses: ``RelayClientStateMachine/reservations`` has changed.
        case changed
        /// The connection need not be kept.
        case release(PeerID)
    }

    /// Why there is no reservation.
    enum Failure: Hashable {
        /// No connection, no answer, or a refusal.
        case refused
        /// What was granted is not true.
        case lied
    }

    private enum Status {
        case idle
        case requesting
        case held(Reservation, refreshAt: Instant, expiresAt: Instant)
        case refreshing(Reservation, expiresAt: Instant)
        case backingOff(until: Instant)
    }

    private struct Relay {
        var candidate: RelayCandidate
        var status = Status.idle
        /// In a row.
        var failures = 0
        /// The wait after the first failure, where it differs from the configured one.
        var firstBackoff: Duration?
        /// The order in which relays were added.
        var order: UInt64
    }

    private let configuration: RelayClientConfiguration
    private var relays: [PeerID: Relay] = [:]
    private var isWanted = false
    private var pending: [Action] = []
    private var nextOrder: UInt64 = 0

    init(_ configuration: RelayClientConfiguration) {
        self.configuration = configuration
        for candidate in configuration.relays { self.added(candidate) }
    }

    /// Those held, oldest candidate first.
    var reservations: [Reservation] {
        self.relays.values.sorted { $0.order < $1.order }.compactMap { relay in
            switch relay.status {
            case .held(let reservation, _, _), .refreshing(let reservation, _): reservation
            default: nil
            }
        }
    }

    var candidateCount: Int { self.relays.count }

    /// When ``poll(now:)`` has something to do at the latest.
    var deadline: Instant? {
        guard self.isWanted else { return nil }
        let isShort = self.activeCount < self.configuration.relayCount
        return self.relays.values.compactMap { relay -> Instant? in
            switch relay.status {
            case .held(_, let refreshAt, let expiresAt): min(refreshAt, expiresAt)
            case .refreshing(_, let expiresAt): expiresAt
            case .backingOff(let until): isShort ? until : nil
            case .idle, .requesting: nil
            }
        }.min()
    }

    // MARK: Inputs

    /// Reservations are wanted while nobody reaches this node directly.
    mutating func setWanted(_ isWanted: Bool) {
        guard isWanted != self.isWanted else { return }
        self.isWanted = isWanted
        guard !isWanted else { return }
        for (peer, relay) in self.relays {
            switch relay.status {
            case .held, .refreshing:
                self.relays[peer]?.status = .idle
                self.pending += [.changed, .release(peer)]
            default: break
            }
        }
    }

    /// A peer that relays, or new addresses of one known.
    mutating func added(_ candidate: RelayCandidate) {
        if var known = self.relays[candidate.peer] {
            if !candidate.addresses.isEmpty, !known.candidate.isConfigured || candidate.isConfigured {
                known.candidate.addresses = candidate.addresses
            }
            known.candidate.isConfigured = known.candidate.isConfigured || candidate.isConfigured
            self.relays[candidate.peer] = known
            return
        }
        if self.relays.count >= self.configuration.maximumCandidates, !self.makeRoom(for: candidate) { return }
        self.relays[candidate.peer] = Relay(candidate: candidate, order: self.nextOrder)
        self.nextOrder += 1
    }

    /// Forgets the candidate that is least likely to be of use.
    private mutating func makeRoom(for candidate: RelayCandidate) -> Bool {
        let victim = self.relays.values.filter { relay in
            guard !relay.candidate.isConfigured else { return false }
            switch relay.status {
            case .backingOff: return true
            case .idle: return candidate.isConfigured
            default: return false
            }
        }.max { $0.failures < $1.failures }
        guard let victim else { return false }
        self.relays[victim.candidate.peer] = nil
        return true
    }

    mutating func removed(_ peer: PeerID) {
        guard let relay = self.relays.removeValue(forKey: peer) else { return }
        switch relay.status {
        case .held, .refreshing: self.pending += [.changed, .release(peer)]
        default: break
        }
    }

    mutating func reserved(_ reservation: Reservation, now: Instant) {
        let peer = reservation.relay
        // Removed meanwhile, or lost with its connection: nothing to keep.
        guard var relay = self.relays[peer] else { return self.pending.append(.release(peer)) }
        let previous: Reservation?
        switch relay.status {
        case .requesting: previous = nil
        case .refreshing(let reservation, _): previous = reservation
        case .held: return
        case .idle, .backingOff:
            // Not wanted any more, or lost with its connection.
            return self.pending.append(.release(peer))
        }
        guard self.isWanted else {
            relay.status = .idle
            self.relays[peer] = relay
            return self.pending.append(.release(peer))
        }
        let refreshIn = max(reservation.lifetime / 2, reservation.lifetime - self.configuration.refreshMargin)
        relay.failures = 0
        relay.firstBackoff = nil
        relay.status = .held(reservation, refreshAt: now + refreshIn, expiresAt: now + reservation.lifetime)
        self.relays[peer] = relay
        if previous?.addresses != reservation.addresses || previous?.limit != reservation.limit { self.pending.append(.changed) }
    }

    mutating func failed(_ peer: PeerID, kind: Failure, now: Instant) {
        guard var relay = self.relays[peer] else { return }
        switch relay.status {
        case .requesting: break
        case .refreshing(let reservation, let expiresAt):
            relay.failures += 1
            let retryAt = now + self.backoff(of: relay)
            if kind == .refused, retryAt < expiresAt {
                // What was granted still holds.
                relay.status = .held(reservation, refreshAt: retryAt, expiresAt: expiresAt)
                self.relays[peer] = relay
                return
            }
            relay.failures -= 1
            self.pending += [.changed, .release(peer)]
        case .held where kind == .lied: self.pending += [.changed, .release(peer)]
        case .idle, .held, .backingOff: return
        }
        relay.failures += 1
        relay.status = .backingOff(until: now + (kind == .lied ? self.configuration.lieBackoff : self.backoff(of: relay)))
        self.relays[peer] = relay
    }

    /// The connection to a relay is gone, and the reservation with it.
    ///
    /// - Parameter jitter: Random, from 0 to 1.
    mutating func disconnected(_ peer: PeerID, now: Instant, jitter: Double = 0.5) {
        guard var relay = self.relays[peer] else { return }
        switch relay.status {
        case .held(let reservation, _, let expiresAt), .refreshing(let reservation, let expiresAt):
            relay.failures += 1
            if now - (expiresAt - reservation.lifetime) >= self.configuration.reliableAfter {
                relay.firstBackoff = self.configuration.reconnectBackoff * (0.5 + max(0, min(jitter, 1)))
            }
            relay.status = .backingOff(until: now + self.backoff(of: relay))
            self.relays[peer] = relay
            self.pending += [.changed, .release(peer)]
        case .idle, .requesting, .backingOff: break
        }
    }

    // MARK: Outputs

    mutating func poll(now: Instant) -> Action? {
        if let action = self.pending.popFirst() { return action }
        guard self.isWanted else { return nil }
        for (peer, relay) in self.relays {
            switch relay.status {
            case .held(_, _, let expiresAt) where now >= expiresAt, .refreshing(_, let expiresAt) where now >= expiresAt:
                self.relays[peer]?.status = .idle
                self.pending.append(.release(peer))
                return .changed
            case .held(let reservation, let refreshAt, let expiresAt) where now >= refreshAt:
                self.relays[peer]?.status = .refreshing(reservation, expiresAt: expiresAt)
                return .reserve(relay.candidate)
            case .backingOff(let until) where now >= until:
                self.relays[peer]?.status = .idle
            default: break
            }
        }
        guard self.activeCount < self.configuration.relayCount else { return nil }
        // The user's choice, then whoever has failed least, then whoever was known first.
        let idle = self.relays.values.filter { if case .idle = $0.status { true } else { false } }
        let best = idle.min { ($0.candidate.isConfigured ? 0 : 1, $0.failures, $0.order) < ($1.candidate.isConfigured ? 0 : 1, $1.failures, $1.order) }
        guard let best else { return nil }
        self.relays[best.candidate.peer]?.status = .requesting
        return .reserve(best.candidate)
    }

    private var activeCount: Int {
        self.relays.values.count { relay in
            switch relay.status {
            case .requesting, .held, .refreshing: true
            case .idle, .backingOff: false
            }
        }
    }

    private func backoff(of relay: Relay) -> Duration {
        var wait = relay.firstBackoff ?? self.configuration.initialBackoff
        for _ in 1..<max(2, min(relay.failures, 32)) where relay.failures > 1 {
            guard wait < self.configuration.maximumBackoff else { break }
            wait *= 2
        }
        return min(wait, self.configuration.maximumBackoff)
    }
}

extension Array {
    fileprivate mutating func popFirst() -> Element? { self.isEmpty ? nil : self.removeFirst() }
}
