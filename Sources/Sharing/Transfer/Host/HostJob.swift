import DIGContent

/// Work that takes time, for whoever runs the session. Each job is completed exactly once, whatever its outcome.
struct HostJob: Sendable {
    enum Work: Sendable {
        /// Complete with ``HostSessionStateMachine/lookedUp(_:id:)``.
        case lookUp(ContentHash)
        /// Complete with ``HostSessionStateMachine/resolved(_:id:)``.
        case resolve(requestID: UInt32, BindingKey)
        /// Complete with ``HostSessionStateMachine/hashesRead(_:id:)``.
        case readHashes(HostedFile, HashRequest)
        /// Complete with ``HostSessionStateMachine/proofRead(_:id:)``.
        case readProof(HostedFile, block: Int, nonce: [UInt8])
        /// Done by the machine itself, when its turn comes.
        case cutListing(HostedFolder, offset: UInt64, byteCount: Int)
    }

    let id: UInt64
    let work: Work
}
