import DIGIdentity
import Foundation
import Testing

/// The key of a wallet as the key of a node.
@Suite("identity", .serialized, .timeLimit(.minutes(3)))
struct IdentityTests {
    let workspace: Workspace

    init() throws {
        self.workspace = try Workspace()
    }

    /// What eth-account 0.13.7 makes of the key that its documentation shows: address, keystores, `personal_sign` of "I share film.bin".
    private static let privateKey = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
    private static let address = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
    private static let password = "päss wörd 🐈"
    private static let keystores = [
        """
        {"address": "2c7536E3605D9C16a7a3D7b1898e529396a65c23", "crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "ed7e1cbfbcdd3758e593334fb3c7c5c0"}, \
        "ciphertext": "22212456468cad88031dfd4126610c38fabb77ec7d135fc3aea11c7d9126651c", "kdf": "scrypt", "kdfparams": {"dklen": 32, "n": 4096, "r": 8, "p": 1, \
        "salt": "e82c36cfe32c04547a428d539b1d944f"}, "mac": "c8acb2ee1fcad7b98eb821f7714076a9119d10a1c1696fa2882884741968cb8b"}, "id": "4c12ba11-93cb-4459-8fd7-e587e7aeaf51", "version": 3}
        """,
        """
        {"address": "2c7536E3605D9C16a7a3D7b1898e529396a65c23", "crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "03d37dd5142aa0ee36e05b38e014a2e2"}, \
        "ciphertext": "836596760e3ea6ba3c5c9c1cbc09c639efb21344add4da2084dc736a4fc2ceba", "kdf": "pbkdf2", "kdfparams": {"c": 4096, "dklen": 32, "prf": "hmac-sha256", \
        "salt": "cd7606d7cb7cc13f3d687eb310e7a59d"}, "mac": "d67d58108b3155360a8778e26073ad4ba78044ef5dfdbde1a626844a7bdec881"}, "id": "d8a9cddc-5063-4c47-8ceb-e74d87b550c8", "version": 3}
        """,
    ]
    private static let signature = "0xc34d77568dbb3401b7937d1c29350b6ac22d6e895b644270a16477d67e86e9456453479dc81964c07b2f8b817d24f3c7527e9f79c1aad8be443713d533cfba881c"

    private func imported(_ node: String, _ text: String, _ arguments: String...) async throws -> DigNatProcess.State {
        let path = try self.workspace.write(text.utf8, to: "key.txt")
        return try await self.workspace.run(node, ["id", "import", path] + arguments)
    }

    @Test("a wallet's key is the same account here as there, and the same peer after a restart")
    func wallet() async throws {
        let peer = "\(try KeyPair(secp256k1PrivateKey: Self.privateKey).peerID)"
        let result = try await self.imported("node", "0x\(Self.privateKey)\n")
        result.expectSuccess()
        #expect(result.last["event"].string == "imported" && result.last["changed"].boolean == true)
        #expect(result.last["ethereumAddress"].string == Self.address)
        #expect(result.last["algorithm"].string == "secp256k1")
        #expect(!result.outputText.contains(Self.privateKey) && !result.errorText.contains(Self.privateKey))

        // Two lives of a node, and the link of each leads to the peer.
        let path = try self.workspace.write(SampleFile.bytes(1000), to: "film.bin")
        for life in 1...2 {
            let holder = try await self.workspace.share("node", [path])
            #expect(try holder.address.peerID.map { "\($0)" } == peer, "life \(life)")
            if life == 1 {
                let got = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
                got.expectSuccess()
            }
            holder.process.signal(SIGTERM)
            try await holder.process.end()
        }
        let shown = try await self.workspace.run("node", ["id"])
        #expect(shown.last["peer"].string == peer && shown.last["ethereumAddress"].string == Self.address)
        #expect(shown.last["memberKey"].string == "\(try MemberKey(try KeyPair(secp256k1PrivateKey: Self.privateKey).publicKey))")
        #expect(shown.last["overlayAddress"].string.flatMap { OverlayAddress($0) }?.names(try PeerID(peer)) == true)
        self.workspace.expectNothingElseTouched()
    }

    @Test("eth-account's keystores open with their password only")
    func keystore() async throws {
        let right = try self.workspace.write("\(Self.password)\n".utf8, to: "right")
        let wrong = try self.workspace.write("password\n".utf8, to: "wrong")
        for (index, keystore) in Self.keystores.enumerated() {
            let node = "node\(index)"
            try await self.imported(node, keystore, "--password-file", wrong).expectFailure(64, "does not open with this password")
            // Standard input is no terminal, and there may be none at all.
            let result = try await self.imported(node, keystore, "--password-file", right)
            result.expectSuccess()
            #expect(result.last["ethereumAddress"].string == Self.address)
        }
    }

    @Test("another key is never replaced unasked, and is kept")
    func replacement() async throws {
        let first = try await self.workspace.run("node", ["id"])
        let old = try #require(first.last["peer"].string)
        let refused = try await self.imported("node", Self.privateKey)
        refused.expectFailure(5, old, "--replace")
        #expect(try await self.workspace.run("node", ["id"]).last["peer"].string == old)

        let replaced = try await self.imported("node", Self.privateKey, "--replace")
        replaced.expectSuccess()
        let backup = try #require(replaced.last["backup"].string)
        #expect(try KeyFile(path: backup).load().peerID.description == old)
        #expect(try await self.workspace.run("node", ["id"]).last["ethereumAddress"].string == Self.address)
        #expect(try await self.imported("node", Self.privateKey).last["changed"].boolean == false)
        // The backup is a key file, which is imported as any other.
        let back = try await self.workspace.run("node", ["id", "import", backup, "--replace"])
        back.expectSuccess()
        #expect(back.last["peer"].string == old)
        try await self.imported("other", "this is no key").expectFailure(64, "no key in a form that is known")
        #expect(!FileManager.default.fileExists(atPath: self.workspace.data(of: "other")))
    }

    @Test("messages are signed as a wallet does, and it is told who signed")
    func messages() async throws {
        try await self.imported("node", Self.privateKey).expectSuccess()
        let signed = try await self.workspace.run("node", ["id", "sign", "I share film.bin"])
        #expect(signed.last["signature"].string == Self.signature)
        let right = try await self.workspace.run("other", ["id", "verify", "I share film.bin", Self.signature, "--by", Self.address.lowercased()])
        right.expectSuccess()
        #expect(right.last["verified"].boolean == true)
        try await self.workspace.run("other", ["id", "verify", "I share film.bin.", Self.signature, "--by", Self.address]).expectFailure(4, "has not signed")
        #expect(try await self.workspace.run("other", ["id", "verify", "I share film.bin", Self.signature]).last["ethereumAddress"].string == Self.address)
        try await self.workspace.run("other", ["id", "verify", "m", "0x12"]).expectFailure(64)

        let bitcoin = try #require(try await self.workspace.run("node", ["id", "sign", "--bitcoin", "I share film.bin"]).last["signature"].string)
        #expect(try await self.workspace.run("other", ["id", "verify", "I share film.bin", bitcoin]).last["ethereumAddress"].string == Self.address)
        // The key that a node makes for itself is no wallet's.
        try await self.workspace.run("other", ["id", "sign", "x"]).expectFailure(64, "secp256k1", "dig-nat id import")
    }
}
