/// The place to which a download moves its file in the end.
///
/// A host that learned of the download before finds the file there; another file that lies there is told apart by the inode.
struct HostedFileDestination: Hashable, Sendable {
    var path: String
    var inode: UInt64
}
