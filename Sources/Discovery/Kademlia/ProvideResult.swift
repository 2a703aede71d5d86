/// How many nodes have what was sent to them.
public struct ProvideResult: Hashable, Sendable {
    /// The closest nodes that answered the lookup, all of which were asked to store it.
    public var asked: Int
    /// Those seen to have it.
    public var stored: Int

    public init(asked: Int, stored: Int) {
        self.asked = asked
        self.stored = stored
    }
}
