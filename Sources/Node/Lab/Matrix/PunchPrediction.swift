/// What can be expected of a punch between two homes: the yardstick, measured on kernels like ours and explained by mapping and filter.
public enum PunchPrediction: String, Hashable, Sendable, Codable {
    /// Works with nothing but `connect()` on both sides, from the mapped port.
    case direct = "yes"
    /// Only if that port has a listener, too: one side can't know the other's port.
    case needsListener = "L"
    case impossible = "-"

    private enum Side {
        /// Its port is known and nothing, or only the address, is filtered.
        case open
        /// Its port is known; address and port are filtered.
        case restricted
        /// Its port towards the peer is not known.
        case unpredictable
        /// No such packet leaves.
        case shut
    }

    /// TCP from a port that is not 80 or 443, over IPv4.
    public static func tcp(_ a: NATKind, _ b: NATKind) -> PunchPrediction {
        func side(_ kind: NATKind) -> Side {
            switch kind {
            case .none, .fullCone, .addressRestricted: .open
            case .noInbound, .portRestricted, .portRestrictedEIM, .cgnatPortRestricted, .udpBlocked: .restricted
            case .symmetric, .symmetricSequential, .cgnatSymmetric, .dualStack: .unpredictable
            case .webOnly: .shut
            }
        }
        return self.between(side(a), side(b))
    }

    /// Plain UDP: no port prediction, no sweep. A datagram socket always listens, so there is no `L`.
    public static func udp(_ a: NATKind, _ b: NATKind) -> PunchPrediction {
        if a == .udpBlocked || b == .udpBlocked { return .impossible }
        return self.tcp(a, b) == .impossible ? .impossible : .direct
    }

    private static func between(_ a: Side, _ b: Side) -> PunchPrediction {
        switch (a, b) {
        case (.shut, _), (_, .shut): .impossible
        case (.unpredictable, .open), (.open, .unpredictable): .needsListener
        case (.unpredictable, _), (_, .unpredictable): .impossible
        default: .direct
        }
    }
}
