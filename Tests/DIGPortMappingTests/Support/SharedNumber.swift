import Synchronization

/// A number that a test and a server share.
final class SharedNumber: Sendable {
    private let storage: Mutex<UInt32>
    init(_ value: UInt32) { self.storage = Mutex(value) }
    var value: UInt32 {
        get { self.storage.withLock { $0 } }
        set { self.storage.withLock { $0 = newValue } }
    }
}
