
/// What a signed binding binds to a content hash, and what `resolve` looks up.
public enum BindingKey: Hashable, Sendable {
    /// What `sha256sum` prints for the file.
    case sha256(SHA256Digest)
    /// A human name, also called content id.
    case name(String)
}
