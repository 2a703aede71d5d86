public import DIGIdentity

/// `/dig-overlay/ADDRESS`: where the peer is that an ``DIGIdentity/OverlayAddress`` names, in the peer's own signed words.
///
/// The peer's id has to give the address, so nobody can put another in its place. Of several the one with the highest number counts.
public struct OverlayAddressValidator: ValueValidator {
    public static let namespace = "dig-overlay"
    private static let prefix = Array("/\(Self.namespace)/".utf8)

    public init() {}

    /// With the address as RFC 5952 writes it.
    public static func key(of address: OverlayAddress) -> [UInt8] { Self.prefix + Array(address.description.utf8) }

    /// Nil unless the key is one, written in the one way there is.
    static func address(in key: [UInt8]) -> OverlayAddress? {
        guard key.starts(with: Self.prefix), let address = OverlayAddress(String(decoding: key.dropFirst(Self.prefix.count), as: UTF8.self)),
            Self.key(of: address) == key
        else { return nil }
        return address
    }

    public func validate(_ value: [UInt8], under key: [UInt8], nowMilliseconds: UInt64) throws(ValueError) -> UInt64? {
        guard let address = Self.address(in: key) else { throw .malformed }
        let statement: ProviderStatement
        do throws(IdentityError) { statement = try ProviderStatement(opening: value) } catch {
            throw error.code == .invalidSignature ? .invalidSignature : .malformed
        }
        guard statement.key == key, address.names(statement.provider) else { throw .wrongOwner }
        let expiry = statement.expiresAtMilliseconds
        guard expiry > nowMilliseconds else { throw .expired }
        guard expiry - nowMilliseconds <= SignedValueValidator.maximumLifetimeMilliseconds,
            statement.sequence <= nowMilliseconds &+ SignedValueValidator.clockSkewMilliseconds
        else { throw .tooFarInFuture }
        return expiry
    }

    public func prefers(_ new: [UInt8], to old: [UInt8], under key: [UInt8]) -> Bool {
        guard let new = Self.order(new) else { return false }
        guard let old = Self.order(old) else { return true }
        return new > old
    }

    private static func order(_ bytes: [UInt8]) -> (UInt64, UInt64)? {
        do throws(IdentityError) {
            let statement = try ProviderStatement(opening: bytes)
            return (statement.sequence, statement.expiresAtMilliseconds)
        } catch {
            return nil
        }
    }
}
