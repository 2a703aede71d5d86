import Synchronization

/// Tells the first of many threads from the others.
final class SharedFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { self.flag.load(ordering: .acquiring) }

    /// Returns whether it was not set before.
    func set() -> Bool { self.flag.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged }

    func clear() { self.flag.store(false, ordering: .releasing) }
}
