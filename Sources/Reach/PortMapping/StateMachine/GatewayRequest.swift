import NIOCore

/// A question in one datagram, of NAT-PMP or PCP.
protocol GatewayRequest: Sendable {
    associatedtype Answer: Sendable & Hashable

    func encode() -> ByteBuffer

    /// The answer in `datagram`, if it is one to this request; nil for a late or unrelated one, which is legitimate on UDP.
    ///
    /// - Throws: ``GatewayAnswerError``: the gateway's refusal, which ends the exchange, or bytes that are none of the protocol's, which do not.
    func answer(in datagram: ByteBuffer) throws(GatewayAnswerError) -> Answer?
}

enum GatewayAnswerError: Error, Hashable {
    case refused(PortMappingError)
    case malformed(String)
}
