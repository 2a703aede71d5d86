/// Names a message in the network: whoever published it, and the number it gave it (pubsub specification, "The Message").
public struct GossipMessageID: Hashable, Sendable, CustomStringConvertible {
    /// The publisher's peer id followed by the sequence number. A peer id says how long it is, so no two pairs give the same bytes.
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    public var description: String {
        let digits = Array("0123456789abcdef")
        return String(self.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
