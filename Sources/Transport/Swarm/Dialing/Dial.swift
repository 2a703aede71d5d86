import DIGMultiformats
import DIGNet

/// A dial under way, and everyone who waits for it.
final class Dial: Sendable {
    /// What is being tried.
    let addresses: Set<Multiaddr>
    /// The attempts, which are given up when the last who waits for them is gone.
    let task = SharedTask<SwarmConnection>()
    private let options: DialOptions

    init(addresses: [Multiaddr], options: DialOptions) {
        self.addresses = Set(addresses)
        self.options = options
    }

    /// Whether `connection`, just made to the peer that is dialed, is as good as one of this dial's own.
    ///
    /// A punch that ends in a connection which the peer dialed has done what it was for.
    func isSatisfied(by connection: SwarmConnection) -> Bool {
        if self.options.requiresDirect, connection.isRelayed { return false }
        return !self.options.requiresNew || self.options.purpose == .punch
    }
}
