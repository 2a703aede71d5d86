/// What happens if something else has the file's name.
public enum ExistingFilePolicy: String, Sendable, CaseIterable {
    /// The download fails with `.alreadyExists`, before a byte is fetched. A file that is what was asked for already counts as fetched.
    case fail
    /// The new file is called `name (2).ext`, or the next free number.
    case keepBoth
    /// A regular file is replaced, once the new one is whole and verified. A link or directory never is.
    case replace
}
