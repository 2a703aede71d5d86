/// Where a download goes: a directory that exists, and a path below it.
public struct DownloadDestination: Hashable, Sendable {
    /// Must exist; its own path may contain symbolic links, they are the user's.
    public var directory: String
    /// Directories, created as needed, and the file's name. No symbolic link is followed below ``directory``.
    public var components: [String]
    /// What happens if something else has the name.
    public var existingFile: ExistingFilePolicy

    /// - Throws: ``TransferError`` with `.unsafePath` if a component could leave the directory. Names from peers must have been
    ///   sanitized before: this refuses, it does not repair.
    public init(directory: String, components: [String], existingFile: ExistingFilePolicy = .fail) throws(TransferError) {
        guard !components.isEmpty else { throw TransferError(.unsafePath, "the file needs a name") }
        for component in components {
            guard !component.isEmpty, component != ".", component != "..", !component.utf8.contains(UInt8(ascii: "/")), !component.utf8.contains(0) else {
                throw TransferError(.unsafePath, "a path component may not be empty, \".\", \"..\" or contain \"/\": the download stays in its directory")
            }
            guard component.utf8.count <= 255 else { throw TransferError(.unsafePath, "a name may have 255 bytes, this one has \(component.utf8.count)") }
        }
        self.directory = directory.isEmpty ? "." : directory
        self.components = components
        self.existingFile = existingFile
    }

    public init(directory: String, name: String, existingFile: ExistingFilePolicy = .fail) throws(TransferError) {
        try self.init(directory: directory, components: [name], existingFile: existingFile)
    }

    /// The last component.
    public var name: String { self.components[self.components.count - 1] }
    /// Directory and components, with slashes.
    public var path: String { ([self.directory] + self.components).joined(separator: "/") }
}
