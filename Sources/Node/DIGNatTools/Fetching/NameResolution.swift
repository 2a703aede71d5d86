import DIGContent
import DIGIdentity
import DIGNet
import Synchronization

/// Collects the signed bindings of one name or plain SHA-256 from everybody who is asked.
final class NameResolution: Sendable {
    private let key: BindingKey
    /// Whose word counts alone. Nil: everybody's.
    private let signer: PeerID?
    private let known = Mutex<[ContentHash: [NameBinding]]>([:])
    /// Contents that one name may have before the rest is ignored.
    private static let maximumContentCount = 64

    init(key: BindingKey, signer: PeerID? = nil) {
        self.key = key
        self.signer = signer
    }

    func add(_ bindings: [NameBinding]) {
        self.known.withLock { known in
            for binding in bindings where self.signer.map({ $0 == binding.signer.peerID }) ?? true {
                guard known[binding.contentHash] != nil || known.count < Self.maximumContentCount else { continue }
                known[binding.contentHash, default: []].append(binding)
            }
        }
    }

    /// Asks one peer.
    ///
    /// - Returns: Whether it knows any.
    func ask(_ connection: any Connection, as access: NodeAccess) async throws -> Bool {
        let bindings = try await access.bindings(for: self.key, on: connection)
        self.add(bindings)
        return bindings.contains { binding in self.signer.map { $0 == binding.signer.peerID } ?? true }
    }

    /// The only content bound to the key.
    ///
    /// - Returns: Nil if nobody knows any.
    /// - Throws: ``NodeError`` with `.ambiguousName` if signers disagree; the message lists contents and signers. The choice is the user's.
    func settled() throws -> NameBinding? {
        let known = self.known.withLock { $0 }
        guard known.count > 1 else { return known.values.first?.first }
        let rows = known.sorted { $0.key < $1.key }.map { hash, bindings in
            "  \(hash), signed by \(Set(bindings.map { "\($0.signer.peerID)" }).sorted().joined(separator: ", "))"
        }
        throw NodeError(.ambiguousName, "\(self.description) means different contents; fetch the one you trust by its hash, or as NAME@PEER:\n\(rows.joined(separator: "\n"))")
    }

    var description: String {
        switch self.key {
        case .sha256(let digest): "the SHA-256 \(digest.hex)"
        case .name(let name): "the name \"\(DisplayText.escaped(name))\"\(self.signer.map { " as \($0) means it" } ?? "")"
        }
    }
}
