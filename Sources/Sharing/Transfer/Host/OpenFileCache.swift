import DIGContent
import OrderedCollections
import Synchronization

/// Keeps the files in use open, at most so many; the one unused for longest is closed first.
///
/// A reader that is evicted while a read runs stays open until that read ends.
final class OpenFileCache: Sendable {
    private struct Key: Hashable {
        var path: String
        var stamp: FileStamp?
        var inode: UInt64?
    }

    private let capacity: Int
    /// Least recently used first.
    private let readers: Mutex<OrderedDictionary<Key, FileReader>>

    /// - Parameter capacity: At least 1.
    init(capacity: Int) {
        self.capacity = max(1, capacity)
        self.readers = Mutex([:])
    }

    private let opened = Atomic(0)

    /// How often a file was opened.
    var openedCount: Int { self.opened.load(ordering: .relaxed) }
    var openCount: Int { self.readers.withLock { $0.count } }

    /// The open reader, or a new one.
    ///
    /// - Parameter inode: What the file must have if it has no stamp; nil: any.
    /// - Throws: As ``FileReader/init(path:stamp:inode:)``.
    func reader(path: String, stamp: FileStamp?, inode: UInt64? = nil) throws(FileReadError) -> FileReader {
        let key = Key(path: path, stamp: stamp, inode: inode)
        let cached = self.readers.withLock { readers -> FileReader? in
            guard let index = readers.index(forKey: key) else { return nil }
            // Moving to the back costs the length of the list, which is small beside a read.
            let (key, reader) = readers.remove(at: index)
            readers[key] = reader
            return reader
        }
        if let cached { return cached }

        let reader = try FileReader(path: path, stamp: stamp, inode: inode)
        self.opened.add(1, ordering: .relaxed)
        let evicted = self.readers.withLock { readers -> FileReader? in
            readers[key] = reader
            return readers.count > self.capacity ? readers.removeFirst().value : nil
        }
        // Closed here, outside the lock.
        withExtendedLifetime(evicted) {}
        return reader
    }

    /// Forgets a file that changed.
    func remove(path: String, stamp: FileStamp?) {
        let removed = self.readers.withLock { $0.removeValue(forKey: Key(path: path, stamp: stamp, inode: nil)) }
        withExtendedLifetime(removed) {}
    }

    func removeAll() {
        let removed = self.readers.withLock { readers -> OrderedDictionary<Key, FileReader> in
            defer { readers = [:] }
            return readers
        }
        withExtendedLifetime(removed) {}
    }
}
