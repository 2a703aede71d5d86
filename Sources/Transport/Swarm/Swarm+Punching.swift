import DIGMultiformats
import DIGNet
import Synchronization

/// Where both ends dial, TCP may make one connection of the two dials, an ordinary one of either, or both. Having dialed or accepted says
/// nothing then about the side of the handshake that the peer expects.
extension Swarm {
    /// Ours: how long the peer may be silent on a channel whose ends may both be the dialer, before this end takes it that it is.
    ///
    /// A peer that is the dialer proposes at once: its bytes come right behind the last packet of the TCP handshake where it connected, and up
    /// to a round trip later where both did. The times differ so that never both ends propose, whichever way the channel came about and whichever
    /// side each was to take.
    private static func acceptedSilence(_ expected: ExpectedPunches) -> Duration {
        expected.asDialer > 0 ? .milliseconds(150) : .milliseconds(500)
    }
    private static let dialedSilence: Duration = .seconds(1)
    private static let repeatedSilence: Duration = .milliseconds(250)

    /// The punches under way to a host, by the side that this end was to take.
    struct ExpectedPunches: Hashable {
        var asDialer = 0
        var asListener = 0

        var isEmpty: Bool { self.asDialer <= 0 && self.asListener <= 0 }

        mutating func count(_ difference: Int, as role: ConnectionRole) {
            switch role {
            case .dialer: self.asDialer += difference
            case .listener: self.asListener += difference
            }
        }
    }

    /// What ``Swarm/forgetPunch(_:)`` takes back.
    struct ExpectedPunch {
        var host: Multiaddr.Component
        var role: ConnectionRole
    }

    /// How often an attempt is repeated in which both ends took the same side of the handshake.
    ///
    /// Ordinary dials: once. Both ends dialed from the ports they listen on and their first packets crossed, so that TCP made one connection
    /// of the two, of which both are the dialer; from another port that can't happen. Punches: one end was slower than the times above
    /// allow, or both hold themselves for the dialer; the hole is there.
    static func allowedFailures(_ options: DialOptions) -> Int {
        switch options.purpose {
        case .connect: options.role == .dialer ? 1 : 0
        case .punch: 3
        case .dialBack: 0
        }
    }

    /// Whether a handshake may have failed because both ends took the same side.
    ///
    /// Of two that propose the one that notices first closes, and the other may see nothing else.
    static func isOfOneSide(_ error: any Error, _ options: DialOptions) -> Bool {
        switch (error as? ConnectionError)?.code {
        case .protocolViolation: true
        case .closed: options.purpose == .punch
        default: false
        }
    }

    /// Which side of the handshake a dialed channel takes.
    ///
    /// Of two that both dialed, go-libp2p takes the other side than DCUtR gives it (go-libp2p#3171), and changes it after some attempts: a
    /// listener that meets silence proposes, and a dialer whose proposal met another lets the peer go first every second time.
    ///
    /// - Parameter failures: How often both ends took the same side in this attempt.
    func roleChoice(for options: DialOptions, failures: Int) -> RoleChoice {
        guard options.role == .dialer else { return .detected(silence: Self.dialedSilence) }
        return options.purpose == .punch && !failures.isMultiple(of: 2) ? .detected(silence: Self.repeatedSilence) : .fixed(.dialer)
    }

    /// Which side of the handshake an accepted channel takes.
    ///
    /// Only the host counts: the NAT of a peer that is not punched through may give each of its connections another port. The peer's dial of a punch
    /// may be here before this end's begins: while some peer is connected by a relay only, it stays open which side a silent channel takes.
    func roleChoice(ofAcceptedFrom remote: Multiaddr) -> RoleChoice {
        guard let host = remote.host else { return .fixed(.listener) }
        return self.state.withLock { state in
            if let expected = state.punches[host] { return .detected(silence: Self.acceptedSilence(expected)) }
            return state.pool.preferred.contains(where: \.isRelayed) ? .detected(silence: nil) : .fixed(.listener)
        }
    }

    /// Until ``forgetPunch(_:)``, what is accepted from the host of `address` may be a dial of a peer that leaves the dialer's side to this end,
    /// whichever side this end was to take: the peer may have it otherwise.
    ///
    /// What was accepted before and has said nothing yet counts, too.
    ///
    /// - Returns: What to forget; nil if `options` ask for no such dial.
    func expectPunch(at address: Multiaddr, options: DialOptions) -> ExpectedPunch? {
        guard options.purpose == .punch, let host = address.host else { return nil }
        let (expected, early) = self.state.withLock { state in
            state.punches[host, default: .init()].count(1, as: options.role)
            return (state.punches[host, default: .init()], state.inboundUpgrades.values.filter { $0.remoteAddress.host == host })
        }
        for upgrade in early { upgrade.limitSilence(to: Self.acceptedSilence(expected)) }
        return ExpectedPunch(host: host, role: options.role)
    }

    func forgetPunch(_ punch: ExpectedPunch?) {
        guard let punch else { return }
        self.state.withLock { state in
            var expected = state.punches[punch.host] ?? .init()
            expected.count(-1, as: punch.role)
            state.punches[punch.host] = expected.isEmpty ? nil : expected
        }
    }

    /// Whether a dial may have met a dial of the peer: it left from a port that is listened on.
    func leftFromListeningPort(_ upgrade: ConnectionUpgrade) -> Bool {
        guard let port = upgrade.localAddress?.components.last, case .tcp = port else { return false }
        return self.state.withLock { $0.listeners.contains { $0.address.components.contains(port) } }
    }
}

extension DialConfiguration {
    /// Ours: addresses punched at the same time.
    private static let maximumParallelPunches = 32

    func adapted(to options: DialOptions) -> DialConfiguration {
        var copy = self
        if let timeout = options.timeout { copy.timeout = timeout }
        if options.purpose == .punch {
            // The peer has begun at this moment too, and no attempt ends before it works.
            copy.attemptDelay = .zero
            copy.maximumParallelAttempts = max(self.maximumParallelAttempts, Self.maximumParallelPunches)
        }
        return copy
    }
}

extension Multiaddr {
    /// The IP address of the other end.
    fileprivate var host: Component? {
        self.components.lazy.compactMap { component in
            switch component {
            case .ip4: component
            case .ip6(let ip): ip.mappedIPv4.map { .ip4($0) } ?? component
            default: nil
            }
        }.first
    }
}
