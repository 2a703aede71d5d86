/// What the matrix measures between two homes.
public enum Measurement: Hashable, Sendable {
    /// The lab's own prober: is a punch possible at all?
    case punch(PunchTransport)
    /// The product: a relay on a public host, `share` behind one NAT, `get` behind the other.
    case product(ProductCommands, byteCount: Int)
}
