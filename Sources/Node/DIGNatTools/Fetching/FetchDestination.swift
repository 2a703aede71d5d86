public import DIGTransfer

/// Where what is fetched goes.
public struct FetchDestination: Hashable, Sendable {
    enum Place: Hashable, Sendable {
        case directory(String)
        case path(String)
        case nowhere(scratch: String)
    }

    var place: Place
    /// What happens if something else has the name.
    public var existingFile: ExistingFilePolicy

    /// Into a directory that exists, under the name from the link or the holder.
    public static func directory(_ path: String, existingFile: ExistingFilePolicy = .fail) -> Self {
        Self(place: .directory(path), existingFile: existingFile)
    }

    /// Exactly there; its directory must exist.
    public static func path(_ path: String, existingFile: ExistingFilePolicy = .fail) -> Self {
        Self(place: .path(path), existingFile: existingFile)
    }

    /// Only to be read while it arrives; nothing is kept.
    ///
    /// - Parameter scratch: A directory with room for the file until it has been read.
    public static func nowhere(scratch: String) -> Self {
        Self(place: .nowhere(scratch: scratch), existingFile: .keepBoth)
    }

    var needsName: Bool {
        if case .directory = self.place { true } else { false }
    }

    var keepsFile: Bool {
        if case .nowhere = self.place { false } else { true }
    }

    /// - Parameter name: A safe file name.
    /// - Throws: `TransferError` with `.unsafePath` if the path ends in no name.
    func resolved(name: String) throws -> DownloadDestination {
        switch self.place {
        case .directory(let directory):
            return try DownloadDestination(directory: directory, name: name, existingFile: self.existingFile)
        case .nowhere(let scratch):
            return try DownloadDestination(directory: scratch, name: name, existingFile: self.existingFile)
        case .path(let path):
            let slash = path.lastIndex(of: "/")
            let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
            return try DownloadDestination(directory: directory, name: name, existingFile: self.existingFile)
        }
    }
}
