import DIGMultiformats
import DIGNet
import Synchronization

/// Where both ends dial, TCP may make one connection of the two dials, an ordinary one of either, or both. Having dialed or accepted says
/// nothing then about the side of the handshake that the peer expects.
extension Swarm {
    /// Ours: how long the peer may be silent on a channel whose ends may both be the dialer, before this end takes it that it is.
    ///
    /// A peer that is the dialer proposes at once: its bytes come right behind the last packet of the TCP handshake where it connected, and up
    /// to a round trip later where both did. The two differ so that never both ends propose, whichever way the channel came about.
    private static let acceptedSilence: Duration = .milliseconds(150)
    private static let dialedSilence: Duration = .seconds(1)

    /// How often an attempt is repeated in which both ends took the same side of the handshake.
    ///
    /// Ordinary dials: once. Both ends dialed from the ports they listen on and their first packets crossed, so that TCP made one connection
    /// of the two, of which both are the dialer; from another port that can't happen. Punches: one end was slower than the times above
    /// allow; the hole is there.
    static func allowedFailures(_ options: DialOptions) -> Int {
        switch options.purpose {
        case .connect: options.role == .dialer ? 1 : 0
        case .punch: 3
        case .dialBack: 0
        }
    }

    /// Which side of the handshake a dialed channel takes.
    func roleChoice(for options: DialOptions) -> RoleChoice {
        options.role == .dialer ? .fixed(.dialer) : .detected(silence: Self.dialedSilence)
    }

    /// Which side of the handshake an accepted channel takes.
    ///
    /// Only the host counts: the NAT of a peer that is not punched through may give each of its connections another port.
    func roleChoice(ofAcceptedFrom remote: Multiaddr) -> RoleChoice {
        guard let host = remote.host, self.state.withLock({ $0.punches[host] != nil }) else { return .fixed(.listener) }
        return .detected(silence: Self.acceptedSilence)
    }

    /// Until ``forgetPunch(_:)``, what is accepted from the host of `address` may be a dial of a peer that leaves the dialer's side to this end.
    ///
    /// - Returns: What to forget; nil if `options` ask for no such dial.
    func expectPunch(at address: Multiaddr, options: DialOptions) -> Multiaddr.Component? {
        guard options.purpose == .punch, options.role == .dialer, let host = address.host else { return nil }
        self.state.withLock { $0.punches[host, default: 0] += 1 }
        return host
    }

    func forgetPunch(_ host: Multiaddr.Component?) {
        guard let host else { return }
        self.state.withLock { state in
            let count = state.punches[host] ?? 0
            state.punches[host] = count > 1 ? count - 1 : nil
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
