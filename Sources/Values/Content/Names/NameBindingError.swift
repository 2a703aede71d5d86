/// A record is not the name binding it should be.
public enum NameBindingError: Error, Hashable, Sendable {
    /// The signature is not by the key in the envelope, or was made for another purpose.
    case invalidSignature
    /// The envelope carries something else.
    case wrongPayloadType
    /// The payload cannot be decoded, or has a field of the wrong length.
    case malformedPayload
    /// Empty, above 1024 bytes of UTF-8, or with control characters.
    case nameOutOfRange
    /// It binds another name than the one asked for.
    case otherKey
    /// The time stamp is further ahead than clocks differ.
    case fromTheFuture
    case expired
    /// The record could not be signed.
    case signingFailed
}
