import DIGContent
import DIGNet

/// Contents that a session has open, to be looked at again.
struct AdmittedContents: Sendable {
    let contents: [ContentHash]
    let connection: (any Connection)?
    /// Hops to the session's loop.
    let withdraw: @Sendable (ContentHash, UnavailableReason) -> Void
}
