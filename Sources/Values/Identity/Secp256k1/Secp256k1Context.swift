import CSecp256k1

/// The tables of libsecp256k1, made once for the process.
///
/// Sendable without a lock: after `init` the context is only read, which the library allows from any thread.
final class Secp256k1Context: @unchecked Sendable {
    static let shared = Secp256k1Context()

    let pointer: OpaquePointer

    private init() {
        guard let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_NONE)) else {
            fatalError("libsecp256k1 has no memory for its context")
        }
        // Blinds the secret in signing and key generation against side channels.
        var generator = SystemRandomNumberGenerator()
        let seed = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        _ = secp256k1_context_randomize(context, seed)
        self.pointer = context
    }
}
