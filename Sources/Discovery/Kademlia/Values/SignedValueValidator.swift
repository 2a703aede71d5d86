import DIGIdentity

/// `/dig/NAME/PEER`: a ``SignedValue`` of that peer. The valid one with the highest number is the best.
public struct SignedValueValidator: ValueValidator {
    public static let namespace = "dig"
    /// A value that claims to be good for longer is refused: 48 h, and a little for clocks that differ.
    public static let maximumLifetimeMilliseconds: UInt64 = 48 * 3_600_000 + Self.clockSkewMilliseconds
    static let clockSkewMilliseconds: UInt64 = 120_000

    public init() {}

    public func validate(_ value: [UInt8], under key: [UInt8], nowMilliseconds: UInt64) throws(ValueError) -> UInt64? {
        let signed: SignedValue
        do throws(IdentityError) { signed = try SignedValue(opening: value) } catch {
            throw error.code == .invalidSignature ? .invalidSignature : .malformed
        }
        let parts = key.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard signed.key == key, parts.count == 4, parts[3].elementsEqual(signed.owner.description.utf8) else { throw .wrongOwner }
        let expiry = signed.expiresAtMilliseconds
        guard expiry > nowMilliseconds else { throw .expired }
        guard expiry - nowMilliseconds <= Self.maximumLifetimeMilliseconds else { throw .tooFarInFuture }
        return expiry
    }

    public func prefers(_ new: [UInt8], to old: [UInt8], under key: [UInt8]) -> Bool {
        guard let new = Self.order(new) else { return false }
        guard let old = Self.order(old) else { return true }
        return new > old
    }

    /// Number and end: of two with the same number, the one that lasts longer.
    private static func order(_ bytes: [UInt8]) -> (UInt64, UInt64)? {
        do throws(IdentityError) {
            let value = try SignedValue(opening: bytes)
            return (value.sequence, value.expiresAtMilliseconds)
        } catch {
            return nil
        }
    }
}
