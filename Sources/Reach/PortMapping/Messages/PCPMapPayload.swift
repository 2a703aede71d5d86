import DIGMultiformats

/// What follows the header of a MAP request or response (RFC 6887 §11.1): 36 bytes.
struct PCPMapPayload: Hashable, Sendable {
    var nonce: PCPNonce
    var transport: PortMapping.TransportProtocol
    var internalPort: UInt16
    /// Suggested in a request, assigned in a response.
    var externalPort: UInt16
    /// Suggested in a request (all zeros, in its family's form, for any), assigned in a response.
    var externalAddress: IPAddress
}
