import Synchronization

/// Tells the first of many threads from the others.
final class SharedFlag: Sendable {
    private let isSet = Atomic(false)

    /// Returns whether it was not set before.
    func set() -> Bool { self.isSet.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged }

    func clear() { self.isSet.store(false, ordering: .releasing) }
}
