import ArgumentParser
import DIGCommandLine
import DIGIdentity
import DIGMultiformats
import Foundation
import Testing

@testable import dig_nat

@Suite("Keys and messages")
struct IdentityCommandTests {
    private static let one = String(repeating: "0", count: 63) + "1"

    private func parse<Command: ParsableCommand>(_ arguments: String..., as type: Command.Type) throws -> Command {
        try #require(try DigNat.parseAsRoot(arguments) as? Command)
    }

    // MARK: Arguments

    @Test("id alone shows, the rest has a word of its own")
    func arguments() throws {
        #expect(try self.parse("id", "--quiet", as: IdentityShowCommand.self).global.quiet)
        let importing = try self.parse("id", "import", "-", "--replace", "--password-file", "p", "--as", "ed25519", as: IdentityImportCommand.self)
        #expect(importing.file == "-" && importing.replace && importing.passwordFile == "p" && importing.kind == .ed25519)
        #expect(try self.parse("id", "sign", "m", "--bitcoin", as: IdentitySignCommand.self).bitcoin)
        #expect(try self.parse("id", "verify", "m", "s", "--by", "x", as: IdentityVerifyCommand.self).words == ["m", "s"])
        #expect(try self.parse("id", "verify", "s", "--file", "f", as: IdentityVerifyCommand.self).words == ["s"])
    }

    @Test(
        "what can't be meant is a usage error, exit code 64",
        arguments: [["id", "import"], ["id", "import", "a", "--as", "rsa"], ["id", "sign"], ["id", "sign", "m", "--file", "f"], ["id", "verify", "m"], ["id", "verify", "m", "s", "--file", "f"], ["records", "verify"]])
    func usage(arguments: [String]) throws {
        let error = try #require(throws: (any Error).self) { try DigNat.parseAsRoot(arguments) }
        #expect(DigNat.exitCode(for: error).rawValue == CommandStatus.usage.rawValue, "\(arguments)")
    }

    @Test("the help of every part has examples, and lines that fit")
    func help() {
        for group in DigNat.configuration.subcommands {
            for command in group.configuration.subcommands {
                let text = DigNat.helpMessage(for: command, columns: 80)
                #expect(text.contains("EXAMPLES\n  "), "\(text)")
                #expect(text.contains("dig-nat \(group._commandName)"), "\(text)")
                #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE: ") }, "\(text)")
            }
        }
    }

    // MARK: Forms of keys

    private func key(_ text: String, as algorithm: KeyAlgorithm = .secp256k1, password: String? = nil) throws -> KeyPair {
        try KeyText(Array(text.utf8), name: "key").keyPair(hexadecimalAs: algorithm, password: password)
    }

    @Test("hexadecimal, with and without 0x, is a wallet's key unless another kind is named")
    func hexadecimal() throws {
        for text in [Self.one, "0x" + Self.one, "  0X\(Self.one)\r\n"] {
            // The account of the number 1.
            #expect(try self.key(text).publicKey.ethereumAddress == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
        }
        // RFC 8032 §7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
        let pub = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        #expect(Base16.encode(try self.key(seed, as: .ed25519).publicKey.rawRepresentation) == pub)
        #expect(Base16.encode(try self.key(seed + pub, as: .ed25519).publicKey.rawRepresentation) == pub)
        #expect(throws: IdentityError(.keyMismatch, "")) { try self.key(seed + seed, as: .ed25519) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try self.key(String(seed.dropLast(2))) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try self.key(String(seed.dropLast(2)), as: .ed25519) }
        #expect(throws: IdentityError(.invalidPrivateKey, "")) { try self.key(String(repeating: "f", count: 64)) }
    }

    @Test("wallet import format, PEM and key files are recognized")
    func forms() throws {
        let one = try self.key(Self.one)
        for text in ["KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", "5HpHagT65TZzG1PH3CSu63k8DbpvD8s5ip4nEB3kEsreAnchuDf\n"] {
            #expect(try self.key(text).publicKey == one.publicKey)
        }
        // RFC 8410 §10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
        #expect(try self.key(pem).algorithm == .ed25519)
        for algorithm in [KeyAlgorithm.ed25519, .secp256k1, .ecdsa] {
            let pair = try KeyPair.generate(algorithm)
            let read = try KeyText(pair.protobufEncoded, name: "key").keyPair(hexadecimalAs: .secp256k1, password: nil)
            #expect(read.publicKey == pair.publicKey)
        }
    }

    @Test("a keystore needs a password, and the right one")
    func keystore() throws {
        let pair = try KeyPair.generate(.secp256k1)
        let json = try EthereumKeystore(sealing: pair, password: "pass word", derivation: .light).json
        #expect(try KeyText(Array(json.utf8), name: "key").needsPassword)
        #expect(try self.key(json, password: "pass word").publicKey == pair.publicKey)
        #expect(throws: IdentityError(.wrongPassword, "")) { try self.key(json, password: "password") }
        #expect(throws: IdentityError(.wrongPassword, "")) { try self.key(json) }
    }

    @Test(
        "what is no key is refused with what to do, and is never repeated",
        arguments: [
            "", " ", "hello", "legal winner thank year wave sausage worth useful legal winner thank yellow", String(repeating: "x", count: 52) + "y", "0x12",
            String(repeating: "a", count: 70_000), "\u{1}\u{2}",
        ])
    func garbage(text: String) throws {
        let failure = try #require(throws: CommandFailure.self) { try KeyText(Array(text.utf8), name: "key.txt") }
        #expect(failure.status == .usage && failure.next != nil && failure.what.hasPrefix("key.txt"))
        #expect(text.utf8.count < 3 || !failure.description.contains(text))
        #expect(throws: CommandFailure.self) { try KeyText([0xff, 0xfe, 0xfd], name: "key.txt") }
    }

    @Test("nothing that is printed of a key text has the key in it")
    func redacted() throws {
        let text = try KeyText(Array(Self.one.utf8), name: "key")
        for description in ["\(text)", String(reflecting: text), String(describing: Mirror(reflecting: text).children.map(\.value))] { #expect(!description.contains("0001")) }
    }

    // MARK: Storing

    @Test("a key is stored where there is none, never takes another's place unasked, and the old one is kept")
    func storing() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-key-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/identity.key"
        let stored = StoredKey(path: path)
        let (first, second) = (try KeyPair.generate(.secp256k1), try KeyPair.generate())
        #expect(try stored.store(first, replaces: false) == .created)
        #expect(try stored.store(first, replaces: false) == .unchanged)
        #expect(try stored.store(first, replaces: true) == .unchanged)

        let failure = try #require(throws: CommandFailure.self) { try stored.store(second, replaces: false) }
        #expect(failure.status == .disk && failure.what.contains("\(first.peerID)") && failure.next?.contains("--replace") == true)
        #expect(try KeyFile(path: path).load().publicKey == first.publicKey)

        let now = Date(timeIntervalSince1970: 1_800_000_000)
        #expect(try stored.store(second, replaces: true, now: now) == .replaced(backup: path + ".until-20270115T080000Z"))
        #expect(try KeyFile(path: path).load().publicKey == second.publicKey)
        #expect(try KeyFile(path: path + ".until-20270115T080000Z").load().publicKey == first.publicKey)
        #expect(try stored.store(first, replaces: true, now: now) == .replaced(backup: path + ".until-20270115T080000Z-2"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 3)
        let permissions = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(permissions == 0o600)
    }

    @Test("a key file that cannot be read is kept, too")
    func damaged() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-key-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/identity.key"
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
        let key = try KeyPair.generate()
        #expect(throws: KeyFileError.self) { try StoredKey(path: path).store(key, replaces: false) }
        #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 3]))
        guard case .replaced(let backup) = try StoredKey(path: path).store(key, replaces: true) else {
            Issue.record("the key was not replaced")
            return
        }
        #expect(FileManager.default.contents(atPath: backup) == Data([1, 2, 3]))
        #expect(try KeyFile(path: path).load().publicKey == key.publicKey)
    }

    // MARK: Passwords

    @Test("the prompt edits a line as a terminal does")
    func prompt() throws {
        func typed(_ bytes: [UInt8]) throws -> String {
            var line: [UInt8] = []
            for byte in bytes where try !PasswordPrompt.take(byte, into: &line) { break }
            return String(decoding: line, as: UTF8.self)
        }
        #expect(try typed(Array("pass word\n".utf8)) == "pass word")
        #expect(try typed(Array("abé".utf8) + [0x7f] + Array("c\r".utf8)) == "abc")
        #expect(try typed(Array("abc".utf8) + [0x15] + Array("d\n".utf8)) == "d")
        #expect(try typed([0x7f, 0x08] + Array("x".utf8) + [0x04] + Array("y".utf8)) == "x")
        #expect(throws: CancellationError.self) { try typed(Array("ab".utf8) + [0x03]) }
        #expect(throws: CancellationError.self) { try typed([0x04]) }
    }

    @Test("a password file gives its first line, spaces included")
    func passwordFile() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dig-password-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for (content, password) in [("a b \n", "a b "), ("x\r\ny\n", "x"), ("", ""), ("end", "end")] {
            try Data(content.utf8).write(to: URL(fileURLWithPath: path))
            #expect(try InputFile.password(path) == password)
        }
        try Data([0xff]).write(to: URL(fileURLWithPath: path))
        #expect(throws: CommandFailure.self) { try InputFile.password(path) }
        try Data(repeating: 0x61, count: 2000).write(to: URL(fileURLWithPath: path))
        #expect(throws: CommandFailure.self) { try InputFile.password(path) }
        #expect(throws: CommandFailure.self) { try InputFile.password(path + ".missing") }
    }

    // MARK: Output

    @Test("a secp256k1 key has an account of Ethereum, the others have none")
    func report() throws {
        let wallet = try IdentityReport(try self.key(Self.one), path: "/k")
        #expect(wallet.text.contains("ethereum   0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\n"))
        #expect(wallet.event("identity")["memberKey"] == .string("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"))
        let other = try IdentityReport(try KeyPair.generate(), path: "/k")
        #expect(!other.text.contains("ethereum") && other.text.contains("\noverlay    fd"))
        #expect(other.event("identity")["ethereumAddress"] == .null)
    }

    @Test("who signed is compared as an address, a peer or a key")
    func signer() throws {
        let pair = try self.key(Self.one)
        let other = try KeyPair.generate(.secp256k1)
        for text in ["0x7e5f4552091a69125d5dfcb7b8c2659029395bdf", "\(pair.peerID)", "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"] {
            let signer = try WalletMessage.Signer(parsing: text)
            #expect(signer.matches(pair.publicKey) && !signer.matches(other.publicKey), "\(text)")
        }
        #expect(throws: CommandFailure.self) { try WalletMessage.Signer(parsing: "somebody") }
    }
}
