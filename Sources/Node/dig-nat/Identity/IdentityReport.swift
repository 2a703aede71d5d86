import DIGCommandLine
import DIGIdentity

/// Everything that a key is called.
struct IdentityReport {
    let key: PublicKey
    let member: MemberKey
    let path: String

    /// - Throws: `IdentityError`; not for a key that was read or made here.
    init(_ key: KeyPair, path: String) throws(IdentityError) {
        self.key = key.publicKey
        self.member = try MemberKeyPair(key).publicKey
        self.path = path
    }

    var text: String {
        var lines = ["peer id    \(self.key.peerID)", "node id    \(self.key.nodeID)", "algorithm  \(self.key.algorithm.rawValue)"]
        if let address = EthereumAddress(self.key) { lines.append("ethereum   \(address)") }
        lines += ["overlay    \(OverlayAddress(self.key))", "member     \(self.member)", "key file   \(TerminalText.singleLine(self.path))"]
        return lines.joined(separator: "\n")
    }

    func event(_ name: String) -> JSONObject {
        [
            "event": .string(name), "peer": .string("\(self.key.peerID)"), "node": .string("\(self.key.nodeID)"),
            "algorithm": .string(self.key.algorithm.rawValue), "keyFile": .string(self.path),
            "ethereumAddress": EthereumAddress(self.key).map { .string("\($0)") } ?? .null, "overlayAddress": .string("\(OverlayAddress(self.key))"),
            "memberKey": .string("\(self.member)"),
        ]
    }
}
