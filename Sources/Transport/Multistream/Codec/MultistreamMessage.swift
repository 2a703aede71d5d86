import DIGNet

/// One message of multistream-select 1.0, without its length prefix and its newline.
enum MultistreamMessage: Hashable, Sendable {
    /// `/multistream/1.0.0`: the first message of both sides.
    case header
    /// `na`: the protocol proposed is not spoken here.
    case notAvailable
    /// `ls`: asks for the protocols spoken.
    case list
    /// Answers ``list``.
    case protocols([ProtocolID])
    /// Proposes a protocol, or accepts the one proposed by repeating it.
    case protocolID(ProtocolID)
}
