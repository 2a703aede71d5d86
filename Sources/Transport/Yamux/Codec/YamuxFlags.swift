/// The flags of a frame. Bits without a meaning are ignored.
///
/// hashicorp/yamux spec, "Flag Field".
struct YamuxFlags: OptionSet, Hashable, Sendable {
    var rawValue: UInt16

    /// The first frame of a stream; on a ping, the question.
    static let syn = Self(rawValue: 1)
    /// The first frame of the other side; on a ping, the answer.
    static let ack = Self(rawValue: 2)
    /// The sender's half is finished.
    static let fin = Self(rawValue: 4)
    /// The stream is gone.
    static let rst = Self(rawValue: 8)
}
