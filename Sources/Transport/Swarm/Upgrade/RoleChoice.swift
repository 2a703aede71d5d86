import DIGNet

/// Which side of the handshake an end takes.
enum RoleChoice: Hashable, Sendable {
    case fixed(ConnectionRole)
    /// The listener if the peer proposes a protocol, the dialer if it is silent for so long; nil: for as long as
    /// ``ConnectionUpgrade/limitSilence(to:)`` says, if it does.
    ///
    /// For a channel that came out of dials from both ends: TCP may have made one connection of both or an ordinary one of either, so
    /// that having dialed or accepted says nothing about what the peer takes itself for.
    case detected(silence: Duration?)
}
