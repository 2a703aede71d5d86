import GRDB

extension StorageError {
    /// What an error of SQLite means for the person who runs the node (sqlite.org/rescode.html).
    init(_ error: any Error, path: String) {
        if let known = error as? StorageError {
            self = known
            return
        }
        guard let database = error as? DatabaseError else {
            self.init(.failed, "the database \(path) could not be used", cause: error)
            return
        }
        switch database.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
            self.init(
                .damaged,
                "the database \(path) is damaged and was left untouched; move it away together with \(path)-wal and \(path)-shm, then share your files again",
                cause: error)
        case .SQLITE_FULL:
            self.init(.diskFull, "no space is left for the database \(path); free some and start again", cause: error)
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
            self.init(.notWritable, "the database \(path) cannot be written; check its permissions or choose another data directory", cause: error)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.busy, "another process keeps the database \(path) busy; try again", cause: error)
        case .SQLITE_IOERR where database.extendedResultCode == .SQLITE_IOERR_WRITE || database.extendedResultCode == .SQLITE_IOERR_FSYNC:
            self.init(.diskFull, "the database \(path) could not be written; check the disk and its free space", cause: error)
        default:
            self.init(.failed, "the database \(path) could not be used", cause: error)
        }
    }
}
