import DIGMultiformats

/// What a NAT-PMP gateway answers.
enum NATPMPResponse: Hashable, Sendable {
    /// RFC 6886 §3.2.
    case externalAddress(IPv4Address, epoch: UInt32)
    /// RFC 6886 §3.3. `lifetimeSeconds` is 0 in the answer to a deletion.
    case mapped(PortMapping.TransportProtocol, internalPort: UInt16, externalPort: UInt16, lifetimeSeconds: UInt32, epoch: UInt32)
    /// Any answer whose result is not success: nothing after the epoch counts (§3.5). `opcode` is that of the request.
    case failure(opcode: UInt8, result: UInt16, epoch: UInt32)
}
