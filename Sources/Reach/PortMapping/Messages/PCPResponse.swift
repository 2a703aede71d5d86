/// What a PCP server answers (RFC 6887 §7.2).
struct PCPResponse: Hashable, Sendable {
    var result: UInt8
    var lifetimeSeconds: UInt32
    var epoch: UInt32
    var body: Body

    enum Body: Hashable, Sendable {
        case announce
        case map(PCPMapPayload)
        /// A failure that says no more than the header. `opcode` is that of the request.
        case none(opcode: UInt8)
    }
}
