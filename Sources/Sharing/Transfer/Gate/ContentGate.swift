public import DIGContent
public import DIGNet

/// Decides to whom a host tells of a content at all.
///
/// Asked before a description or a signed name is given, never for single chunks: a peer that is refused learns nothing of the content, no size, no
/// name, no hash, no binding. What has been admitted is looked at again when ``TransferHost/reviewAdmissions()`` says so.
public protocol ContentGate: Sendable {
    /// Whether the peer at the other end of `connection` may have `content`. Anything that goes wrong is a refusal.
    func verdict(for content: ContentHash, on connection: any Connection) async -> GateVerdict
}
