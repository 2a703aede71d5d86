/// Decides which values of one namespace are good, and which of two is better (kad-dht r2, "Entry validation").
public protocol ValueValidator: Sendable {
    /// Whether `value` may stand under `key`.
    ///
    /// - Parameters:
    ///   - key: The whole, with the namespace: `/pk/…`.
    ///   - nowMilliseconds: Unix time.
    /// - Returns: When it is over, Unix time; nil: as long as values are kept.
    /// - Throws: ``ValueError``.
    func validate(_ value: [UInt8], under key: [UInt8], nowMilliseconds: UInt64) throws(ValueError) -> UInt64?

    /// Whether `new` takes the place of `old`. Both are valid. Has to be the same on every node.
    func prefers(_ new: [UInt8], to old: [UInt8], under key: [UInt8]) -> Bool
}

/// Why a value is not good.
public enum ValueError: Error, Hashable, Sendable {
    /// No validator is there for the key.
    case unknownNamespace
    case malformed
    case invalidSignature
    /// Signed by somebody else than the key's owner, or for another key.
    case wrongOwner
    /// Its time is over.
    case expired
    /// It claims more time than values may have.
    case tooFarInFuture
}
