public import DIGContent
public import DIGNet

/// Proves to a holder who this node is, when the holder asks for it before it gives anything.
public protocol PeerAuthenticator: Sendable {
    /// Returns once the holder is satisfied, so that asking for `content` again makes sense.
    ///
    /// - Throws: ``TransferError`` with `.authenticationRequired` if there is nothing to prove anything with, `.notAuthorized` if it was not enough; the
    ///   message says what is missing and what to do. Whatever it is, the peer is left out of the transfer.
    func authenticate(for content: ContentHash, on connection: any Connection) async throws(TransferError)
}
