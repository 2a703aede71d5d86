/// What a ``ContentGate`` decides.
public enum GateVerdict: Hashable, Sendable {
    case admitted
    case refused(GateRefusal)
}
