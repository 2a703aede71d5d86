import DIGIdentity

/// Signed records as they go into a message: encoded, within ``TransferLimits``, unverified when they come from a peer.
enum BindingList {
    /// What is too long, or too many, is left out.
    static func encode(_ envelopes: [SignedEnvelope]) -> [[UInt8]] {
        let encoded = envelopes.lazy.map { $0.encoded }.filter { !$0.isEmpty && $0.count <= TransferLimits.maximumBindingByteCount }
        return Array(encoded.prefix(TransferLimits.maximumBindingCount))
    }
}
